"""What the two streams bring: prices and books from the public one, our orders and trades from the private one."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from kraken.errors import DataError
from kraken.market_data import DEPTH
from kraken.reports import Report
from kraken.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kraken.api import KrakenApi
    from kraken.market_data import MarketData
    from kraken.metrics import Metrics
    from kraken.pairs import Pair, Pairs
    from kraken.settings import Settings

Message = dict[str, Any]
CHANNELS: Final = ("ticker", "book")
log = logging.getLogger(__name__)


class MarketFeed:
    """Prices and books of the pairs that are watched. `moved` has the pairs whose price changed since it was read."""

    def __init__(self, data: MarketData, pairs: Pairs, settings: Settings, metrics: Metrics) -> None:
        self._data = data
        self._pairs = pairs
        self._metrics = metrics
        self.watched: dict[str, Pair] = {}
        self.moved: asyncio.Queue[str] = asyncio.Queue()
        self.stream = Stream(
            "market",
            settings.streams[0],
            settings,
            metrics,
            subscribe=self._subscriptions,
            receive=self._receive,
            lost=data.stream_lost,
        )

    async def watch(self, pair: Pair) -> None:
        if pair.name not in self.watched:
            self.watched[pair.name] = pair
            for message in self._messages("subscribe", [pair.symbol]):
                await self.stream.send(message)

    async def _subscriptions(self) -> list[Message]:
        symbols = [pair.symbol for pair in self.watched.values()]
        return self._messages("subscribe", symbols) if symbols else []

    @staticmethod
    def _messages(method: str, symbols: list[str], channels: tuple[str, ...] = CHANNELS) -> list[Message]:
        more: dict[str, Message] = {"ticker": {"event_trigger": "bbo"}, "book": {"depth": DEPTH}}
        return [{"method": method, "params": {"channel": c, "symbol": symbols, **more[c]}} for c in channels]

    async def _receive(self, message: Message) -> None:
        channel = message.get("channel")
        if channel not in CHANNELS:
            return
        for data in message["data"]:
            pair = self._pairs.known(data["symbol"])
            if pair is None:
                continue
            if channel == "ticker":
                if self._data.stream_ticker(pair, data) is not None:
                    self.moved.put_nowait(pair.name)
                continue
            try:
                self._data.stream_book(pair, data, snapshot=message["type"] == "snapshot")
            except DataError as error:
                # The book is dropped, and a new snapshot asked for.
                self._metrics.books.inc()
                log.warning("book dropped", extra={"pair": pair.name, "error": str(error)})
                for method in ("unsubscribe", "subscribe"):
                    for again in self._messages(method, [pair.symbol], ("book",)):
                        await self.stream.send(again)


class ExecutionFeed:
    """`on_report` gets every report about an order; `on_connect` is called when reports may have been missed."""

    def __init__(
        self,
        api: KrakenApi,
        settings: Settings,
        metrics: Metrics,
        *,
        on_report: Callable[[Report], Awaitable[None]],
        on_connect: Callable[[], None],
    ) -> None:
        self._api = api
        self._on_report = on_report
        self.stream = Stream(
            "executions",
            settings.streams[1],
            settings,
            metrics,
            subscribe=self._subscriptions,
            receive=self._receive,
            opened=on_connect,
        )

    async def _subscriptions(self) -> list[Message]:
        token = (await self._api.private("GetWebSocketsToken"))["token"]
        params = {"channel": "executions", "token": token, "snap_orders": True, "snap_trades": False}
        return [{"method": "subscribe", "params": params}]

    async def _receive(self, message: Message) -> None:
        if message.get("channel") != "executions":
            return
        for data in message["data"]:
            if (report := Report.from_stream(data)) is not None:
                await self._on_report(report)
