"""Taking an order: recognise a repetition, or accept it and book it, once."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from tbot.bugs import Bug
from tbot.content_hash import content_hash
from tbot.money import QUANTUM, total
from tbot.orders import Order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from tbot.database import DatabaseService, Placement
    from tbot.idempotency import IdempotencyManager
    from tbot.metrics import MetricsService
    from tbot.orders import OrderRequest
    from tbot.settings import Settings


class Receipt(BaseModel):
    """What became of a request."""

    model_config = ConfigDict(frozen=True)

    order: Order
    duplicate: bool
    """The order had been accepted before; this is it, under the id that it was given then."""
    decided_by: Literal["redis", "postgres"]
    degraded: bool
    """Redis could not be asked or told."""


class OrderService:
    """Raises DatabaseUnavailableError when an order can be neither recognised nor accepted."""

    def __init__(
        self, database: DatabaseService, idempotency: IdempotencyManager, metrics: MetricsService, settings: Settings
    ) -> None:
        self._database, self._idempotency, self._metrics, self._settings = database, idempotency, metrics, settings

    async def place(self, request: OrderRequest) -> Receipt:
        stages = Stages()
        with stages.measure("hash"):
            digest = content_hash(request, self._settings.tbot_bug)
        with stages.measure("find"):
            remembered, reachable = await self._idempotency.find(digest)
        if remembered is not None:
            return self._receipt(remembered, stages, duplicate=True, decided_by="redis")
        order = self._accepted(request, digest)
        if self._settings.tbot_bug is Bug.REDIS_BEFORE_COMMIT:
            window = timedelta(seconds=self._settings.idempotency_window_seconds)
            await self._idempotency.remember(order, order.created_at + window)
        with stages.measure("postgres"):
            placement = await self._database.place(order, self._settings.idempotency_window_seconds)
        with stages.measure("remember"):
            told = await self._remember(placement)
        return self._receipt(
            placement.order,
            stages,
            duplicate=not placement.new,
            decided_by="postgres",
            degraded=not (reachable and told),
        )

    async def _remember(self, placement: Placement) -> bool:
        """Only what is committed: Redis may forget an order that exists, but must not know one that does not."""
        return await self._idempotency.remember(placement.order, placement.expires_at)

    def _accepted(self, request: OrderRequest, digest: str) -> Order:
        return Order(
            **dict(request),
            order_id=uuid4(),
            total=self._total(request),
            content_hash=digest,
            created_at=datetime.now(UTC),
        )

    def _total(self, request: OrderRequest) -> Decimal:
        if self._settings.tbot_bug is Bug.FLOAT_TOTAL:
            return type(request.price)(float(request.quantity) * float(request.price)).quantize(QUANTUM)
        return total(request.quantity, request.price)

    def _receipt(
        self,
        order: Order,
        stages: Stages,
        *,
        duplicate: bool,
        decided_by: Literal["redis", "postgres"],
        degraded: bool = False,
    ) -> Receipt:
        receipt = Receipt(order=order, duplicate=duplicate, decided_by=decided_by, degraded=degraded)
        self._metrics.order(receipt, stages.finish())
        return receipt


class Stages:
    """How long each stage of one order took, in milliseconds."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._milliseconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._milliseconds[f"{stage}_ms"] = (time.perf_counter() - began) * 1000

    def finish(self) -> dict[str, float]:
        return {**self._milliseconds, "total_ms": (time.perf_counter() - self._began) * 1000}
