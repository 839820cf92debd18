"""What one test has to itself on servers that all share, from pytest-seatrial; and clients to look at it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
from influxdb_client.client.influxdb_client import InfluxDBClient
from redis.asyncio import Redis

from seatrial_kit.services import RealTestConfig
from seatrial_kit.services.influxdb import own_bucket
from seatrial_kit.services.postgres import own_schema
from seatrial_kit.services.redis import own_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tbot.settings import Settings


@asynccontextmanager
async def isolated(config: Settings) -> AsyncIterator[Settings]:
    """The settings with a schema, a Redis database and a bucket that nobody else uses; all are gone afterwards.

    Before, what killed tests have left is removed.
    """
    servers = RealTestConfig.from_environment()
    async with AsyncExitStack() as stack:
        schema = (await stack.enter_async_context(own_schema(servers))).schema
        database = (await stack.enter_async_context(own_database(servers))).database
        bucket = (await stack.enter_async_context(own_bucket(servers))).name
        own = {"database_schema": schema, "redis_db": database, "influxdb_bucket": bucket, "instance": schema}
        yield config.model_copy(update=own)


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
