"""Market data: from the stream where it flows, else asked for and cached; marked when it is old."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from kraken.book import Levels, OrderBook
from kraken.bugs import Bug
from kraken.cache import Cache, Entry
from kraken.candles import Candle, check_series, joined
from kraken.errors import DataError
from kraken.models import text
from kraken.risk import Quote

if TYPE_CHECKING:
    from kraken.api import KrakenApi
    from kraken.pairs import Pair, Pairs
    from kraken.settings import Settings

DEPTH: Final = 25


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown to callers, where it came from, how old it is, and whether it is too old to act on."""

    value: Any
    source: str
    age_seconds: float
    stale: bool

    def document(self, name: str) -> dict[str, Any]:
        return {name: self.value, "source": self.source, "age_seconds": self.age_seconds, "stale": self.stale}


def _prices(bid: object, ask: object, last: object) -> Quote:
    quote = Quote(Decimal(str(bid)), Decimal(str(ask)), Decimal(str(last)))
    if min(quote.bid, quote.ask, quote.last) <= 0 or quote.bid >= quote.ask:
        raise DataError(f"no prices: {bid} bid, {ask} asked, {last} last")
    return quote


class MarketData:
    """Fed by the public stream; asks the REST API for what the stream does not have."""

    def __init__(self, api: KrakenApi, pairs: Pairs, settings: Settings) -> None:
        self._api = api
        self._pairs = pairs
        self._bug = settings.kraken_bug
        fresh, stale = settings.cache_seconds, settings.max_stale_seconds
        self._tickers: Cache[Quote] = Cache(fresh, stale)
        self._depths: Cache[tuple[Levels, Levels]] = Cache(fresh, stale)
        self._histories: Cache[list[Candle]] = Cache(settings.history_cache_seconds, stale)
        self.streamed: dict[str, Quote] = {}
        self.books: dict[str, OrderBook] = {}

    async def quote(self, pair: Pair) -> Quote:
        """Prices to act on, marked if they are old. Raises ApiError, DataError."""
        if (streamed := self.streamed.get(pair.name)) is not None:
            return streamed
        entry = await self._tickers.get(pair.name, lambda: self._ticker(pair))
        fresh = not entry.stale or self._bug is Bug.STALE_AS_FRESH
        return Quote(entry.value.bid, entry.value.ask, entry.value.last, is_fresh=fresh)

    async def ticker(self, name: str) -> Shown:
        pair = await self._pairs.get(name)
        if (streamed := self.streamed.get(pair.name)) is not None:
            return Shown(_shown_quote(streamed), "stream", 0.0, stale=False)
        entry = await self._tickers.get(pair.name, lambda: self._ticker(pair))
        return self._show(_shown_quote(entry.value), entry, self._tickers.age(entry))

    async def depth(self, name: str, count: int) -> Shown:
        pair = await self._pairs.get(name)
        if (book := self.books.get(pair.name)) is not None:
            return Shown(_shown_levels(book.asks, book.bids, count), "stream", 0.0, stale=False)
        entry = await self._depths.get(pair.name, lambda: self._depth(pair))
        return self._show(_shown_levels(*entry.value, count), entry, self._depths.age(entry))

    async def levels(self, pair: Pair, side: str) -> Levels:
        """What an order of that side meets, the best first."""
        if (book := self.books.get(pair.name)) is not None:
            return book.asks if side == "buy" else book.bids
        asks, bids = (await self._depths.get(pair.name, lambda: self._depth(pair))).value
        return asks if side == "buy" else bids

    async def history(self, name: str, minutes: int, *, refresh: bool = False) -> Shown:
        """Candles, the last one not committed. Only what is not known yet is asked for."""
        pair = await self._pairs.get(name)
        entry = await self.candles(pair, minutes, refresh=refresh)
        return self._show([candle.document() for candle in entry.value], entry, self._histories.age(entry))

    async def candles(self, pair: Pair, minutes: int, *, refresh: bool = False) -> Entry[list[Candle]]:
        key = (pair.name, minutes)
        return await self._histories.get(key, lambda: self._history(pair, minutes), refresh=refresh)

    async def trades(self, name: str, count: int) -> list[dict[str, Any]]:
        """The latest trades of everybody."""
        pair = await self._pairs.get(name)
        result = await self._api.public("Trades", pair=pair.name, count=count)
        return [
            {"price": entry[0], "volume": entry[1], "at": entry[2], "side": "buy" if entry[3] == "b" else "sell"}
            for entry in result[_key(result)]
        ]

    def stream_ticker(self, pair: Pair, data: dict[str, Any]) -> Quote | None:
        """Prices from the stream; None when they cannot be acted on (a side of the book is empty)."""
        try:
            quote = _prices(data["bid"], data["ask"], data["last"])
        except DataError:
            self.streamed.pop(pair.name, None)
            return None
        self.streamed[pair.name] = quote
        return quote

    def stream_book(self, pair: Pair, data: dict[str, Any], *, snapshot: bool) -> None:
        """Raises DataError when the book is wrong; it is not used then."""
        book = self.books.pop(pair.name, None)
        if snapshot:
            book = OrderBook(pair, DEPTH)
            book.replace(data)
        elif book is None:
            return
        else:
            book.update(data)
        self.books[pair.name] = book

    def stream_lost(self) -> None:
        """What the stream said holds no longer; it is kept as the last that is known."""
        for name, quote in self.streamed.items():
            self._tickers.put(name, quote)
        self.streamed.clear()
        self.books.clear()

    def _show(self, value: Any, entry: Entry[Any], age: float) -> Shown:
        stale = entry.stale and self._bug is not Bug.STALE_AS_FRESH
        return Shown(value, "cache" if entry.cached else "api", age, stale)

    async def _ticker(self, pair: Pair) -> Quote:
        result = await self._api.public("Ticker", pair=pair.name)
        entry = result[_key(result)]
        return _prices(entry["b"][0], entry["a"][0], entry["c"][0])

    async def _depth(self, pair: Pair) -> tuple[Levels, Levels]:
        result = await self._api.public("Depth", pair=pair.name, count=100)
        sides = result[_key(result)]
        asks, bids = ([(Decimal(p), Decimal(v)) for p, v, _ in sides[which]] for which in ("asks", "bids"))
        if asks != sorted(asks) or bids != sorted(bids, reverse=True) or (asks and bids and bids[0][0] >= asks[0][0]):
            raise DataError(f"the depth of {pair.name} is not in order")
        return asks, bids

    async def _history(self, pair: Pair, minutes: int) -> list[Candle]:
        known = self._histories.peek((pair.name, minutes)) or []
        since = known[-2].at if len(known) > 1 else None  # the last one was not committed
        result = await self._api.public("OHLC", pair=pair.name, interval=minutes, since=since)
        candles = joined(known, [Candle.parse(entry) for entry in result[_key(result)]])
        check_series(candles, minutes)
        return candles


def _key(result: dict[str, Any]) -> str:
    """The pair's name in an answer, which is not always the one that was asked with."""
    return next(name for name in result if name != "last")


def _shown_quote(quote: Quote) -> dict[str, Any]:
    return {"bid": text(quote.bid), "ask": text(quote.ask), "last": text(quote.last)}


def _shown_levels(asks: Levels, bids: Levels, count: int) -> dict[str, Any]:
    sides = {"asks": asks, "bids": bids}
    return {name: [[text(price), text(volume)] for price, volume in side[:count]] for name, side in sides.items()}
