"""The fixtures for PostgreSQL, Redis and InfluxDB. Each test has its own schema, database and bucket."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from seatrial_kit.missing import MissingServiceError, client, missing
from seatrial_kit.services.config import RealTestConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from typing import TypeVar

    from seatrial_kit.services.influxdb import OwnBucket
    from seatrial_kit.services.postgres import CleanDatabase, DatabaseService
    from seatrial_kit.services.redis import CacheManager

    T = TypeVar("T")


@pytest.fixture(scope="session")
def real_test_config() -> RealTestConfig:
    """Override it in a conftest.py: `return RealTestConfig.from_environment(services=("postgres", "redis"))`."""
    return RealTestConfig.from_environment()


@pytest_asyncio.fixture
async def verify_services_healthy(request: pytest.FixtureRequest, real_test_config: RealTestConfig) -> dict[str, str]:
    """Where each service that the configuration lists is. Each has answered; a missing one fails the test."""
    try:
        for service in real_test_config.services:
            module = client(f"seatrial_kit.services.{service}", service)
            if service == "postgres":
                await (await module.connect(real_test_config)).close()
            else:
                await module.verify(real_test_config)
    except MissingServiceError as error:
        missing(request, error)
    return {service: real_test_config.address(service) for service in real_test_config.services}


@pytest_asyncio.fixture
async def clean_database(
    request: pytest.FixtureRequest, real_test_config: RealTestConfig
) -> AsyncIterator[CleanDatabase]:
    """An empty PostgreSQL schema `test_<uuid>`; its `url` connects into it. Dropped at the end of the test."""
    from seatrial_kit.services.postgres import own_schema

    async with _entered(request, own_schema(real_test_config)) as database:
        yield database


@pytest_asyncio.fixture
async def real_database_service(clean_database: CleanDatabase) -> AsyncIterator[DatabaseService]:
    """Connections to the test's schema."""
    from seatrial_kit.services.postgres import DatabaseService

    service = DatabaseService(clean_database)
    await service.start()
    try:
        yield service
    finally:
        await service.close()


@pytest_asyncio.fixture
async def real_cache_manager(
    request: pytest.FixtureRequest, real_test_config: RealTestConfig
) -> AsyncIterator[CacheManager]:
    """A Redis database of the test's own, empty, and emptied at the end of the test."""
    from seatrial_kit.services.redis import own_database

    async with _entered(request, own_database(real_test_config)) as cache:
        yield cache


@pytest_asyncio.fixture
async def influxdb_bucket(request: pytest.FixtureRequest, real_test_config: RealTestConfig) -> AsyncIterator[OwnBucket]:
    """An InfluxDB bucket of the test's own, deleted at the end of the test."""
    from seatrial_kit.services.influxdb import own_bucket

    async with _entered(request, own_bucket(real_test_config)) as bucket:
        yield bucket


@asynccontextmanager
async def _entered(request: pytest.FixtureRequest, manager: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """The same, but a service that is missing ends the test."""
    async with AsyncExitStack() as stack:
        try:
            value = await stack.enter_async_context(manager)
        except MissingServiceError as error:
            missing(request, error)
        yield value
