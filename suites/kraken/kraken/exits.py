"""Stop-loss and take-profit: watches prices, and leaves a position when one of them is reached."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from kraken.bugs import Bug
from kraken.errors import ApiError, DataError

if TYPE_CHECKING:
    from decimal import Decimal

    from kraken.executor import TradeExecutor
    from kraken.feeds import MarketFeed
    from kraken.journal import Journal
    from kraken.market_data import MarketData
    from kraken.metrics import Metrics
    from kraken.models import Order
    from kraken.pairs import Pairs
    from kraken.settings import Settings

log = logging.getLogger(__name__)


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

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for pair in await self._next():
                try:
                    await self.check(pair)
                except (ApiError, DataError) as error:
                    self._metrics.errors.labels("exits").inc()
                    log.warning("exit failed, tried again", extra={"pair": pair, "error": str(error)})

    async def check(self, name: str) -> None:
        """Leave what has to be left of one pair. Raises ApiError, DataError."""
        guarded = await self._journal.guarded(name)
        if not guarded:
            return
        quote = await self._data.quote(await self._pairs.get(name))
        if not quote.is_fresh:
            return
        for order in guarded:
            reason = reached(order, quote.last)
            if reason == "take_profit" and self._settings.kraken_bug is Bug.NO_TAKE_PROFIT:
                continue
            if reason is not None:
                await self._executor.exit(order, reason)

    async def _next(self) -> set[str]:
        """Pairs whose price moved; after a while without one, all that have something to guard."""
        try:
            async with asyncio.timeout(self._settings.cache_seconds or 1):
                found = {await self._feed.moved.get()}
        except TimeoutError:
            return {order.pair for order in await self._journal.guarded()}
        while not self._feed.moved.empty():
            found.add(self._feed.moved.get_nowait())
        return found
