"""The container and the factory: what is started, how it is connected, how it ends."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from seatrial_kit.waiting import eventually_async
from tbot.cache import CacheManager
from tbot.container import UnknownServiceError
from tbot.database import DatabaseService
from tbot.errors import CacheUnavailableError, DatabaseUnavailableError
from tests.integration.infrastructure.service_factory import ProductionReadyTestBase, RealServiceFactory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.infrastructure.service_factory import CleanDatabase

SERVICES = ("MetricsService", "DatabaseService", "CacheManager", "IdempotencyManager", "OrderService")
OPEN = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = $1"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, by a socket that does not listen: connections to it are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_my_trading_feature(clean_database: CleanDatabase) -> None:
    """The documented use: a factory, its container, the services by name, and the clean-up."""
    factory = RealServiceFactory()
    container = await factory.initialize_core_services(clean_database)
    try:
        database_service, cache_manager = container.get("DatabaseService"), container.get("CacheManager")
        assert isinstance(database_service, DatabaseService)
        assert isinstance(cache_manager, CacheManager)
        await database_service.ping()
        await cache_manager.ping()
    finally:
        await factory.cleanup()


def test_services_are_healthy(verify_services_healthy: dict[str, str]) -> None:
    assert set(verify_services_healthy) == {"DatabaseService", "CacheManager", "MetricsService"}


async def test_services_work_on_their_own(
    real_database_service: DatabaseService, real_cache_manager: CacheManager
) -> None:
    assert await real_database_service.balances("nobody") == {}
    assert await real_cache_manager.get("nothing") is None


class TestContainer(ProductionReadyTestBase):
    """Services by type and by name."""

    def test_a_service_is_found_by_type_and_by_name(self) -> None:
        assert self.container.names == SERVICES
        assert self.container.get(DatabaseService) is self.container.get("DatabaseService")

    def test_an_unknown_service_is_named_with_what_there_is(self) -> None:
        with pytest.raises(UnknownServiceError, match="no service 'OrderBook'; there are: MetricsService, Database"):
            self.container.get("OrderBook")

    async def test_two_containers_on_one_database_share_their_orders(self) -> None:
        """As two processes of the service would: the second one recognises what the first one has accepted."""
        other = await self.factory.create_dependency_container()
        payload = self.account.order()
        first = await self.trading.place(payload)
        second = await type(self.trading)(other, self.database).place(self.account.repeated(payload))
        assert (first.duplicate, second.duplicate, second.order) == (False, True, first.order)

    async def test_closing_leaves_no_connection(self) -> None:
        name = self.database.config.instance
        assert (await self.database.books.fetch(OPEN, name))[0]["n"] > 0
        await self.trading.place(self.account.order())
        await self.factory.cleanup()

        async def probe() -> bool:
            async with self.database.redis() as client:
                clients = [item["name"] for item in await client.client_list()].count(name)
            sessions = (await self.database.books.fetch(OPEN, name))[0]["n"]
            assert (clients, sessions) == (0, 0), f"{clients} in Redis, {sessions} in PostgreSQL"
            return True

        await eventually_async(probe, f"the connections of {name} to be gone")

    async def test_closed_services_accept_nothing(self) -> None:
        await self.container.close()
        with pytest.raises(DatabaseUnavailableError, match="PostgreSQL does not answer"):
            await self.trading.place(self.account.order())


class TestUnreachable:
    """What is missing is said by name and address; only PostgreSQL is indispensable."""

    async def test_without_postgres_there_is_no_container(
        self, factory: RealServiceFactory, clean_database: CleanDatabase, closed_port: int
    ) -> None:
        before = asyncio.all_tasks()
        with pytest.raises(DatabaseUnavailableError, match=rf" at 127\.0\.0\.1:{closed_port}/.* after 0\.2 s"):
            await factory.initialize_core_services(
                clean_database, database_host="127.0.0.1", database_port=closed_port, connect_deadline_seconds=0.2
            )
        assert asyncio.all_tasks() == before, "what had been started is stopped again"

    async def test_a_wrong_password_is_not_shown(
        self, factory: RealServiceFactory, clean_database: CleanDatabase
    ) -> None:
        with pytest.raises(DatabaseUnavailableError) as error:
            await factory.initialize_core_services(
                clean_database, database_user="nobody", database_password="hidden-word", connect_deadline_seconds=0.2
            )
        assert "nobody" in str(error.value)
        assert "hidden-word" not in str(error.value)

    async def test_without_redis_and_influxdb_there_is_one(
        self, factory: RealServiceFactory, clean_database: CleanDatabase, closed_port: int
    ) -> None:
        container = await factory.initialize_core_services(
            clean_database,
            redis_host="127.0.0.1",
            redis_port=closed_port,
            influxdb_host="127.0.0.1",
            influxdb_port=closed_port,
        )
        health = await container.health()
        assert health["DatabaseService"] == "ok"
        assert "Redis does not answer" in health["CacheManager"]
        assert f"InfluxDB at http://127.0.0.1:{closed_port} does not answer" in health["MetricsService"]
        with pytest.raises(CacheUnavailableError):
            await container.get(CacheManager).get("anything")
