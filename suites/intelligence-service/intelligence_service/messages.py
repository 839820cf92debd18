"""What is on the topics. Requests are read leniently, responses are written strictly."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

PREFIX: Final = "omninode.codegen"
DEAD_LETTERS: Final = f"{PREFIX}.dlq.v1"
NAMESPACE: Final = uuid.UUID("5ea7a1b0-0003-4c0d-9e9e-0a11ce5e7f1e")
ID_CHARACTERS: Final = 200
RAW_CHARACTERS: Final = 2000
MAX_RECORD_BYTES: Final = 900_000
"""Of key and value together. Kafka's clients and brokers refuse 1 MiB with what they put around them."""
MAX_KEY_BYTES: Final = 1000
"""Of a request's key, which its answer bears, too."""


def request_topic(subject: str) -> str:
    return f"{PREFIX}.request.{subject}.v1"


def response_topic(subject: str) -> str:
    return f"{PREFIX}.response.{subject}.v1"


class Request(BaseModel):
    """The envelope of every request. What the payload must hold is its handler's business."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    correlation_id: StrictStr = Field(min_length=1, max_length=ID_CHARACTERS)
    event_id: StrictStr | None = Field(default=None, max_length=ID_CHARACTERS)
    event_type: StrictStr | None = None
    payload: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """Where a record was read. As long as the topic exists it names the record."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    def derived_id(self, kind: str) -> str:
        """The same each time the record is read: a consumer can recognise a repetition."""
        return str(uuid.uuid5(NAMESPACE, f"{kind}:{self}"))


@dataclass(frozen=True)
class Outgoing:
    """A record to be published."""

    topic: str
    key: bytes | None
    value: dict[str, Any]

    def encode(self) -> bytes:
        return json.dumps(self.value, separators=(",", ":")).encode()

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.key or b"") + len(self.encode())


def response(
    subject: str,
    request: Request,
    source: Source,
    key: bytes | None,
    *,
    status: Literal["completed", "rejected"],
    result: dict[str, Any],
) -> Outgoing:
    """The answer to a request. Its cause is the request's `event_id`, or where it was read if it has none."""
    value = {
        "event_id": source.derived_id("response"),
        "event_type": f"codegen.response.{subject}",
        "correlation_id": request.correlation_id,
        "causation_id": request.event_id or str(source),
        "status": status,
        **result,
    }
    return Outgoing(response_topic(subject), key or request.correlation_id.encode(), value)


def dead_letter(source: Source, key: bytes | None, raw: bytes | None, error: str) -> Outgoing:
    """What cannot be answered, because it does not say to whom, or because its handler failed. Of bounded size."""
    text = (raw or b"").decode(errors="replace")
    value = {
        "event_id": source.derived_id("dead-letter"),
        "event_type": "codegen.dead-letter",
        "correlation_id": _member(raw, "correlation_id"),
        "causation_id": _member(raw, "event_id") or str(source),
        "error": error[:RAW_CHARACTERS],
        "source": {"topic": source.topic, "partition": source.partition, "offset": source.offset},
        "raw": text[:RAW_CHARACTERS],
    }
    return Outgoing(DEAD_LETTERS, key if len(key or b"") <= MAX_KEY_BYTES else None, value)


def _member(raw: bytes | None, name: str) -> str | None:
    """A text member of something that may be anything; none that is longer than a request's may be."""
    try:
        value = json.loads(raw or b"")
    except (ValueError, RecursionError):  # the latter: nested too deeply
        return None
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) and len(found) <= ID_CHARACTERS else None
