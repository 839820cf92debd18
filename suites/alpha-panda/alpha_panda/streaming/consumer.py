"""The consumer: batches of a bounded size, offsets committed by hand, and none read while it is paused."""

from __future__ import annotations

import asyncio
import heapq
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

log = logging.getLogger(__name__)
HEARTBEAT_MS: Final = 1000
SESSION_MS: Final = 6000
"""The least that brokers allow: so long a member that crashed keeps its partitions."""
REQUEST_MS: Final = 10_000
"""After a network was split, a connection may be open on this side alone: so long it is believed to be alive."""
FETCH_WAIT_MS: Final = 50
"""A partition whose records were just read is not part of the fetch that waits meanwhile: its next record waits too."""


class TopicsMissingError(KafkaError):  # type: ignore[misc]  # aiokafka ships no types
    """The broker answers, but topics are not there (yet)."""

    retriable = True


@dataclass(frozen=True)
class Batch:
    """Records of some partitions, each in its own order."""

    parts: Mapping[TopicPartition, Sequence[Any]]

    def __len__(self) -> int:
        return sum(len(records) for records in self.parts.values())

    def records(self) -> list[Any]:
        """All of them: partitions merged by time, each in its own order."""
        return list(heapq.merge(*self.parts.values(), key=lambda record: record.timestamp))

    def next_offsets(self) -> dict[TopicPartition, int]:
        return {partition: records[-1].offset + 1 for partition, records in self.parts.items()}

    def first_offsets(self) -> dict[TopicPartition, int]:
        return {partition: records[0].offset for partition, records in self.parts.items()}


class RedpandaConsumer:
    """A member of a consumer group. Starting or stopping it twice does nothing.

    `before_revoked` is awaited before partitions go to another member: what is being processed can be finished.
    """

    def __init__(
        self,
        servers: str,
        topics: Sequence[str],
        *,
        group_id: str,
        client_id: str,
        max_records: int = 500,
        before_revoked: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._servers, self._topics = servers, tuple(topics)
        self._group_id, self._client_id, self._max_records = group_id, client_id, max_records
        self.before_revoked = before_revoked
        self.assigned = asyncio.Event()
        """Set whenever partitions have been assigned."""
        self._paused = False
        self._client: AIOKafkaConsumer | None = None

    @property
    def running(self) -> bool:
        return self._client is not None

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._client.assignment()) if self._client is not None else frozenset()

    async def start(self) -> None:
        """Connect and ask for partitions. Raises KafkaError (TopicsMissingError too); nothing is left behind then."""
        if self._client is not None:
            return
        client = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            client_id=self._client_id,
            group_id=self._group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            request_timeout_ms=REQUEST_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            session_timeout_ms=SESSION_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        try:
            await client.start()
            await self._check_topics(client)
            client.subscribe(self._topics, listener=_Listener(self))
        except BaseException:
            await client.stop()
            raise
        self._client = client

    async def _check_topics(self, client: AIOKafkaConsumer) -> None:
        if missing := set(self._topics) - await client.topics():
            raise TopicsMissingError(f"Kafka at {self._servers} has no topic {', '.join(sorted(missing))}")

    async def stop(self) -> None:
        """Leave the group and disconnect; what was not committed will be read again."""
        client, self._client = self._client, None
        self.assigned.clear()
        if client is not None:
            await client.stop()

    async def poll(self, seconds: float) -> Batch:
        """At most `max_records` records, after at most that time; none while paused. Raises KafkaError."""
        parts = await self._connected().getmany(timeout_ms=int(seconds * 1000), max_records=self._max_records)
        return Batch(parts)

    async def commit(self, batch: Batch) -> bool:
        """Never read this batch again. Raises KafkaError.

        False: the partitions have gone to another member meanwhile, who reads it again.
        """
        try:
            await self._connected().commit(batch.next_offsets())
        except (CommitFailedError, IllegalStateError) as error:
            log.warning("offsets not committed, others read them again", extra={"error": str(error)})
            return False
        return True

    def rewind(self, batch: Batch) -> None:
        """Read this batch again; not what has gone to another member meanwhile."""
        client = self._connected()
        for partition, offset in batch.first_offsets().items():
            with suppress(IllegalStateError):
                client.seek(partition, offset)

    def pause(self) -> None:
        """Read nothing more, and stay a member."""
        self._paused = True
        self.apply_pause()

    def resume(self) -> None:
        self._paused = False
        client = self._connected()
        client.resume(*client.paused())

    async def lag(self) -> int:
        """Records of the assigned partitions that are not committed yet. Raises KafkaError."""
        client = self._connected()
        ends = await client.end_offsets(list(self.assignment))
        starts = await client.beginning_offsets(list(self.assignment))
        committed = {partition: await client.committed(partition) for partition in ends}
        return sum(end - (committed[partition] or starts[partition]) for partition, end in ends.items())

    def apply_pause(self) -> None:
        """Partitions that arrive while paused are paused too."""
        if self._paused and self._client is not None:
            self._client.pause(*self._client.assignment())

    def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            message = "the consumer is not started"
            raise RuntimeError(message)
        return self._client


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, consumer: RedpandaConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked and self._consumer.before_revoked is not None:
            await self._consumer.before_revoked()
        log.info("partitions revoked", extra={"partitions": _names(revoked)})

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._consumer.apply_pause()
        self._consumer.assigned.set()
        log.info("partitions assigned", extra={"partitions": _names(assigned)})


def _names(partitions: set[TopicPartition]) -> list[str]:
    return sorted(f"{partition.topic}/{partition.partition}" for partition in partitions)
