"""A past for every market: a price path that follows from the pair's name, so that it is the same at each request."""

from __future__ import annotations

import hashlib
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kraken_sandbox.instrument import Instrument

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
ENTRIES: Final = 720
"""No answer has more, and older ones cannot be had."""
Candle = list[Any]


def _chance(*parts: object) -> float:
    """In [0, 1), always the same for the same arguments."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


def _price_at(instrument: Instrument, anchor: Decimal, at: int) -> Decimal:
    wave = 0.02 * math.sin(at / 86_400) + 0.004 * (_chance(instrument.name, at) - 0.5)
    return instrument.price(anchor * Decimal(1 + wave))


def candles(instrument: Instrument, anchor: Decimal, last: Decimal, minutes: int, now: float) -> list[Candle]:
    """Up to 720 entries [time, open, high, low, close, vwap, volume, count]; the last one is not committed yet."""
    step = minutes * 60
    current = int(now) // step * step
    found: list[Candle] = []
    for at in range(current - (ENTRIES - 1) * step, current + step, step):
        opening = _price_at(instrument, anchor, at)
        closing = last if at == current else _price_at(instrument, anchor, at + step)
        wick = anchor * Decimal("0.001") * Decimal(_chance(instrument.name, at, "wick"))
        high, low = instrument.price(max(opening, closing) + wick), instrument.price(min(opening, closing) - wick)
        volume = instrument.lot(Decimal(1 + 9 * _chance(instrument.name, at, "volume")))
        vwap = instrument.price((high + low + closing) / 3)
        prices = [f"{value:f}" for value in (opening, high, low, closing, vwap, volume)]
        found.append([at, *prices, 1 + int(50 * _chance(instrument.name, at, "count"))])
    return found
