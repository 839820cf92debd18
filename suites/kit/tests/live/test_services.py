"""PostgreSQL and Redis: every test in a place of its own."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from seatrial_kit.missing import MissingServiceError
from seatrial_kit.services import DependencyContainer, RealServiceFactory, RealTestConfig
from seatrial_kit.services.base import ProductionReadyTestBase
from seatrial_kit.services.postgres import DatabaseService, connect
from seatrial_kit.services.redis import CLAIM, CacheManager, own_database
from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inner import Inner

    from seatrial_kit.services.postgres import CleanDatabase

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]
TABLE = "CREATE TABLE orders (id int PRIMARY KEY, total numeric(28, 8))"


@pytest.fixture(scope="session")
def real_test_config() -> RealTestConfig:
    return RealTestConfig.from_environment(services=("postgres", "redis"))


async def schemas(config: RealTestConfig) -> set[str]:
    connection = await connect(config)
    try:
        return {record["nspname"] for record in await connection.fetch("SELECT nspname FROM pg_namespace")}
    finally:
        await connection.close()


async def test_services_are_healthy(verify_services_healthy: Mapping[str, str]) -> None:
    assert set(verify_services_healthy) == {"postgres", "redis"}


@pytest.mark.parametrize("times", [1, 2])
async def test_a_database_is_clean(
    times: int, clean_database: CleanDatabase, real_database_service: DatabaseService
) -> None:
    await real_database_service.execute(TABLE)
    await real_database_service.execute("INSERT INTO orders VALUES ($1, $2)", times, Decimal("5639.27403842"))
    assert await real_database_service.fetchval("SELECT current_schema()") == clean_database.schema
    assert [tuple(row) for row in await real_database_service.fetch("SELECT * FROM orders")] == [
        (times, Decimal("5639.27403842"))
    ]


async def test_a_transaction(real_database_service: DatabaseService) -> None:
    await real_database_service.execute(TABLE)
    with pytest.raises(ZeroDivisionError):
        async with real_database_service.transaction() as connection:
            await connection.execute("INSERT INTO orders VALUES (1, 1)")
            raise ZeroDivisionError
    assert await real_database_service.fetchrow("SELECT * FROM orders") is None


async def test_a_schema_goes_although_a_connection_of_a_failed_test_still_holds_a_lock(
    inner: Inner, real_test_config: RealTestConfig
) -> None:
    status, output = inner.run(f"""
import asyncpg, pytest

@pytest.mark.asyncio
async def test_it(clean_database):
    print("schema", clean_database.schema)
    global connection
    connection = await asyncpg.connect(clean_database.url)
    await connection.execute("BEGIN; {TABLE}")
    assert 0, "the test has failed"
""")
    assert (status, output.count("the test has failed") > 0, output.count("1 failed")) == (1, True, 1)
    schema = next(line.split()[1] for line in output.splitlines() if line.startswith("schema "))
    assert schema not in await schemas(real_test_config)


async def test_what_a_killed_test_has_left_is_swept_by_the_next_session(
    inner: Inner, real_test_config: RealTestConfig
) -> None:
    """The Redis database before the killed test's is free again then: what is left is not only seen by taking it."""
    async with own_database(real_test_config):
        said = inner.run_and_kill(f"""
import asyncio, pytest

@pytest.mark.asyncio
async def test_it(clean_database, real_database_service, real_cache_manager):
    await real_database_service.execute("{TABLE}")
    await real_cache_manager.set("left:" + clean_database.schema, 1)
    print()
    print(clean_database.schema)
    print(real_cache_manager.database)
    print(await real_cache_manager.client.client_getname())
    print("ready")
    await asyncio.Event().wait()
""")
    schema, database, token = said[-4:-1]
    server = real_test_config.redis_url.rpartition("/")[0]
    async with Redis.from_url(f"{server}/0") as lobby, Redis.from_url(f"{server}/{database}") as left:

        async def gone() -> bool:
            async with own_database(real_test_config) as cache:
                assert await cache.keys() == []
            assert await lobby.get(f"{CLAIM}{database}") != token.encode(), f"{database} is claimed for {token}"
            return not await left.exists(f"left:{schema}")

        await eventually_async(gone, f"what the killed test has left in database {database} to be gone")
    status, output = inner.run("def test_it(clean_database): pass")
    assert status == 0, output
    assert schema not in await schemas(real_test_config)


async def test_a_schema_in_use_is_not_swept(inner: Inner, clean_database: CleanDatabase) -> None:
    status, output = inner.run("def test_it(clean_database): pass")
    assert status == 0, output
    assert clean_database.schema in await schemas(clean_database.config)


