"""Keeps below the exchange's call counter: a copy of it that requests wait for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class RateLimiter:
    """A counter that calls raise and time lowers; a call that would exceed the maximum waits until it does not."""

    def __init__(
        self,
        maximum: float,
        decay: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.maximum = maximum
        self.decay = decay
        self._clock = clock
        self._sleep = sleep
        self._counter = 0.0
        self._at = clock()
        self._turn = asyncio.Lock()

    @property
    def counter(self) -> float:
        now = self._clock()
        self._counter = max(0.0, self._counter - self.decay * (now - self._at))
        self._at = now
        return self._counter

    async def acquire(self, cost: float) -> float:
        """Wait for room and take it, in the order of arrival; the seconds that were waited."""
        waited = 0.0
        async with self._turn:
            while (excess := self.counter + cost - self.maximum) > 0:
                await self._sleep(excess / self.decay)
                waited += excess / self.decay
            self._counter += cost
        return waited

    def saturate(self) -> None:
        """The exchange says that the limit is reached: others use the same key, or its clock differs."""
        self._counter = max(self.counter, self.maximum)
