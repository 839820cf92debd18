"""Dead letters: what could not be processed, kept with all that is needed to understand it and to try it again."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from alpha_panda.events.data import DeadLetter
from alpha_panda.events.envelope import Broker, EventEnvelope, EventType, span_of
from alpha_panda.events.identifiers import created_at, derived
from alpha_panda.streaming.errors import classify

if TYPE_CHECKING:
    from alpha_panda.streaming.producer import RedpandaProducer

MAX_VALUE: Final = 128 << 10
"""Written as JSON it may be six times as long, and has to fit into a record (1 MiB) with why it is dead."""
MAX_MESSAGE: Final = 2000
REPLAYED: Final = "replayed-from"
"""Header of a record that was a dead letter: the id of that event."""


def dead_letter(
    record: Any, event: EventEnvelope | None, error: BaseException, *, attempts: int, broker: Broker, service: str
) -> EventEnvelope:
    """The event on the dead-letter topic. It continues the chain of the failed one, if that can be read at all."""
    data = DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        record_key=record.key.decode(errors="replace") if record.key is not None else None,
        **_value(record.value or b""),
        error_class=classify(error),
        error_type=type(error).__name__,
        message=str(error)[:MAX_MESSAGE],
        attempts=attempts,
        service=service,
    )
    # The same record gives the same dead letter, however often it is read.
    place = f"{record.topic}/{record.partition}/{record.offset}"
    if event is not None:
        return event.child(EventType.DEAD_LETTER, data, source=service, broker=broker, part=place)
    identifier = derived(UUID(int=max(0, record.timestamp) << 80), place, service)
    return EventEnvelope(
        id=identifier,
        type=EventType.DEAD_LETTER,
        ts=created_at(identifier),
        broker=broker,
        key=data.record_key[:128] if data.record_key else "none",
        source=service,
        correlation_id=identifier,
        trace_id=identifier.hex,
        span_id=span_of(identifier),
        data=data.model_dump(mode="json"),
    )


async def replay(letter: EventEnvelope, producer: RedpandaProducer) -> Any:
    """Write the record of a dead letter to its topic again; its new topic, partition and offset.

    The value is what it was, byte for byte; the key as far as it is text, and its only header says what it was replayed
    from. Raises ValueError when the letter holds only a part of it.
    """
    data = letter.payload(DeadLetter)
    if data.truncated:
        message = f"only its beginning is kept; the record is {data.topic}/{data.partition}, offset {data.offset}"
        raise ValueError(message)
    value = base64.b64decode(data.value) if data.encoding == "base64" else data.value.encode()
    headers = [(REPLAYED, str(letter.id).encode())]
    return await producer.republish(data.topic, data.record_key or letter.key, value, headers)


def _value(value: bytes) -> dict[str, Any]:
    truncated = len(value) > MAX_VALUE
    value = value[:MAX_VALUE]
    try:
        text, encoding = value.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(value).decode(), "base64"
    return {"value": text, "encoding": encoding, "truncated": truncated}
