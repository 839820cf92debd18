"""The envelope that every event travels in.

`correlation_id` names a chain of events, `causation_id` the event that directly led to this one. A chain belongs to one
broker: where a broker's chain starts from shared market data, it gets a correlation of its own, and only causation
and `trace_id` lead back to the tick. The trace fields are those of W3C Trace Context.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeAlias, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

from alpha_panda.events.identifiers import VERSION, derived, uuid7
from alpha_panda.mutations import Bug, active

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION: Final = "2.0"
_SPAN: Final = (1 << 64) - 1


class Broker(StrEnum):
    """Whose event it is; market data is everyone's."""

    SHARED = "shared"
    PAPER = "paper"
    ZERODHA = "zerodha"


class EventType(StrEnum):
    """What happened."""

    MARKET_TICK = "market_tick"
    TRADING_SIGNAL = "trading_signal"
    SIGNAL_VALIDATED = "signal_validated"
    SIGNAL_REJECTED = "signal_rejected"
    ORDER_PLACED = "order_placed"
    ORDER_FILLED = "order_filled"
    PORTFOLIO_UPDATED = "portfolio_updated"
    DEAD_LETTER = "dead_letter"


def _is_version_7(identifier: UUID) -> UUID:
    if identifier.version != VERSION:
        message = f"is a UUID of version {identifier.version}, expected version {VERSION}"
        raise ValueError(message)
    return identifier


Uuid7 = Annotated[UUID, AfterValidator(_is_version_7)]
# Everybody's timestamps in one notation, whatever zone they came in.
Timestamp = Annotated[AwareDatetime, PlainSerializer(lambda at: at.astimezone(UTC).isoformat(), when_used="json")]
D = TypeVar("D", bound=BaseModel)
Model: TypeAlias = type[D]


class EventEnvelope(BaseModel):
    """One event. Members that a later minor version adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Uuid7
    type: EventType
    ts: Timestamp
    broker: Broker
    key: Annotated[str, Field(min_length=1, max_length=128)]
    """What is ordered: events of one key are read in the order in which they were written."""
    source: Annotated[str, Field(min_length=1, max_length=128)]
    """The service that made it."""
    correlation_id: Uuid7
    causation_id: Uuid7 | None = None
    """None: nothing within the system led to it."""
    trace_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    span_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    parent_span_id: Annotated[str | None, Field(pattern=r"^[0-9a-f]{16}$")] = None
    schema_version: Annotated[str, Field(pattern=r"^\d+\.\d+$")] = SCHEMA_VERSION
    data: dict[str, Any]

    @classmethod
    def root(
        cls, kind: EventType, data: BaseModel | Mapping[str, Any], *, broker: Broker, key: str, source: str
    ) -> Self:
        """An event that begins a chain."""
        identifier = uuid7()
        return cls(
            id=identifier,
            type=kind,
            ts=datetime.now(UTC),
            broker=broker,
            key=key,
            source=source,
            correlation_id=identifier,
            trace_id=uuid7().hex,
            span_id=span_of(identifier),
            data=plain(data),
        )

    def child(
        self,
        kind: EventType,
        data: BaseModel | Mapping[str, Any],
        *,
        source: str,
        key: str | None = None,
        broker: Broker | None = None,
        part: str = "",
    ) -> EventEnvelope:
        """What follows from this event; made again, it has the same id. `part` tells several of one type apart."""
        broker = broker or self.broker
        identifier = derived(self.id, kind, broker, source, part)
        begins = self.broker is Broker.SHARED and broker is not Broker.SHARED
        return EventEnvelope(
            id=identifier,
            type=kind,
            ts=datetime.now(UTC),
            broker=broker,
            key=key or self.key,
            source=source,
            correlation_id=derived(self.correlation_id, broker) if begins else self.correlation_id,
            causation_id=self.causation_id if active(Bug.LOST_CAUSATION) else self.id,
            trace_id=self.trace_id,
            span_id=span_of(identifier),
            parent_span_id=self.span_id,
            data=plain(data),
        )

    @property
    def traceparent(self) -> str:
        """The header of W3C Trace Context."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    def payload(self, model: Model[D]) -> D:
        """The data, as that model. Raises pydantic.ValidationError."""
        return model.model_validate(self.data)

    def encode(self) -> bytes:
        return self.model_dump_json().encode()


def span_of(identifier: UUID) -> str:
    """The span of an event is part of its id, so that an event made again is in the same span."""
    return f"{identifier.int & _SPAN:016x}"


def plain(data: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """JSON's own types; decimals as strings."""
    return data.model_dump(mode="json") if isinstance(data, BaseModel) else dict(data)
