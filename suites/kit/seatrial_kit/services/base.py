"""A base for classes of tests that need everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest_asyncio

from seatrial_kit.services.factory import DependencyContainer, RealServiceFactory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from seatrial_kit.services.postgres import CleanDatabase

S = TypeVar("S")


class ProductionReadyTestBase:
    """Each test of a subclass has a schema, a Redis database and a bucket of its own, with services in `container`."""

    factory: RealServiceFactory
    container: DependencyContainer
    healthy: Mapping[str, str]
    """Where each service is."""

    def register_services(self, factory: RealServiceFactory) -> None:
        """Override it to add the services under test: `factory.register(name, build)`."""

    @pytest_asyncio.fixture(autouse=True)
    async def production_ready(
        self, verify_services_healthy: Mapping[str, str], clean_database: CleanDatabase
    ) -> AsyncIterator[None]:
        """Before and after each test."""
        self.healthy = verify_services_healthy
        self.factory = RealServiceFactory()
        self.register_services(self.factory)
        try:
            await self.factory.initialize_core_services(clean_database)
            self.container = await self.factory.create_dependency_container()
            yield
        finally:
            await self.factory.cleanup()

    def service(self, name: str, kind: type[S]) -> S:
        """A service of a known class."""
        return self.container.get_as(name, kind)
