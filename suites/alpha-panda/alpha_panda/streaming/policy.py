"""What a stream processor is given: how patient it is, what it does about events, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from alpha_panda.events.envelope import EventEnvelope


@dataclass(frozen=True, slots=True)
class Policy:
    """Retries of one event, and of what all events need."""

    attempts: int = 4
    """For an event whose handling fails for a reason that may pass; then it is a dead letter."""
    first_delay_seconds: float = 0.05
    longest_delay_seconds: float = 2.0
    """Delays are drawn at random below a limit that doubles, up to this one."""
    breaker_failures: int = 3
    """Batches in a row that fail as a whole before nothing is tried for a while."""
    breaker_reset_seconds: float = 1.0


class Handler(Protocol):
    """What is done about the events of a batch."""

    async def begin(self, events: Sequence[EventEnvelope]) -> Collection[UUID]:
        """Get ready for these events; the ids of those that were applied earlier, which are then skipped."""

    async def handle(self, event: EventEnvelope) -> Sequence[EventEnvelope]:
        """What follows from an event. Raises TransientError, PoisonError or BusinessError, and has no effect then."""

    async def complete(self) -> None:
        """Make the effects of all handled events durable, together with the fact that they were applied."""


class Watcher:
    """Told about everything that happens; this one keeps nothing."""

    def handled(self, topic: str, outcome: str) -> None:
        """One record: processed, duplicate, or the class of the error that made it a dead letter."""

    def published(self, events: Sequence[EventEnvelope]) -> None:
        """Events are acknowledged."""

    def finished(self, records: Sequence[Any], now: float) -> None:
        """These records will not be read again."""

    def failed(self, error: BaseException) -> None:
        """A batch failed as a whole."""

    def circuit(self, open: bool) -> None:  # noqa: A002, FBT001 - the word for it
        """The circuit breaker is open, or is not."""
