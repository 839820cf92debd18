"""What one test has to itself on servers that all share: a schema, a Redis database and a bucket.

All three carry the same name, test_<32 hex digits>. As long as its test lives, a PostgreSQL session holds the advisory
lock of that name: who is killed loses it, and the next one to look removes what it left.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from redis.asyncio import Redis

from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tbot.settings import Settings

NAME: Final = re.compile(r"test_[0-9a-f]{32}")
LEASE: Final = "test-database:"
LEASE_SECONDS: Final = 3600
LOCK: Final = "hashtextextended($1, 0)"
KEPT_SECONDS: Final = 3600
# Somebody else may have found the same lease to be left, and have taken it anew.
RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


def new_name() -> str:
    return f"test_{uuid.uuid4().hex}"


@asynccontextmanager
async def isolated(config: Settings) -> AsyncIterator[Settings]:
    """The settings with a schema, a Redis database and a bucket that nobody else uses; all are gone afterwards."""
    name = new_name()
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connected(config))
        await connection.execute(f"SELECT pg_advisory_lock({LOCK})", name)
        stack.push_async_callback(drop_schema, connection, name)
        await asyncio.to_thread(_create_bucket, config, name)
        stack.push_async_callback(asyncio.to_thread, _delete_buckets, config, {name})
        number = await stack.enter_async_context(_redis_database(config, connection, name))
        yield config.model_copy(
            update={"database_schema": name, "redis_db": number, "influxdb_bucket": name, "instance": name}
        )


@asynccontextmanager
async def connected(config: Settings) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection to PostgreSQL whose search path is the schema of the settings."""
    connection = await asyncpg.connect(
        host=config.database_host,
        port=config.database_port,
        database=config.database_name,
        user=config.database_user,
        password=config.database_password.get_secret_value(),
        server_settings={"search_path": config.database_schema},
    )
    try:
        yield connection
    finally:
        await connection.close()


def redis_client(config: Settings, database: int) -> Redis:
    password = config.redis_password.get_secret_value() or None
    return Redis(host=config.redis_host, port=config.redis_port, db=database, password=password, decode_responses=True)


def influx_client(config: Settings) -> InfluxDBClient:
    return InfluxDBClient(
        config.influxdb_url, config.influxdb_token.get_secret_value(), org=config.influxdb_org, timeout=10_000
    )


async def drop_schema(connection: asyncpg.Connection[Any], name: str) -> None:
    await connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


async def sweep(config: Settings) -> set[str]:
    """Remove what killed tests have left; returns the names."""
    async with connected(config) as connection:
        schemas = await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'test\\_%'")
        found = {row["nspname"] for row in schemas} | await asyncio.to_thread(_bucket_names, config)
        async with redis_client(config, 0) as redis:
            leases = [key async for key in redis.scan_iter(match=f"{LEASE}*")]
            holders = {key: str(await redis.get(key)) for key in leases}
            found |= set(holders.values())
            left = {name for name in found if NAME.fullmatch(name) and await _is_left(connection, name)}
            for name in left:
                await drop_schema(connection, name)
            for key, holder in holders.items():
                if holder in left:
                    await redis.eval(RELEASE, 1, key, holder)
        await asyncio.to_thread(_delete_buckets, config, left)
    return left


async def _is_left(connection: asyncpg.Connection[Any], name: str) -> bool:
    """Whether nobody holds the lock of that name."""
    if not await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK})", name):
        return False
    await connection.execute(f"SELECT pg_advisory_unlock({LOCK})", name)
    return True


@asynccontextmanager
async def _redis_database(config: Settings, connection: asyncpg.Connection[Any], name: str) -> AsyncIterator[int]:
    """The number of an empty database, leased: database 0 holds the leases, and belongs to the service under test."""
    async with redis_client(config, 0) as redis:
        count = int(str((await redis.config_get("databases"))["databases"]))

        async def lease() -> tuple[int | None, object]:
            holders = {}
            for number in range(1, count):
                key = f"{LEASE}{number}"
                if await redis.set(key, name, nx=True, ex=LEASE_SECONDS):
                    return number, None
                holders[number] = holder = str(await redis.get(key))
                if NAME.fullmatch(holder) and await _is_left(connection, holder):
                    await redis.eval(RELEASE, 1, key, holder)
            return None, holders

        number = await eventually(f"one of the {count - 1} Redis databases", lease)
        async with redis_client(config, number) as own:
            try:
                await own.flushdb()
                yield number
            finally:
                await own.flushdb()
                await redis.eval(RELEASE, 1, f"{LEASE}{number}", name)


def _create_bucket(config: Settings, name: str) -> None:
    with influx_client(config) as client:
        rules = BucketRetentionRules(type="expire", every_seconds=KEPT_SECONDS)
        client.buckets_api().create_bucket(bucket_name=name, org=config.influxdb_org, retention_rules=rules)


def _bucket_names(config: Settings) -> set[str]:
    with influx_client(config) as client:
        return {bucket.name for bucket in client.buckets_api().find_buckets_iter()}


def _delete_buckets(config: Settings, names: set[str]) -> None:
    if names:
        with influx_client(config) as client:
            api = client.buckets_api()
            for bucket in [bucket for bucket in api.find_buckets_iter() if bucket.name in names]:
                api.delete_bucket(bucket)
