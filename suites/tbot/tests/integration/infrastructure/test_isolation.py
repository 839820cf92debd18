"""What each test has to itself, and that nothing of it stays, whatever becomes of the test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.isolation import LEASE, NAME, connected, influx_client, isolated, redis_client, sweep
from tests.support.processes import Process
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tbot.settings import Settings

ROOT = str(Path(__file__).parents[3])
SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname = $1"
DOOMED = """
import asyncio, sys
from tbot.factory import create_container
from tbot.settings import Settings
from tests.support.isolation import isolated

async def main():
    async with isolated(Settings()) as config:
        await create_container(config)
        print(f"ready {config.database_schema} {config.redis_db} ", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def traces(config: Settings, name: str) -> set[str]:
    """Where something of that name is left."""
    found = set()
    async with connected(config) as connection:
        if await connection.fetchval(SCHEMAS, name):
            found.add("schema")
    async with redis_client(config, 0) as client:
        leases = [key async for key in client.scan_iter(match=f"{LEASE}*")]
        if name in [await client.get(key) for key in leases]:
            found.add("redis database")
    with influx_client(config) as influx:
        if influx.buckets_api().find_bucket_by_name(name) is not None:
            found.add("bucket")
    return found


async def test_each_environment_is_its_own_and_goes(real_test_config: Settings) -> None:
    async with isolated(real_test_config) as one, isolated(real_test_config) as other:
        assert NAME.fullmatch(one.database_schema)
        for member in ("database_schema", "redis_db", "influxdb_bucket"):
            assert len({getattr(config, member) for config in (one, other, real_test_config)}) == 3, member
        async with redis_client(one, one.redis_db) as client:
            await client.set("only", "here")
        async with redis_client(other, other.redis_db) as client:
            assert await client.get("only") is None
    for config in (one, other):
        assert await traces(real_test_config, config.database_schema) == set()


async def failing_test(config: Settings) -> None:
    """With something in each of its three places."""
    async with isolated(config) as own, connected(own) as connection, redis_client(own, own.redis_db) as client:
        await connection.execute(f'CREATE SCHEMA "{own.database_schema}" CREATE TABLE orders (id int)')
        await client.set("left", "over")
        raise AssertionError(own.database_schema)


async def test_a_failed_test_leaves_nothing(real_test_config: Settings) -> None:
    with pytest.raises(AssertionError, match=NAME.pattern) as failure:
        await failing_test(real_test_config)
    assert await traces(real_test_config, str(failure.value)) == set()


async def test_a_killed_test_leaves_nothing_for_long(
    real_test_config: Settings, isolated_config: Settings, tmp_path: Path
) -> None:
    """`kill -9`: its lock goes with its connection, and the next sweep takes what it left and nothing else."""
    doomed = Process([sys.executable, "-c", DOOMED], tmp_path / "doomed.log", env={**os.environ, "PYTHONPATH": ROOT})
    try:

        async def probe() -> tuple[str | None, object]:
            words = doomed.output().split(" ")
            assert doomed.returncode is None, doomed.output()
            return (words[1] if words[0] == "ready" and len(words) > 2 else None), doomed.output()

        name = await eventually("the other test to be in the middle of its work", probe)
        assert name not in await sweep(real_test_config), "it lives, so what it has is not left"
        assert await traces(real_test_config, name) == {"schema", "redis database", "bucket"}
        await doomed.kill()

        async def gone() -> tuple[bool | None, object]:
            await sweep(real_test_config)
            left = await traces(real_test_config, name)
            return (not left) or None, left

        await eventually("a sweep to remove what the killed test left", gone)
        async with connected(real_test_config) as connection:
            await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{isolated_config.database_schema}"')
        assert isolated_config.database_schema not in await sweep(real_test_config)
    finally:
        doomed.destroy()
