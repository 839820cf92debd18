"""An order book that is kept up to date by the stream, and checked against its checksum."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from kraken.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kraken.pairs import Pair

Levels = list[tuple[Decimal, Decimal]]
CHECKED: Final = 10
"""Price levels of each side that the checksum covers, whatever the depth."""


def checksum(asks: Levels, bids: Levels, pair: Pair) -> int:
    """CRC32 as the guide "Book checksum (WebSocket v2)" defines it; levels are sorted, the best first."""
    price_unit, lot_unit = Decimal(1).scaleb(-pair.price_decimals), Decimal(1).scaleb(-pair.lot_decimals)
    digits = [
        f"{number:f}".replace(".", "").lstrip("0")
        for price, volume in (*asks[:CHECKED], *bids[:CHECKED])
        for number in (price.quantize(price_unit), volume.quantize(lot_unit))
    ]
    return zlib.crc32("".join(digits).encode())


class OrderBook:
    """`depth` price levels of each side."""

    def __init__(self, pair: Pair, depth: int) -> None:
        self._pair = pair
        self._depth = depth
        self._sides: dict[str, dict[Decimal, Decimal]] = {"asks": {}, "bids": {}}

    @property
    def asks(self) -> Levels:
        return sorted(self._sides["asks"].items())

    @property
    def bids(self) -> Levels:
        return sorted(self._sides["bids"].items(), reverse=True)

    def replace(self, data: dict[str, Any]) -> None:
        """A snapshot. Raises DataError when it is not what its checksum says."""
        for side in self._sides.values():
            side.clear()
        self.update(data)

    def update(self, data: dict[str, Any]) -> None:
        """Changed levels; a quantity of 0 removes one. Raises DataError when the book is then not as the exchange's."""
        for which, side in self._sides.items():
            self._apply(side, data.get(which) or ())
        for which, kept in (("asks", self.asks), ("bids", self.bids)):
            self._sides[which] = dict(kept[: self._depth])
        found, expected = checksum(self.asks, self.bids, self._pair), int(data["checksum"])
        if found != expected:
            raise DataError(f"the book of {self._pair.name} has checksum {found}, the exchange's {expected}")
        if self.asks and self.bids and self.bids[0][0] >= self.asks[0][0]:
            raise DataError(f"the book of {self._pair.name} is crossed: {self.bids[0][0]} bid, {self.asks[0][0]} asked")

    @staticmethod
    def _apply(side: dict[Decimal, Decimal], levels: Iterable[dict[str, Any]]) -> None:
        for level in levels:
            price, volume = Decimal(level["price"]), Decimal(level["qty"])
            if volume:
                side[price] = volume
            else:
                side.pop(price, None)
