"""Records of a topic as a test sees them, and how they are shown when it fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN_EVENTS = 60
SHOWN_CHARACTERS = 400


@dataclass(frozen=True)
class Undecodable:
    """A value that is not JSON. It is kept, since somebody has published it."""

    raw: bytes

    def __repr__(self) -> str:
        return f"<not JSON: {self.raw!r}>"


@dataclass(frozen=True)
class Event:
    """One record. The value is what its JSON says, None (a tombstone) or Undecodable."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: str | None
    value: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def member(self, name: str) -> Any:
        """Of the value if it is an object and has it, else of the headers; else None."""
        if isinstance(self.value, dict) and name in self.value:
            return self.value[name]
        return self.headers.get(name)

    def has(self, name: str) -> bool:
        """Whether `member` finds it, be it None."""
        return (isinstance(self.value, dict) and name in self.value) or name in self.headers

    @property
    def place(self) -> str:
        """topic[partition]@offset."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


def encode(value: object) -> bytes | None:
    """As the producers of the kit write values: JSON, unless it is text, bytes or nothing already."""
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value, default=str).encode()


def decode(raw: bytes | None) -> Any:
    """As the consumers of the kit read values. Never fails: one bad record must not end a consumer."""
    if raw is None:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):  # the latter: nested too deeply
        return Undecodable(raw)


def event_of(record: Any) -> Event:
    """From a record of kafka-python or aiokafka that was read without deserializers."""
    return Event(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key.decode(errors="replace") if record.key is not None else None,
        decode(record.value),
        {name: (value or b"").decode(errors="replace") for name, value in record.headers},
    )


def show(events: Sequence[Event], title: str = "the stream") -> str:
    """A line for each event, with the time since the first; the last ones when there are too many."""
    if not events:
        return f"{title}: no events"
    start = min(event.timestamp_ms for event in events)
    left = len(events) - SHOWN_EVENTS
    lines = [f"{title} ({len(events)} events):", *([f"  ... {left} earlier ones"] if left > 0 else [])]
    width = max(len(event.place) for event in events)
    for event in events[-SHOWN_EVENTS:]:
        seconds = (event.timestamp_ms - start) / 1000
        lines.append(f"  +{seconds:7.3f} s  {event.place:<{width}}  {event.key or '-'}  {shown(event.value)}")
    return "\n".join(lines)


def shown(value: object) -> str:
    """A value in one line, cut if it is long."""
    text = repr(value) if isinstance(value, Undecodable) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters)"
