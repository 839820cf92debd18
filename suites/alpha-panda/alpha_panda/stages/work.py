"""What the services' handlers have in common: the states of a batch, read before it and written after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from alpha_panda.events.data import Payload
from alpha_panda.streaming.errors import PoisonError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from alpha_panda.configuration import ConfigurationSource
    from alpha_panda.events.envelope import Broker, EventEnvelope
    from alpha_panda.store import StateStore, UnitOfWork

P = TypeVar("P", bound=Payload)


class StageHandler(ABC):
    """A service's handler. What it does about an event follows from the event, the states and the configuration."""

    service: str

    def __init__(self, broker: Broker, store: StateStore, source: ConfigurationSource) -> None:
        self.broker = broker
        self._store, self._source = store, source
        self._work: UnitOfWork | None = None
        self.configuration = source.current
        """Of the batch in hand: the states that were read follow from it, so it stays what it was."""

    @property
    def work(self) -> UnitOfWork:
        if self._work is None:
            message = "begin comes first"
            raise RuntimeError(message)
        return self._work

    async def begin(self, events: Sequence[EventEnvelope]) -> Collection[UUID]:
        await self.close()  # of a batch that failed
        self.configuration = self._source.current
        keys = {key for event in events for key in self.state_keys(event)}
        self._work = await self._store.begin([event.id for event in events], keys)
        return self._work.applied

    async def handle(self, event: EventEnvelope) -> Sequence[EventEnvelope]:
        try:
            outputs = list(self.apply(event))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise PoisonError(f"{event.type}: data.{where}: {first['msg']}") from None
        self.work.mark(event.id)
        return outputs

    async def complete(self) -> None:
        work, self._work = self.work, None
        await work.commit()

    async def close(self) -> None:
        """Give back what the batch in hand holds; its effects are dropped."""
        work, self._work = self._work, None
        if work is not None:
            await work.close()

    def stored(self, key: str) -> bytes | None:
        return self.work.get(key)

    def keep(self, key: str, value: bytes) -> None:
        self.work.put(key, value)

    @abstractmethod
    def state_keys(self, event: EventEnvelope) -> Iterable[str]:
        """Of the states that an event may read or write. An event that makes no sense has none."""

    @abstractmethod
    def apply(self, event: EventEnvelope) -> Iterable[EventEnvelope]:
        """What follows from an event. Raises as Handler.handle does, before it changes a state."""


def payload_or_none(event: EventEnvelope, model: type[P]) -> P | None:
    try:
        return event.payload(model)
    except ValidationError:
        return None
