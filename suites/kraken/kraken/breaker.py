"""Circuit breaker: after repeated failures nothing is asked for a while, then one request finds out."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING

from kraken.errors import CircuitOpenError

if TYPE_CHECKING:
    from collections.abc import Callable


class State(StrEnum):
    """As usual; nothing is sent; one request is on its way to find out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """`failures` in a row open it for `seconds`; a success closes it."""

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = failures
        self._seconds = seconds
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False
        self.times_opened = 0

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return State.CLOSED
        return State.HALF_OPEN if self._clock() - self._opened_at >= self._seconds else State.OPEN

    @property
    def failures(self) -> int:
        return self._failures

    def enter(self, method: str) -> None:
        """Before each request. Raises CircuitOpenError."""
        state = self.state
        if state is State.OPEN or (state is State.HALF_OPEN and self._trying):
            left = self._seconds - (self._clock() - (self._opened_at or 0))
            raise CircuitOpenError(method, max(0.0, left))
        self._trying = state is State.HALF_OPEN

    def succeeded(self) -> None:
        self._failures, self._opened_at, self._trying = 0, None, False

    def failed(self) -> None:
        self._failures += 1
        if self._trying or self._failures >= self._threshold:
            if self._opened_at is None or self._trying:
                self.times_opened += 1
            self._opened_at, self._trying = self._clock(), False

    def abandoned(self) -> None:
        """The request came to no end: another may find out."""
        self._trying = False

    def reset(self) -> None:
        """By hand."""
        self.succeeded()