async def test_somebody_elses_schema_is_not_swept(inner: Inner, real_test_config: RealTestConfig) -> None:
    schema = "test_00000000000000000000000000000000"
    connection = await connect(real_test_config)
    try:
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        assert inner.run("def test_it(clean_database): pass")[0] == 0
        assert schema in await schemas(real_test_config)
    finally:
        await connection.execute(f"DROP SCHEMA IF EXISTS {schema}")
        await connection.close()


async def test_a_cache_is_empty_and_its_own(real_cache_manager: CacheManager, real_test_config: RealTestConfig) -> None:
    assert await real_cache_manager.keys() == []
    await real_cache_manager.set("order:1", {"total": Decimal("1.5")}, ttl_seconds=60)
    assert await real_cache_manager.get("order:1") == {"total": "1.5"}
    assert not await real_cache_manager.set_if_absent("order:1", 2)
    assert await real_cache_manager.set_if_absent("order:2", 2)
    assert await real_cache_manager.keys("order:*") == ["order:1", "order:2"]
    async with own_database(real_test_config) as another:
        assert another.database != real_cache_manager.database
        assert await another.keys() == []
    assert await real_cache_manager.delete("order:1", "order:2") == 2
    assert await real_cache_manager.get("order:1") is None


async def test_a_database_with_somebodys_data_is_left_alone(
    real_cache_manager: CacheManager, real_test_config: RealTestConfig
) -> None:
    """Without its claim the data are somebody's."""
    own, key = real_cache_manager, f"{CLAIM}{real_cache_manager.database}"
    await own.set("precious", 1)
    async with Redis.from_url(f"{own.url.rpartition('/')[0]}/0") as lobby:
        claim = await lobby.get(key)
        assert claim
        await lobby.delete(key)
        async with own_database(real_test_config) as another:
            assert another.database != own.database
        assert await own.get("precious") == 1
        await lobby.set(key, claim)


class Ledger:
    """A service of a suite's own."""

    def __init__(self, database: DatabaseService) -> None:
        self.database = database
        self.open = False

    async def start(self) -> Ledger:
        await self.database.execute(TABLE)
        self.open = True
        return self

    async def close(self) -> None:
        self.open = False


async def test_the_factory(clean_database: CleanDatabase) -> None:
    factory = RealServiceFactory()
    container = await factory.initialize_core_services(clean_database)
    try:
        database_service = container.get_as("DatabaseService", DatabaseService)
        cache_manager = container.get_as("CacheManager", CacheManager)
        assert await database_service.healthy()
        assert await cache_manager.healthy()
        factory.register("Ledger", lambda services: Ledger(services.get("DatabaseService")).start())
        ledger = (await factory.create_dependency_container()).get_as("Ledger", Ledger)
        assert ledger.open
        with pytest.raises(LookupError, match="no Legder; there are: DatabaseService, CacheManager, Ledger"):
            container.get("Legder")
        with pytest.raises(TypeError, match="Ledger is a Ledger, not a DependencyContainer"):
            container.get_as("Ledger", DependencyContainer)
    finally:
        await factory.cleanup()
    assert not ledger.open


async def test_a_factory_that_misses_a_service_leaves_nothing(clean_database: CleanDatabase) -> None:
    """PostgreSQL is there, Redis is not."""
    nowhere = dataclasses.replace(clean_database.config, redis_url="redis://127.0.0.1:1/1")
    factory = RealServiceFactory(nowhere)
    with pytest.raises(MissingServiceError, match=r"Redis at 127\.0\.0\.1:1"):
        await factory.initialize_core_services(clean_database)
    assert "DatabaseService" not in await factory.create_dependency_container()
    connection = await connect(clean_database.config)
    try:

        async def closed() -> bool:
            count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
            return await connection.fetchval(count, clean_database.schema) == 0

        await eventually_async(closed, "the connections of the factory to be closed")
    finally:
        await connection.close()


class TestProductionReady(ProductionReadyTestBase):
    def register_services(self, factory: RealServiceFactory) -> None:
        factory.register("Ledger", lambda services: Ledger(services.get("DatabaseService")).start())

    async def test_a_trading_feature(self) -> None:
        ledger = self.service("Ledger", Ledger)
        await ledger.database.execute("INSERT INTO orders VALUES (1, 0.12345678 * 45678.12345678)")
        assert await ledger.database.fetchval("SELECT total FROM orders") == Decimal("5639.27403842")
        await self.service("CacheManager", CacheManager).set("idempotency:order:1", 1)

    async def test_another_starts_anew(self) -> None:
        assert await self.service("Ledger", Ledger).database.fetch("SELECT * FROM orders") == []
        assert await self.service("CacheManager", CacheManager).keys() == []
