"""A cache that knows how old its entries are, and can still show them when nothing newer can be had."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from kraken.errors import CircuitOpenError, RateLimitedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Entry(Generic[V]):
    """A value, when it was fetched (monotonic seconds), whether just now, and whether it is older than it should be."""

    value: V
    at: float
    cached: bool = False
    stale: bool = False


class Cache(Generic[V]):
    """`fresh_seconds` without asking; up to `stale_seconds` while asking fails."""

    def __init__(self, fresh_seconds: float, stale_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh = fresh_seconds
        self._stale = stale_seconds
        self._clock = clock
        self._entries: dict[Hashable, Entry[V]] = {}
        self._locks: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    def peek(self, key: Hashable) -> V | None:
        entry = self._entries.get(key)
        return entry.value if entry else None

    def put(self, key: Hashable, value: V) -> Entry[V]:
        self._entries[key] = entry = Entry(value, self._clock())
        return entry

    def age(self, entry: Entry[V]) -> float:
        return self._clock() - entry.at

    async def get(self, key: Hashable, fetch: Callable[[], Awaitable[V]], *, refresh: bool = False) -> Entry[V]:
        """Concurrent callers share one fetch. Raises ApiError when there is nothing that may be shown."""
        async with self._locks[key]:
            entry = self._entries.get(key)
            if entry is not None and not refresh and self.age(entry) < self._fresh:
                return replace(entry, cached=True)
            try:
                return self.put(key, await fetch())
            except (UnavailableError, RateLimitedError, CircuitOpenError):
                if entry is None or self.age(entry) >= self._stale:
                    raise
                return replace(entry, cached=True, stale=True)
