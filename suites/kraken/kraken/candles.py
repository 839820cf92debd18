"""Candles: parsed, checked, and put together from several answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from kraken.errors import DataError
from kraken.models import text

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Minutes."""
KEPT: Final = 5000
MINUTES_PER_YEAR: Final = 365 * 24 * 60


@dataclass(frozen=True, slots=True)
class Candle:
    """What happened in one interval; `at` is its start in seconds since 1970."""

    at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    count: int

    @classmethod
    def parse(cls, entry: Sequence[Any]) -> Candle:
        """[time, open, high, low, close, vwap, volume, count]. Raises DataError."""
        try:
            at, *numbers, count = entry
            opening, high, low, close, vwap, volume = (Decimal(number) for number in numbers)
            candle = cls(int(at), opening, high, low, close, vwap, volume, int(count))
        except (TypeError, ValueError, InvalidOperation) as error:
            raise DataError(f"no candle: {entry!r}: {error}") from None
        candle.check()
        return candle

    def check(self) -> None:
        """Raises DataError when these prices cannot be."""
        if not 0 < self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise DataError(f"candle {self.at}: {self.low} to {self.high} does not hold {self.open} and {self.close}")
        if self.volume < 0 or self.count < 0:
            raise DataError(f"candle {self.at}: a volume of {self.volume} in {self.count} trades")
        if self.count and not self.low <= self.vwap <= self.high:
            raise DataError(f"candle {self.at}: the average {self.vwap} is not between {self.low} and {self.high}")

    def document(self) -> dict[str, Any]:
        prices = {name: text(getattr(self, name)) for name in ("open", "high", "low", "close", "vwap", "volume")}
        return {"at": self.at, **prices, "count": self.count}


def check_series(candles: Sequence[Candle], minutes: int) -> None:
    """Raises DataError when starts do not rise, or are not on the interval's grid."""
    step = minutes * 60
    for before, after in pairwise(candles):
        if after.at <= before.at:
            raise DataError(f"candle {after.at} comes after {before.at}")
    for candle in candles:
        if candle.at % step:
            raise DataError(f"candle {candle.at} does not begin at a multiple of {minutes} minutes")


def joined(known: Sequence[Candle], new: Sequence[Candle]) -> list[Candle]:
    """The newer answer counts where both have a candle: what was current then may be committed now."""
    candles = {candle.at: candle for candle in (*known, *new)}
    return [candles[at] for at in sorted(candles)][-KEPT:]


def volatility(candles: Sequence[Candle], minutes: int) -> Decimal | None:
    """Annualised standard deviation of the log returns of closes; None without two returns."""
    returns = [math.log(after.close / before.close) for before, after in pairwise(candles)]
    if len(returns) < 2:  # noqa: PLR2004  (a deviation needs two)
        return None
    mean = math.fsum(returns) / len(returns)
    variance = math.fsum((value - mean) ** 2 for value in returns) / (len(returns) - 1)
    return Decimal(math.sqrt(variance * MINUTES_PER_YEAR / minutes)).quantize(Decimal("0.000001"))
