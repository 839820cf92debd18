"""The circuit breaker: what fails again and again is left alone for a while.

Written here because the known libraries' asyncio support is bound to Tornado (pybreaker) or no longer maintained.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class State(StrEnum):
    """Whether calls are let through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitOpenError(Exception):
    """The call was not made."""


class CircuitBreaker:
    """Opens after `failures` in a row; `reset_seconds` later one call is let through.

    That one closes it, or opens it for as long again.
    """

    def __init__(self, failures: int, reset_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        if failures < 1 or reset_seconds <= 0:
            message = f"failures is {failures} and reset_seconds {reset_seconds:g}, expected at least 1 and more than 0"
            raise ValueError(message)
        self._threshold, self._reset_seconds, self._clock = failures, reset_seconds, clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self.openings = 0
        """How often it has opened."""

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return State.CLOSED
        return State.HALF_OPEN if self._probing or not self.seconds_to_wait else State.OPEN

    @property
    def seconds_to_wait(self) -> float:
        """Until the next call is let through."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._reset_seconds - self._clock())

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """A call; an exception in it is a failure, a cancellation is not. Raises CircuitOpenError in its place."""
        if self._opened_at is not None:
            if self._probing or self.seconds_to_wait:
                raise CircuitOpenError(f"open for another {self.seconds_to_wait:.1f} s")
            self._probing = True
        try:
            yield
        except Exception:
            self._failed()
            raise
        else:
            self._failures, self._opened_at = 0, None
        finally:
            self._probing = False

    def _failed(self) -> None:
        self._failures += 1
        if self._opened_at is not None or self._failures >= self._threshold:
            self._opened_at = self._clock()
            self.openings += 1
