"""What the services know, in Redis: the state of a key, and which events made it what it is.

Both are written in one transaction, so an event is either applied and known as applied, or neither. States are read
anew for every batch and guarded by WATCH: a member of the group that has lost its partitions without noticing cannot
overwrite what its successor wrote. Every key begins with the broker's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from alpha_panda.events.envelope import Broker
from alpha_panda.mutations import Bug, active

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from redis.asyncio.client import Pipeline

CLIENT: Final = "alpha-panda"
REMEMBER_SECONDS: Final = 24 * 3600
"""An event that comes again later than this is applied again: far longer than a crash can make a producer repeat."""


def connect(url: str) -> Redis:
    """A client that gives up quickly: the stream processor tries again, and its circuit breaker decides when."""
    retry = Retry(NoBackoff(), 0)
    return Redis.from_url(url, client_name=CLIENT, socket_timeout=5, socket_connect_timeout=2, retry=retry)


class StateStore:
    """The states of one service for one broker."""

    def __init__(self, redis: Redis, broker: Broker, service: str, namespace: str = "") -> None:
        self._redis = redis
        owner = Broker.PAPER if active(Bug.MIXED_BROKERS) else broker
        root = f"{namespace}:{owner}" if namespace else str(owner)
        self._state, self._seen = f"{root}:{service}:", f"{root}:seen:{service}:"

    async def begin(self, events: Sequence[UUID], keys: Collection[str]) -> UnitOfWork:
        """Read the states of these keys and which events were applied. Raises redis.exceptions.RedisError."""
        pipeline = self._redis.pipeline(transaction=True)
        work = UnitOfWork(pipeline, self._state, self._seen)
        try:
            await work.read(events, keys)
        except BaseException:
            await work.close()
            raise
        return work


class UnitOfWork:
    """The states that one batch reads and writes: all of it is written, or nothing."""

    def __init__(self, pipeline: Pipeline, state: str, seen: str) -> None:
        self._pipeline, self._state, self._seen = pipeline, state, seen
        self._values: dict[str, bytes | None] = {}
        self._changed: dict[str, bytes] = {}
        self._applied_now: list[UUID] = []
        self.applied: frozenset[UUID] = frozenset()
        """Events that were applied before."""

    async def read(self, events: Sequence[UUID], keys: Collection[str]) -> None:
        ordered = sorted(set(keys))
        states = [f"{self._state}{key}" for key in ordered]
        marks = [f"{self._seen}{event}" for event in events]
        if not marks and not states:
            return
        if states:
            await self._pipeline.watch(*states)
        found = await self._pipeline.mget([*states, *marks]) if states else await self._unwatched(marks)
        states_found = zip(ordered, found[: len(states)], strict=True)
        self._values = {key: value if isinstance(value, bytes) else None for key, value in states_found}
        known = zip(events, found[len(states) :], strict=True)
        self.applied = frozenset(event for event, mark in known if mark is not None)

    def get(self, key: str) -> bytes | None:
        """The state of a key, None if it has none. Raises KeyError for one that this batch has not read."""
        self._insist(key)
        return self._changed.get(key, self._values[key])

    def put(self, key: str, value: bytes) -> None:
        """Raises KeyError for a key that this batch has not read: nobody watches it."""
        self._insist(key)
        self._changed[key] = value

    def mark(self, event: UUID) -> None:
        self._applied_now.append(event)

    async def commit(self) -> None:
        """Raises redis.exceptions.WatchError when another member has written one of the states since."""
        try:
            self._pipeline.multi()  # type: ignore[no-untyped-call]
            if self._changed:
                self._pipeline.mset({f"{self._state}{key}": value for key, value in self._changed.items()})
            for event in self._applied_now:
                self._pipeline.set(f"{self._seen}{event}", b"", ex=REMEMBER_SECONDS)
            await self._pipeline.execute()
        finally:
            await self.close()

    async def close(self) -> None:
        await self._pipeline.reset()  # type: ignore[no-untyped-call]

    def _insist(self, key: str) -> None:
        if key not in self._values:
            message = f"the state {self._state}{key} was not read with this batch; read were: {sorted(self._values)}"
            raise KeyError(message)

    async def _unwatched(self, marks: list[str]) -> list[Any]:
        await self._pipeline.watch(marks[0])  # puts the pipeline into the mode in which commands answer at once
        return await self._pipeline.mget(marks)
