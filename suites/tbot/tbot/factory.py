"""Makes the services from the settings and connects them: what needs what is said here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import svcs

from tbot.cache import CacheManager
from tbot.container import DependencyContainer
from tbot.database import DatabaseService
from tbot.idempotency import IdempotencyManager
from tbot.metrics import MetricsService
from tbot.order_service import OrderService
from tbot.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def create_container(settings: Settings) -> DependencyContainer:
    """Start every service. Raises DatabaseUnavailableError; Redis and InfluxDB may be away."""
    container = svcs.Container(_registry(settings))
    try:
        services = [await container.aget(service) for service in _ORDER]
    except BaseException:
        await container.aclose()
        raise
    return DependencyContainer(container, services)


_ORDER = (MetricsService, DatabaseService, CacheManager, IdempotencyManager, OrderService)


def _registry(settings: Settings) -> svcs.Registry:
    registry = svcs.Registry()
    registry.register_value(Settings, settings)
    registry.register_factory(MetricsService, _metrics, ping=MetricsService.ping)
    registry.register_factory(DatabaseService, _database, ping=DatabaseService.ping)
    registry.register_factory(CacheManager, _cache, ping=CacheManager.ping)
    registry.register_factory(IdempotencyManager, _idempotency)
    registry.register_factory(OrderService, _orders)
    return registry


async def _metrics(svcs_container: svcs.Container) -> AsyncIterator[MetricsService]:
    service = MetricsService(svcs_container.get(Settings))
    yield service
    await service.close()


async def _database(svcs_container: svcs.Container) -> AsyncIterator[DatabaseService]:
    service = await DatabaseService.connect(svcs_container.get(Settings))
    yield service
    await service.close()


async def _cache(svcs_container: svcs.Container) -> AsyncIterator[CacheManager]:
    service = CacheManager(svcs_container.get(Settings), await svcs_container.aget(MetricsService))
    yield service
    await service.close()


async def _idempotency(svcs_container: svcs.Container) -> IdempotencyManager:
    return IdempotencyManager(await svcs_container.aget(CacheManager), svcs_container.get(Settings))


async def _orders(svcs_container: svcs.Container) -> OrderService:
    database = await svcs_container.aget(DatabaseService)
    idempotency = await svcs_container.aget(IdempotencyManager)
    metrics = await svcs_container.aget(MetricsService)
    return OrderService(database, idempotency, metrics, svcs_container.get(Settings))
