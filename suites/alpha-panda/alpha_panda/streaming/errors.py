"""What can go wrong with an event, and what is done about each kind."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError
from asyncpg.exceptions import InterfaceError, PostgresConnectionError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.exceptions import WatchError

if TYPE_CHECKING:
    from alpha_panda.events.envelope import EventEnvelope


class ErrorClass(StrEnum):
    """What is done about an error."""

    TRANSIENT = "transient"
    """Tried again, later and later; a dead letter when that does not help."""
    POISON = "poison"
    """The event itself cannot be processed: a dead letter at once."""
    BUSINESS = "business"
    """A rule said no: a dead letter at once, beside the event that says so."""


class TransientError(Exception):
    """May be over in a moment."""


class PoisonError(Exception):
    """Will never succeed with this event."""


class BusinessError(Exception):
    """A rule refuses the event; `events` tell others."""

    def __init__(self, message: str, events: tuple[EventEnvelope, ...] = ()) -> None:
        super().__init__(message)
        self.events = events


_TRANSIENT = (
    TransientError,
    OSError,
    TimeoutError,
    RedisConnectionError,
    RedisTimeoutError,
    WatchError,
    PostgresConnectionError,
    InterfaceError,
)


def classify(error: BaseException) -> ErrorClass:
    """Whatever is not known to pass is poison: it would fail again, and hold up what is behind it."""
    if isinstance(error, BusinessError):
        return ErrorClass.BUSINESS
    if isinstance(error, KafkaError):
        return ErrorClass.TRANSIENT if error.retriable else ErrorClass.POISON
    return ErrorClass.TRANSIENT if isinstance(error, _TRANSIENT) else ErrorClass.POISON
