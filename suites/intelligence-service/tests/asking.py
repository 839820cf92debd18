"""Requests of one test, and the responses to them."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract import DEAD_LETTERS, GROUP, REQUESTS, RESPONSES, DeadLetter, Response, read, request_topic, response_topic

from seatrial_kit.kafka import publish_test_event

if TYPE_CHECKING:
    from seatrial_kit.events import Event
    from seatrial_kit.kafka.async_stream import AsyncKafkaStream

TOPICS = (*REQUESTS, *RESPONSES, DEAD_LETTERS)


@dataclass
class Asking:
    """Publishes requests with correlations of its own and reads what comes of them; the stream has no others."""

    producer: Any
    stream: AsyncKafkaStream
    correlations: set[str]

    def correlation(self) -> str:
        """A new one, which the stream keeps."""
        correlation = str(uuid.uuid4())
        self.correlations.add(correlation)
        return correlation

    async def send(self, subject: str, payload: object, correlation: str | None = None, **members: object) -> str:
        """Publish a request; its correlation."""
        correlation = correlation or self.correlation()
        event = {
            "event_id": str(uuid.uuid4()),
            "causation_id": None,
            "event_type": f"codegen.request.{subject}",
            "payload": payload,
            **members,
        }
        await publish_test_event(self.producer, request_topic(subject), event, correlation)
        return correlation

    async def send_all(self, subject: str, payloads: list[dict[str, Any]]) -> list[str]:
        """At once; the correlations in the same order."""
        return list(await asyncio.gather(*(self.send(subject, payload) for payload in payloads)))

    async def response(self, subject: str, correlation: str) -> Response:
        """The response to a request, checked."""
        pattern = {"correlation_id": correlation}
        event = await self.stream.next(pattern, f"the response to {correlation}", topic=response_topic(subject))
        assert event.key == correlation, "responses have the request's key"
        return read(subject, event.value)

    async def ask(self, subject: str, payload: object, **members: object) -> Any:
        """Publish a request and wait for its response."""
        return await self.response(subject, await self.send(subject, payload, **members))

    async def dead_letter(self, correlation: str) -> DeadLetter:
        event = await self.stream.next(
            lambda found: correlation in found.value["raw"], f"the dead letter of {correlation}", topic=DEAD_LETTERS
        )
        return DeadLetter.model_validate(event.value)


def mine(event: Event, correlations: set[str]) -> bool:
    """Whether an event is about one of these, wherever it says so."""
    if event.member("correlation_id") in correlations:
        return True
    raw = event.value.get("raw", "") if isinstance(event.value, dict) else ""
    return any(correlation in raw for correlation in correlations)


STREAM: dict[str, Any] = {"group": GROUP, "inputs": REQUESTS}
"""Whose inputs must have been read before it can be said that something did not come."""
