"""Stop-loss and take-profit: watches prices, and leaves a position when one of them is reached."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kraken.bugs import Bug
from kraken.errors import ApiError
from kraken.models import Status
from kraken.retry import backoff

if TYPE_CHECKING:
    import uuid
    from decimal import Decimal

    from kraken.executor import TradeExecutor
    from kraken.feeds import MarketFeed
    from kraken.journal import Journal
    from kraken.market_data import MarketData
    from kraken.metrics import Metrics
    from kraken.models import Order
    from kraken.pairs import Pairs
    from kraken.settings import Settings

PERSISTENT: Final = 5
"""From so many failures in a row on, a person should know."""
UNDONE: Final = (Status.REJECTED, Status.NOT_PLACED, Status.CANCELED, Status.EXPIRED)
log = logging.getLogger(__name__)


@dataclass
class Failing:
    """A position that has to be left, and could not be until now."""

    pair: str
    times: int = 0
    again_at: float = 0.0
    """By the monotonic clock."""


def reached(order: Order, last: Decimal) -> str | None:
    """Which of an order's exits the last price has reached; the stop-loss counts first."""
    long = order.side == "buy"
    if order.stop_loss is not None and (last <= order.stop_loss if long else last >= order.stop_loss):
        return "stop_loss"
    if order.take_profit is not None and (last >= order.take_profit if long else last <= order.take_profit):
        return "take_profit"
    return None


class Exits:
    """Woken by the stream; asks for prices itself while there is none."""

    def __init__(
        self,
        *,
        journal: Journal,
        executor: TradeExecutor,
        data: MarketData,
        feed: MarketFeed,
        pairs: Pairs,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._journal = journal
        self._executor = executor
        self._data = data
        self._feed = feed
        self._pairs = pairs
        self._settings = settings
        self._metrics = metrics
        self._failing: dict[uuid.UUID, Failing] = {}

    @property
    def failing(self) -> dict[str, int]:
        """Pairs with positions that could not be left yet, and how often that was tried."""
        found: dict[str, int] = {}
        for one in self._failing.values():
            found[one.pair] = max(one.times, found.get(one.pair, 0))
        return found

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                for pair in await self._next():
                    await self._try(pair)
            except Exception:
                self._metrics.errors.labels("exits").inc()
                log.exception("prices are not watched, tried again")
                await asyncio.sleep(self._settings.backoff_base_seconds)

    async def _try(self, pair: str) -> None:
        try:
            await self.check(pair)
        except Exception as error:  # noqa: BLE001  (whatever it is, other pairs have to be left all the same)
            self._metrics.errors.labels("exits").inc()
            log.warning("exit failed, tried again", extra={"pair": pair, "error": f"{type(error).__name__}: {error}"})

    async def check(self, name: str) -> None:
        """Leave what has to be left of one pair. Raises ApiError, DataError."""
        guarded = await self._journal.guarded(name)
        self._forget(name, {order.id for order in guarded})
        if not guarded:
            return
        quote = await self._data.quote(await self._pairs.get(name))
        if not quote.is_fresh:
            return
        for order in guarded:
            reason = reached(order, quote.last)
            if reason == "take_profit" and self._settings.kraken_bug is Bug.NO_TAKE_PROFIT:
                continue
            if reason is None:
                self._failing.pop(order.id, None)
            elif self._is_due(order):
                await self._leave(order, reason)

    async def _leave(self, order: Order, reason: str) -> None:
        try:
            left = await self._executor.exit(order, reason)
        except ApiError as error:
            self._failed(order, str(error))
            return
        if left.status in UNDONE and not left.executed:
            self._failed(order, left.reason or left.status)

    def _failed(self, order: Order, why: str) -> None:
        """Tried again for as long as it takes, ever more slowly."""
        one = self._failing.setdefault(order.id, Failing(order.pair))
        one.times += 1
        pause = backoff(min(one.times, 30), self._settings.backoff_base_seconds, self._settings.backoff_max_seconds)
        one.again_at = time.monotonic() + pause
        self._metrics.errors.labels("exits").inc()
        self._metrics.failing_exits.set(len(self._failing))
        level = logging.WARNING if one.times < PERSISTENT else logging.ERROR
        log.log(level, "position not left", extra={"order": str(order.id), "pair": order.pair, "error": why})

    def _is_due(self, order: Order) -> bool:
        return order.id not in self._failing or self._failing[order.id].again_at <= time.monotonic()

    def _forget(self, pair: str, guarded: set[uuid.UUID]) -> None:
        """What needs no exit any more."""
        for order_id in [key for key, one in self._failing.items() if one.pair == pair and key not in guarded]:
            del self._failing[order_id]
        self._metrics.failing_exits.set(len(self._failing))

    async def _next(self) -> set[str]:
        """Pairs whose price moved or whose exit is due; after a while without, all that have something to guard."""
        soon = min((one.again_at - time.monotonic() for one in self._failing.values()), default=float("inf"))
        try:
            async with asyncio.timeout(
                max(self._settings.backoff_base_seconds, min(soon, self._settings.cache_seconds or 1))
            ):
                found = {await self._feed.moved.get()}
        except TimeoutError:
            return {order.pair for order in await self._journal.guarded()}
        while not self._feed.moved.empty():
            found.add(self._feed.moved.get_nowait())
        return found | {one.pair for one in self._failing.values() if one.again_at <= time.monotonic()}
