"""One market: what others offer at which price, and the customers' orders that rest among it."""

from __future__ import annotations

import time
import zlib
from collections import deque
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from kraken_sandbox.orders import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken_sandbox.instrument import Instrument
    from kraken_sandbox.orders import Order, Side

Levels = dict[Decimal, Decimal]
LADDER: Final = 25
LADDER_STEP: Final = Decimal("0.0005")
"""Distance of two price levels, of the price."""
CHECKSUM_LEVELS: Final = 10


class Market:
    """`asks` and `bids` hold what others offer, price -> volume; `resting` are orders of customers."""

    def __init__(self, instrument: Instrument, price: Decimal, depth: Decimal) -> None:
        self.instrument = instrument
        self.anchor = self.last = self.high = self.low = instrument.price(price)
        self.depth = depth
        self.asks: Levels = {}
        self.bids: Levels = {}
        self.resting: list[Order] = []
        self.volume = ZERO
        self.turnover = ZERO
        self.prints: deque[dict[str, Any]] = deque(maxlen=1000)
        self._numbers = count(1)
        self.quote_around(self.last)
        self.record(self.last, instrument.lot(depth), "buy", "limit")

    def quote_around(self, price: Decimal) -> None:
        """Others offer `depth` at each of 25 prices on both sides of this one."""
        steps = [self.instrument.price(price * LADDER_STEP * number) for number in range(1, LADDER + 1)]
        steps = [max(step, self.instrument.tick * number) for number, step in enumerate(steps, start=1)]
        self.asks = {self.instrument.price(price + step): self.depth for step in steps}
        self.bids = {self.instrument.price(price - step): self.depth for step in steps if price > step}

    def opposite(self, side: Side) -> Levels:
        """What an order of that side trades with."""
        return self.asks if side == "buy" else self.bids

    def reachable(self, side: Side, limit: Decimal | None) -> list[Decimal]:
        """Prices of others that an order may trade at, the best first."""
        levels = self.opposite(side)
        fits = [price for price in levels if limit is None or (price <= limit if side == "buy" else price >= limit)]
        return sorted(fits, reverse=side == "sell")

    def take(self, side: Side, price: Decimal, volume: Decimal) -> Decimal:
        """Remove up to that volume from a level of others; how much there was."""
        levels = self.opposite(side)
        taken = min(volume, levels[price])
        levels[price] -= taken
        if not levels[price]:
            del levels[price]
        return taken

    def best(self, side: Side) -> Decimal | None:
        """The best price that an order of that side meets, customers' orders included."""
        prices = [price for price, _ in self.book("asks" if side == "buy" else "bids")]
        return prices[0] if prices else None

    def book(self, which: str) -> list[tuple[Decimal, Decimal]]:
        """Price levels with their volumes, the best first."""
        levels = dict(self.asks if which == "asks" else self.bids)
        for order in self.resting:
            if order.kind == "limit" and order.price is not None and (order.side == "sell") == (which == "asks"):
                levels[order.price] = levels.get(order.price, ZERO) + order.remaining
        return sorted(levels.items(), reverse=which == "bids")

    def record(self, price: Decimal, volume: Decimal, side: Side, kind: str, at: float | None = None) -> dict[str, Any]:
        """A trade that everybody sees."""
        self.last, self.high, self.low = price, max(self.high, price), min(self.low, price)
        self.volume += volume
        self.turnover += price * volume
        printed = {
            "price": price,
            "volume": volume,
            "side": side,
            "kind": kind,
            "at": at or time.time(),
            "id": next(self._numbers),
        }
        self.prints.append(printed)
        return printed

    @property
    def vwap(self) -> Decimal:
        return self.instrument.price(self.turnover / self.volume) if self.volume else self.last

    def ticker(self) -> dict[str, Any]:
        """As the REST API shows it."""
        ask, bid = (self._side_of_ticker(which) for which in ("asks", "bids"))
        latest = self.prints[-1]
        return {
            "a": ask,
            "b": bid,
            "c": [f"{self.last:f}", f"{latest['volume']:f}"],
            "v": [f"{self.volume:f}"] * 2,
            "p": [f"{self.vwap:f}"] * 2,
            "t": [len(self.prints)] * 2,
            "l": [f"{self.low:f}"] * 2,
            "h": [f"{self.high:f}"] * 2,
            "o": f"{self.anchor:f}",
        }

    def _side_of_ticker(self, which: str) -> list[str]:
        price, volume = next(iter(self.book(which)), (self.last, ZERO))
        return [f"{price:f}", f"{int(volume)}", f"{volume:.3f}"]

    def checksum(self) -> int:
        """CRC32 over the ten best asks and bids, as the exchange's guide "Book checksum (v2)" defines it."""
        return zlib.crc32("".join(map(self._digits, ("asks", "bids"))).encode())

    def _digits(self, which: str) -> str:
        levels: Iterable[tuple[Decimal, Decimal]] = self.book(which)[:CHECKSUM_LEVELS]
        numbers = (number for price, volume in levels for number in (price, self.instrument.lot(volume)))
        return "".join(f"{number:f}".replace(".", "").lstrip("0") for number in numbers)
