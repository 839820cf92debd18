"""The producer: every event acknowledged by all replicas, written once even if sent twice, in order per key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer

from alpha_panda.mutations import Bug, active
from alpha_panda.streaming.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alpha_panda.events.envelope import EventEnvelope
    from alpha_panda.events.topics import Topics

MAX_REQUEST_BYTES: Final = 1 << 20
REQUEST_MS: Final = 10_000
Headers = list[tuple[str, bytes]]


class RedpandaProducer:
    """Publishes events to the topics that they belong to. Starting or stopping it twice does nothing."""

    def __init__(self, servers: str, topics: Topics, *, client_id: str, delivery_seconds: float = 30) -> None:
        self._servers, self._topics, self._client_id = servers, topics, client_id
        self._delivery_seconds = delivery_seconds
        self._client: AIOKafkaProducer | None = None

    @property
    def running(self) -> bool:
        return self._client is not None

    async def start(self) -> None:
        """Connect. Raises KafkaError; nothing is left behind then."""
        if self._client is not None:
            return
        client = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,  # the broker knows each batch by producer and sequence, and drops a second copy
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=REQUEST_MS,
        )
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        self._client = client

    async def stop(self) -> None:
        """Wait until everything is delivered, and disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    async def publish(self, event: EventEnvelope) -> Any:
        """Write one event; its topic, partition and offset. Raises as publish_all does."""
        return (await self.publish_all([event]))[0]

    async def publish_all(self, events: Iterable[EventEnvelope]) -> list[Any]:
        """Write events, those of one key in this order; returns when all are acknowledged.

        Raises RoutingError, KafkaError, or TransientError when the broker has not acknowledged them in time: they may
        be written nevertheless.
        """
        addressed = [(self._topics.for_event(event), event) for event in events]
        sends = [(topic, event.key, event.encode(), headers_of(event)) for topic, event in addressed]
        return await self._deliver(sends)

    async def republish(self, topic: str, key: str, value: bytes, headers: Headers) -> Any:
        """Write a record as it is. Raises as publish_all does."""
        return (await self._deliver([(topic, key, value, headers)]))[0]

    async def flush(self) -> None:
        """Wait until everything that was sent is acknowledged."""
        await self._connected().flush()

    async def check(self) -> None:
        """Ask the broker for its metadata. Raises KafkaError."""
        await self._connected().client.fetch_all_metadata()

    async def _deliver(self, sends: Sequence[tuple[str, str, bytes, Headers]]) -> list[Any]:
        client = self._connected()
        for topic, key, _, _ in sends:
            if not key:
                message = f"a record for {topic} without a key: its order would be lost"
                raise ValueError(message)
        try:
            async with asyncio.timeout(self._delivery_seconds):
                pending = [
                    await client.send(topic, value, key=None if active(Bug.UNKEYED) else key.encode(), headers=headers)
                    for topic, key, value, headers in sends
                ]
                return list(await asyncio.gather(*pending))
        except TimeoutError:
            raise TransientError(
                f"Kafka at {self._servers} has not acknowledged {len(sends)} records within "
                f"{self._delivery_seconds:g} s"
            ) from None

    def _connected(self) -> AIOKafkaProducer:
        if self._client is None:
            message = "the producer is not started"
            raise RuntimeError(message)
        return self._client


def headers_of(event: EventEnvelope) -> Headers:
    """What can be known about a record without reading its value."""
    return [
        ("event_type", event.type.encode()),
        ("schema_version", event.schema_version.encode()),
        ("traceparent", event.traceparent.encode()),
    ]
