"""Real services, connected and wired, for a test."""

from __future__ import annotations

import inspect
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial_kit.services.config import RealTestConfig
    from seatrial_kit.services.postgres import CleanDatabase

S = TypeVar("S")


class DependencyContainer:
    """Services by name."""

    def __init__(self) -> None:
        self._services: dict[str, Any] = {}

    def add(self, name: str, service: object) -> None:
        """Raises ValueError if the name is taken."""
        if name in self._services:
            raise ValueError(f"there is a {name} already")
        self._services[name] = service

    def get(self, name: str) -> Any:
        """A service. Raises LookupError that says which there are."""
        if name not in self._services:
            raise LookupError(f"there is no {name}; there are: {', '.join(self._services) or 'none'}")
        return self._services[name]

    def get_as(self, name: str, kind: type[S]) -> S:
        """A service of a known class. Raises TypeError if it is another's."""
        service = self.get(name)
        if not isinstance(service, kind):
            raise TypeError(f"{name} is a {type(service).__name__}, not a {kind.__name__}")
        return service

    def __contains__(self, name: object) -> bool:
        return name in self._services


class RealServiceFactory:
    """Connects DatabaseService, CacheManager and MetricsService, as far as the configuration lists their servers.

    Then it builds what a suite has registered. `cleanup` undoes all of it, the last first, and does not stop at what
    fails.
    """

    def __init__(self, config: RealTestConfig | None = None) -> None:
        self._config = config
        self._stack = AsyncExitStack()
        self._container = DependencyContainer()
        self._registered: dict[str, tuple[Callable[[DependencyContainer], Any], str]] = {}

    def register(self, name: str, build: Callable[[DependencyContainer], Any], close: str = "close") -> None:
        """A service of the suite's own, built from those before it. `build` may be a coroutine function; the method
        called `close`, if the service has one, is called (and awaited) at clean-up.
        """
        self._registered[name] = (build, close)

    async def initialize_core_services(self, database: CleanDatabase) -> DependencyContainer:
        """Connect. Raises MissingServiceError, and what was connected until then is closed.

        That is an error of the test, also with --skip-missing-services: who wants it to be skipped asks for the fixture
        `verify_services_healthy`, as ProductionReadyTestBase does.
        """
        try:
            return await self._connect(self._config or database.config, database)
        except BaseException:
            await self.cleanup()
            raise

    async def _connect(self, config: RealTestConfig, database: CleanDatabase) -> DependencyContainer:
        if "postgres" in config.services:
            from seatrial_kit.services.postgres import DatabaseService

            service = DatabaseService(database)
            self._stack.push_async_callback(service.close)
            await service.start()
            self._container.add("DatabaseService", service)
        if "redis" in config.services:
            from seatrial_kit.services.redis import own_database

            cache = await self._stack.enter_async_context(own_database(config))
            self._container.add("CacheManager", cache)
        if "influxdb" in config.services:
            from seatrial_kit.services.influxdb import MetricsService, own_bucket

            metrics = MetricsService(await self._stack.enter_async_context(own_bucket(config)))
            self._stack.push_async_callback(metrics.close)
            self._container.add("MetricsService", metrics)
        return self._container

    async def create_dependency_container(self) -> DependencyContainer:
        """The core services, and whatever was registered and is not built yet, in that order."""
        for name, (build, close) in self._registered.items():
            if name not in self._container:
                service = await _awaited(build(self._container))
                if callable(getattr(service, close, None)):
                    self._stack.push_async_callback(_close, service, close)
                self._container.add(name, service)
        return self._container

    async def cleanup(self) -> None:
        """Close everything. What was made for the test is gone afterwards."""
        self._container = DependencyContainer()
        await self._stack.aclose()


async def _close(service: Any, method: str) -> None:
    await _awaited(getattr(service, method)())


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
