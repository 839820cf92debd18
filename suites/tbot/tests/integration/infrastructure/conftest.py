"""Fixtures of the infrastructure: the real services in this process, each test with its own part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tbot.cache import CacheManager
from tbot.database import DatabaseService
from tests.integration.infrastructure.service_factory import CleanDatabase, RealServiceFactory, Trading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tbot.container import DependencyContainer
    from tbot.settings import Settings
    from tests.support.redis_server import RedisServer


@pytest.fixture
def clean_database(isolated_config: Settings) -> CleanDatabase:
    """An environment of this test's own, gone after it."""
    return CleanDatabase(isolated_config)


@pytest.fixture
async def factory() -> AsyncIterator[RealServiceFactory]:
    factory = RealServiceFactory()
    try:
        yield factory
    finally:
        await factory.cleanup()


@pytest.fixture
async def real_container(factory: RealServiceFactory, clean_database: CleanDatabase) -> DependencyContainer:
    return await factory.initialize_core_services(clean_database)


@pytest.fixture
def real_database_service(real_container: DependencyContainer) -> DatabaseService:
    return real_container.get(DatabaseService)


@pytest.fixture
def real_cache_manager(real_container: DependencyContainer) -> CacheManager:
    return real_container.get(CacheManager)


@pytest.fixture
async def verify_services_healthy(real_container: DependencyContainer) -> dict[str, str]:
    """PostgreSQL, Redis and InfluxDB have answered."""
    health = await real_container.health()
    assert set(health.values()) == {"ok"}, health
    return health


@pytest.fixture
def trading(real_container: DependencyContainer, clean_database: CleanDatabase) -> Trading:
    return Trading(real_container, clean_database)


@pytest.fixture
async def fragile_trading(factory: RealServiceFactory, fragile_config: Settings, own_redis: RedisServer) -> Trading:
    """With a Redis of its own that may be stopped."""
    database = CleanDatabase(fragile_config)
    return Trading(await factory.initialize_core_services(database), database, own_redis)
