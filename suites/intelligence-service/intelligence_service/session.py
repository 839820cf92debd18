"""One session: from connected clients to the first failure or stop.

A batch of requests is one Kafka transaction: its responses, its dead letters and its offsets become visible together or
not at all. So after a crash at any point each request has exactly one response, for whoever reads committed records.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition

from intelligence_service.answering import SUBJECTS, Answering
from intelligence_service.faults import Bug, KillSwitch, Point
from intelligence_service.messages import DEAD_LETTERS, response_topic

if TYPE_CHECKING:
    from intelligence_service.metrics import Metrics
    from intelligence_service.settings import Settings

CLIENT: Final = "intelligence-service"
BATCH: Final = 200
POLL_MS: Final = 1000
CLOSE_SECONDS: Final = 0.3
CHECK_SECONDS: Final = 2.0
TRANSACTION_MS: Final = 10_000
"""Whoever reads committed records waits that long for a worker that was killed and never came back."""
TOPICS: Final = (*SUBJECTS, *(response_topic(subject) for subject in SUBJECTS.values()), DEAD_LETTERS)
log = logging.getLogger(__name__)


class TopicsMissingError(Exception):
    """The broker answers, but topics are not there (yet)."""


class Session:
    """Connected clients."""

    def __init__(self, settings: Settings, metrics: Metrics, switch: KillSwitch) -> None:
        self._settings, self._metrics, self._switch = settings, metrics, switch
        self._answering = Answering(settings.max_code_bytes, settings.intelligence_bug)
        self._bug = settings.intelligence_bug
        servers = settings.kafka_bootstrap_servers
        transactional = {
            "transactional_id": f"{settings.group_id}-{settings.instance_id}",
            "transaction_timeout_ms": TRANSACTION_MS,
        }
        self._producer = AIOKafkaProducer(
            bootstrap_servers=servers, client_id=CLIENT, **({} if self._untransacted else transactional)
        )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers,
            client_id=CLIENT,
            group_id=settings.group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            # A worker that follows a killed one is the same member to the group, which need not wait for that one's
            # session to end.
            group_instance_id=f"{settings.group_id}-{settings.instance_id}",
            heartbeat_interval_ms=1000,
            session_timeout_ms=6000,
            fetch_max_wait_ms=50,  # a partition that was just read is not part of the fetch that is waiting meanwhile
        )
        self._membership = _Membership()

    async def open(self) -> None:
        """Connect and join the group. Raises what the clients raise, or TopicsMissingError."""
        await self._producer.start()  # ends the transaction that a killed worker has left open
        await self._consumer.start()
        missing = set(TOPICS) - await self._consumer.topics()
        if missing:
            raise TopicsMissingError(f"Kafka has no topic {', '.join(sorted(missing))}")
        self._consumer.subscribe(list(SUBJECTS), listener=self._membership)
        await self._membership.assigned.wait()

    async def check(self) -> str:
        """What Kafka answers at this moment, `ok` or the error."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._producer.client.fetch_all_metadata()
        except TimeoutError:
            return f"no answer within {CHECK_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            return f"{type(error).__name__}: {error}"
        return "ok"

    async def run(self, stopped: asyncio.Event) -> None:
        """Answer until stopped. Raises what the clients raise."""
        stopping = asyncio.create_task(stopped.wait())
        try:
            while not stopped.is_set():
                generation = self._membership.generation
                batch = await self._poll(stopping)
                async with self._membership.batch:
                    if generation == self._membership.generation:
                        await self._process(batch)
                    else:
                        await self._rewind(set(batch))
        finally:
            stopping.cancel()

    async def close(self) -> None:
        """Leave the group and disconnect; given up after a moment, since nothing depends on it."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(self._consumer.stop(), self._producer.stop(), return_exceptions=True)
        except TimeoutError:
            log.warning("clients did not close in time", extra={"seconds": CLOSE_SECONDS})

    @property
    def _untransacted(self) -> bool:
        return self._bug in (Bug.NO_TRANSACTION, Bug.COMMIT_FIRST)

    async def _poll(self, stopping: asyncio.Task[Any]) -> dict[TopicPartition, list[Any]]:
        poll = asyncio.create_task(self._consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH))
        await asyncio.wait({poll, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not poll.done():
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)
            return {}
        batch: dict[TopicPartition, list[Any]] = poll.result()
        return batch

    async def _rewind(self, partitions: set[TopicPartition]) -> None:
        """Read on from what is committed: a batch from across a rebalance may be stale, or another replica's."""
        for partition in partitions & self._consumer.assignment():
            offset = await self._consumer.committed(partition)
            if offset is None:
                await self._consumer.seek_to_beginning(partition)
            else:
                self._consumer.seek(partition, offset)

    async def _process(self, batch: dict[TopicPartition, list[Any]]) -> None:
        if not batch:
            return
        records = list(heapq.merge(*batch.values(), key=lambda record: record.timestamp))
        offsets = {partition: part[-1].offset + 1 for partition, part in batch.items()}
        if self._untransacted:
            await self._process_untransacted(records, offsets)
        else:
            async with self._producer.transaction():
                outcomes = await self._publish(records)
                self._switch.reached(Point.PUBLISHED)
                await self._producer.send_offsets_to_transaction(offsets, self._settings.group_id)
                self._switch.reached(Point.OFFSETS)
            self._count(records, outcomes)
        self._switch.reached(Point.COMMITTED)

    async def _process_untransacted(self, records: list[Any], offsets: dict[TopicPartition, int]) -> None:
        """Two deliberate bugs, for the suite to find."""
        if self._bug is Bug.COMMIT_FIRST:
            await self._consumer.commit(offsets)
            self._switch.reached(Point.PUBLISHED)
        outcomes = await self._publish(records)
        self._switch.reached(Point.PUBLISHED)
        self._switch.reached(Point.OFFSETS)
        if self._bug is Bug.NO_TRANSACTION:
            await self._consumer.commit(offsets)
        self._count(records, outcomes)

    async def _publish(self, records: list[Any]) -> list[str]:
        """Answer all, wait for the acknowledgements; what became of each."""
        answers = self._answering.answer_all(records)
        sent = [await self._producer.send(out.topic, out.encode(), key=out.key) for _, out in answers]
        await asyncio.gather(*sent)
        return [outcome for outcome, _ in answers]

    def _count(self, records: list[Any], outcomes: list[str]) -> None:
        now = time.time()
        for record, outcome in zip(records, outcomes, strict=False):
            subject = SUBJECTS[record.topic]
            self._metrics.requests.labels(subject, outcome).inc()
            self._metrics.latency.labels(subject).observe(max(0.0, now - record.timestamp / 1000))


class _Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Lets a batch end before its partitions go to another replica."""

    def __init__(self) -> None:
        self.assigned = asyncio.Event()
        self.batch = asyncio.Lock()
        self.generation = 0

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        async with self.batch:
            self.generation += 1
            log.info("partitions revoked", extra={"partitions": len(revoked)})

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.assigned.set()
        log.info("partitions assigned", extra={"partitions": len(assigned)})
