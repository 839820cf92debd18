"""What each test has to itself, and that nothing of it stays, whatever becomes of the test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seatrial_kit.services.redis import CLAIM
from seatrial_kit.waiting import eventually_async
from tests.support.isolation import connected, influx_client, isolated, redis_client
from tests.support.processes import Process

if TYPE_CHECKING:
    from tbot.settings import Settings

ROOT = str(Path(__file__).parents[3])
SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname = $1"
OWN = ("database_schema", "redis_db", "influxdb_bucket")
DOOMED = """
import asyncio
from tbot.factory import create_container
from tbot.settings import Settings
from tests.support.isolation import isolated, redis_client

async def main():
    async with isolated(Settings()) as config, redis_client(config, config.redis_db) as client:
        await create_container(config)
        await client.set(f"left:{config.database_schema}", "over")
        print(f"ready {config.database_schema} {config.redis_db} {config.influxdb_bucket} ", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def traces(config: Settings) -> set[str]:
    """What is there of a test's own. Its Redis database may be another test's by now: the claim says whose it is."""
    found = set()
    async with connected(config) as connection:
        if await connection.fetchval(SCHEMAS, config.database_schema):
            found.add("schema")
    async with redis_client(config, 0) as client:
        if holder := await client.get(f"{CLAIM}{config.redis_db}"):
            found.add(f"redis database of {holder}")
    async with redis_client(config, config.redis_db) as client:
        if await client.exists(f"left:{config.database_schema}"):
            found.add("redis key")
    with influx_client(config) as influx:
        if influx.buckets_api().find_bucket_by_name(config.influxdb_bucket) is not None:
            found.add("bucket")
    return found


async def test_each_environment_is_its_own_and_goes(run_settings: Settings) -> None:
    async with isolated(run_settings) as one, isolated(run_settings) as other:
        for member in OWN:
            assert len({getattr(config, member) for config in (one, other, run_settings)}) == 3, member
        async with redis_client(one, one.redis_db) as client:
            await client.set("only", "here")
        async with redis_client(other, other.redis_db) as client:
            assert await client.get("only") is None
        before = [await traces(config) for config in (one, other)]
        assert [len(found) for found in before] == [3, 3]
    for config, found in zip((one, other), before, strict=True):
        assert await traces(config) & found == set()


async def failing_test(config: Settings, seen: list[Settings], held: set[str]) -> None:
    """With something in each of its places."""
    async with isolated(config) as own, connected(own) as connection, redis_client(own, own.redis_db) as client:
        seen.append(own)
        await connection.execute("CREATE TABLE orders (id int)")
        await client.set(f"left:{own.database_schema}", "over")
        held.update(await traces(own))
        raise AssertionError(own.database_schema)


async def test_a_failed_test_leaves_nothing(run_settings: Settings) -> None:
    seen: list[Settings] = []
    held: set[str] = set()
    with pytest.raises(AssertionError, match="test_"):
        await failing_test(run_settings, seen, held)
    assert len(held) == len(OWN) + 1, "with its key in Redis"
    assert await traces(seen[0]) & held == set()


async def test_a_killed_test_leaves_nothing_for_long(
    run_settings: Settings, isolated_config: Settings, tmp_path: Path
) -> None:
    """`kill -9`: the next test to start takes what it left, and nothing of those that live."""
    doomed = Process([sys.executable, "-c", DOOMED], tmp_path / "doomed.log", env={**os.environ, "PYTHONPATH": ROOT})
    try:

        async def probe() -> Settings:
            output = doomed.output()
            if doomed.returncode is not None:
                pytest.fail(f"it ended with {doomed.returncode}:\n{output}")
            words = output.split(" ")
            assert words[0] == "ready", output
            assert len(words) >= len(OWN) + 2, output
            own = dict(zip(OWN, (words[1], int(words[2]), words[3]), strict=True))
            return run_settings.model_copy(update=own)

        killed = await eventually_async(probe, "the other test to be in the middle of its work")
        async with isolated(run_settings):
            had = await traces(killed)
        assert len(had) == len(OWN) + 1, "it lives, so what it has is not left"
        await doomed.kill()

        async def gone() -> bool:
            async with isolated(run_settings):
                left = had & await traces(killed)
            assert not left, left
            return True

        await eventually_async(gone, "the next test to remove what the killed one left")
        assert len(await traces(isolated_config)) == len(OWN), "this one lives"
    finally:
        doomed.destroy()
