"""Counters that requests raise and time lowers, as the exchange's rate-limit guides describe them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Tier:
    """Limits of a verification tier: REST calls of a key, transactions of a pair, open orders of a pair."""

    rest_max: float
    rest_decay: float
    engine_max: float
    engine_decay: float
    open_orders: int


TIERS: Final = {
    "starter": Tier(15, 0.33, 60, 1, 60),
    "intermediate": Tier(20, 0.5, 125, 2.34, 80),
    "pro": Tier(20, 1, 180, 3.75, 225),
}
CANCEL_COSTS: Final = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
"""Seconds that an order has rested at most -> what its cancellation adds to the pair's counter."""


def cancel_cost(rested_seconds: float) -> int:
    return next((cost for seconds, cost in CANCEL_COSTS if rested_seconds < seconds), 0)


@dataclass
class Counter:
    """Starts at 0 and decays by `decay` a second."""

    maximum: float
    decay: float
    clock: Callable[[], float] = time.monotonic
    _value: float = field(default=0, init=False)
    _at: float = field(default=0, init=False)

    @property
    def value(self) -> float:
        now = self.clock()
        self._value = max(0.0, self._value - self.decay * (now - self._at))
        self._at = now
        return self._value

    def set(self, value: float) -> None:
        self._value, self._at = value, self.clock()

    def add(self, cost: float) -> bool:
        """Count a request; whether the counter is still within its maximum. It counts all the same when it is not."""
        self.set(self.value + cost)
        return self._value <= self.maximum
