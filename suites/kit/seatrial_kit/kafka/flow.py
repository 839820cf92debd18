"""Requests and their responses, found by their correlation."""

from __future__ import annotations

import asyncio
import inspect
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypedDict
from weakref import WeakKeyDictionary

from seatrial_kit.events import decode, encode
from seatrial_kit.kafka.config import KafkaTestConfig
from seatrial_kit.missing import client

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial_kit.events import Event

POLL_MS = 200
HEADER = "correlation_id"
_unclaimed: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()
"""By consumer, what was read and nobody has asked for yet."""


class EventFlow(TypedDict):
    """What was found about a correlation."""

    correlation_id: str
    request_found: bool
    response_found: bool
    duration_ms: float | None
    """From the timestamp of the request's record to that of the response's; None unless both were found."""
    request: Any
    response: Any


async def publish_test_event(
    producer: Any, topic: str, event: Mapping[str, Any], correlation_id: str, key: str | None = None
) -> Any:
    """Publish an event with its correlation in the value and in a header, and wait for the acknowledgement.

    The producer is one of the fixtures', of either library. The key is the correlation unless given. Returns the
    record's metadata.
    """
    value = {**event, "correlation_id": correlation_id}
    headers = [(HEADER, correlation_id.encode())]
    if inspect.iscoroutinefunction(producer.send):
        key_bytes = encode(key or correlation_id)
        return await producer.send_and_wait(topic, encode(value), key=key_bytes, headers=headers)
    future = producer.send(topic, value=value, key=key or correlation_id, headers=headers)
    return await asyncio.to_thread(future.get, 30)


async def consume_response(consumer: Any, correlation_id: str, timeout_seconds: float = 10) -> dict[str, Any] | None:
    """The first object on the consumer's topics with that correlation, or None when there was none in time.

    The consumer is one of the fixtures', of either library. What it read meanwhile is kept for later calls with it.
    """
    waiting = _unclaimed.setdefault(consumer, [])
    deadline = time.monotonic() + timeout_seconds
    while True:
        for index, value in enumerate(waiting):
            if isinstance(value, dict) and value.get("correlation_id") == correlation_id:
                return dict(waiting.pop(index))
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        waiting += _values(await _poll(consumer, min(POLL_MS, max(1, int(left * 1000)))))


def track_event_flow(
    correlation_id: str,
    request_topic: str,
    response_topic: str,
    timeout_seconds: float = 30,
    config: type[KafkaTestConfig] = KafkaTestConfig,
) -> EventFlow:
    """Read both topics from their beginning until request and response are found, or the time is over."""
    streams = client("seatrial_kit.kafka.stream", "kafka")
    found: dict[str, Event] = {}
    deadline = time.monotonic() + timeout_seconds
    with closing(streams.KafkaStream([request_topic, response_topic], config=config, since="beginning")) as stream:
        stream.start()
        while len(found) < 2 and time.monotonic() < deadline:  # noqa: PLR2004 - request and response
            for event in stream.poll():
                if event.member("correlation_id") == correlation_id:
                    found.setdefault(event.topic, event)
    request, response = found.get(request_topic), found.get(response_topic)
    return {
        "correlation_id": correlation_id,
        "request_found": request is not None,
        "response_found": response is not None,
        "duration_ms": float(response.timestamp_ms - request.timestamp_ms) if request and response else None,
        "request": request.value if request else None,
        "response": response.value if response else None,
    }


async def _poll(consumer: Any, milliseconds: int) -> Mapping[Any, Iterable[Any]]:
    if hasattr(consumer, "getmany"):
        batch: Mapping[Any, Iterable[Any]] = await consumer.getmany(timeout_ms=milliseconds)
    else:
        batch = await asyncio.to_thread(consumer.poll, timeout_ms=milliseconds)
    return batch


def _values(batch: Mapping[Any, Iterable[Any]]) -> Iterable[Any]:
    for records in batch.values():
        for record in records:
            yield decode(record.value) if isinstance(record.value, bytes) else record.value
