"""Real services for tests: made by the product's own factory, on what one test has to itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tbot.factory import create_container
from tbot.order_service import OrderService, Receipt
from tbot.orders import OrderRequest
from tbot.settings import Settings
from tests.support.books import Books
from tests.support.contract import KEY_PREFIX
from tests.support.isolation import redis_client
from tests.support.orders import Account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from redis.asyncio import Redis

    from tbot.container import DependencyContainer
    from tests.support.orders import Payload
    from tests.support.redis_server import RedisServer


class CleanDatabase:
    """An empty schema, Redis database and bucket, and how to look into them."""

    def __init__(self, config: Settings) -> None:
        self.config = config
        self.books = Books(config)

    def redis(self) -> Redis:
        return redis_client(self.config, self.config.redis_db)

    async def redis_keys(self) -> list[str]:
        """The keys of remembered orders."""
        async with self.redis() as client:
            return sorted([key async for key in client.scan_iter(match=f"{KEY_PREFIX}*", count=1000)])


class RealServiceFactory:
    """Starts real services and stops them again, as many containers as a test asks for."""

    def __init__(self) -> None:
        self._database: CleanDatabase | None = None
        self._containers: list[DependencyContainer] = []

    async def initialize_core_services(self, clean_database: CleanDatabase, **settings: Any) -> DependencyContainer:
        """The services on that database, with some settings changed."""
        config = Settings.model_validate(clean_database.config.model_dump() | settings)
        self._database = CleanDatabase(config)
        return await self.create_dependency_container()

    async def create_dependency_container(self) -> DependencyContainer:
        """Another container on the same database, as a second process would have it."""
        if self._database is None:
            raise RuntimeError("initialize_core_services comes first: it says on which database")
        container = await create_container(self._database.config)
        self._containers.append(container)
        return container

    async def cleanup(self) -> None:
        while self._containers:
            await self._containers.pop().close()


class Trading:
    """A running order service with its surroundings."""

    def __init__(
        self, container: DependencyContainer, database: CleanDatabase, redis_server: RedisServer | None = None
    ) -> None:
        self.container, self.database, self._redis_server = container, database, redis_server
        self.account = Account()

    @property
    def books(self) -> Books:
        return self.database.books

    @property
    def redis_server(self) -> RedisServer:
        assert self._redis_server is not None, "this test shares its Redis with others: ask for fragile_trading"
        return self._redis_server

    async def place(self, payload: Payload) -> Receipt:
        return await self.container.get(OrderService).place(OrderRequest.model_validate(payload))

    async def process_orders_sequentially(self, payloads: Sequence[Payload]) -> list[Receipt]:
        return [await self.place(payload) for payload in payloads]

    async def process_orders_concurrently(self, payloads: Sequence[Payload]) -> list[Receipt]:
        return await asyncio.gather(*(self.place(payload) for payload in payloads))


class ProductionReadyTestBase:
    """For classes of tests on real services: `self.trading` and all that belongs to it."""

    trading: Trading
    factory: RealServiceFactory

    @pytest.fixture(autouse=True)
    def _real_services(self, trading: Trading, factory: RealServiceFactory) -> None:
        self.trading, self.factory = trading, factory

    @property
    def container(self) -> DependencyContainer:
        return self.trading.container

    @property
    def database(self) -> CleanDatabase:
        return self.trading.database

    @property
    def account(self) -> Account:
        return self.trading.account
