"""The stream processor: reads batches, has each event handled, publishes what follows, and commits.

A batch is handled, published, made durable by the handler, and committed, in this order. After a crash in between it is
read again: events that were made durable are known to the handler and skipped, the others give the same events with the
same ids again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from alpha_panda.events.envelope import Broker, EventType
from alpha_panda.events.evolution import decode
from alpha_panda.mutations import Bug, active
from alpha_panda.streaming.breaker import CircuitBreaker, CircuitOpenError, State
from alpha_panda.streaming.dlq import dead_letter
from alpha_panda.streaming.errors import BusinessError, ErrorClass, PoisonError, classify
from alpha_panda.streaming.policy import Policy, Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from alpha_panda.events.envelope import EventEnvelope
    from alpha_panda.streaming.consumer import Batch, RedpandaConsumer
    from alpha_panda.streaming.policy import Handler
    from alpha_panda.streaming.producer import RedpandaProducer

POLL_SECONDS: Final = 5.0
MAX_EVENT_BYTES: Final = 512 << 10
"""What follows from an event is about as large, and must fit into a record (1 MiB) with certainty."""
REVOKE_SECONDS: Final = 5.0
STOP_SECONDS: Final = 0.4
"""For the batch in hand; what is cut off is read again."""
log = logging.getLogger(__name__)


class StreamProcessor:
    """Handles the events of one broker that a consumer reads. Starting or stopping it twice does nothing."""

    def __init__(
        self,
        consumer: RedpandaConsumer,
        producer: RedpandaProducer,
        handler: Handler,
        *,
        broker: Broker,
        service: str,
        policy: Policy | None = None,
        breaker: CircuitBreaker | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self._consumer, self._producer, self._handler = consumer, producer, handler
        self._broker, self._service = broker, service
        self._policy = policy or Policy()
        self._breaker = breaker or CircuitBreaker(self._policy.breaker_failures, self._policy.breaker_reset_seconds)
        self._watcher = watcher or Watcher()
        self._stopping = asyncio.Event()
        self._batch = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: classify(error) is ErrorClass.TRANSIENT),
            wait=wait_random_exponential(self._policy.first_delay_seconds, self._policy.longest_delay_seconds),
            stop=stop_after_attempt(self._policy.attempts),
            reraise=True,
        )
        consumer.before_revoked = self._finish_batch

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Connect and begin to read. Raises KafkaError; nothing is left behind then."""
        if self._task is not None:
            return
        self._stopping.clear()
        try:
            await self._producer.start()
            await self._consumer.start()
        except BaseException:
            await self._close()
            raise
        self._task = asyncio.create_task(self._run(), name=f"{self._broker} {self._service}")

    async def wait(self) -> None:
        """Until it is stopped. Raises what ended it: KafkaError, or a defect of the handler's begin or complete."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Finish the batch in hand if that is done in a moment, leave the group, and disconnect."""
        task, self._task = self._task, None
        self._stopping.set()
        if task is not None:
            await asyncio.wait({task}, timeout=STOP_SECONDS)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._close()

    async def _close(self) -> None:
        with suppress(KafkaError):
            await self._consumer.stop()
        with suppress(KafkaError):
            await self._producer.stop()

    async def _run(self) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                batch = await self._next(stopping)
                if batch is not None and len(batch):
                    await self._attempt(batch)
        finally:
            stopping.cancel()

    async def _next(self, stopping: asyncio.Task[Any]) -> Batch | None:
        poll = asyncio.create_task(self._consumer.poll(POLL_SECONDS))
        try:
            await asyncio.wait({poll, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return poll.result() if poll.done() else None
        finally:
            if not poll.done():
                poll.cancel()
                await asyncio.gather(poll, return_exceptions=True)

    async def _attempt(self, batch: Batch) -> None:
        """Process a batch; one that fails for a reason that may pass is read again."""
        try:
            async with self._breaker.guard(), self._batch:
                await self._process(batch)
        except CircuitOpenError:  # it was opened by an earlier session, or has a moment left
            await self._hold_back(batch)
        except Exception as error:
            # A client that has failed may be in any state: whoever waits for this processor makes new ones.
            if isinstance(error, KafkaError) or classify(error) is not ErrorClass.TRANSIENT:
                raise
            self._watcher.failed(error)
            log.warning("batch failed, it is read again", extra={"error": f"{type(error).__name__}: {error}"})
            await self._hold_back(batch)

    async def _hold_back(self, batch: Batch) -> None:
        """Stay in the group and read nothing: until the breaker lets another try through, or for a moment."""
        self._consumer.rewind(batch)
        opened = self._breaker.state is not State.CLOSED
        seconds = self._breaker.seconds_to_wait if opened else self._policy.first_delay_seconds
        if opened:
            log.warning("circuit open", extra={"seconds": seconds})
            self._consumer.pause()
        self._watcher.circuit(opened)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        if opened:
            self._consumer.resume()

    async def _process(self, batch: Batch) -> None:
        if active(Bug.EARLY_COMMIT):
            await self._consumer.commit(batch)
        records = batch.records()
        decoded = [(record, self._decode(record)) for record in records]
        applied = set(await self._handler.begin([event for _, event in decoded if not isinstance(event, PoisonError)]))
        outputs: list[EventEnvelope] = []
        for record, event in decoded:
            outputs += await self._outputs(record, event, applied)
        await self._producer.publish_all(outputs)
        await self._handler.complete()
        await self._consumer.commit(batch)
        self._watcher.circuit(open=False)
        self._watcher.published(outputs)
        self._watcher.finished(records, time.time())

    def _decode(self, record: Any) -> EventEnvelope | PoisonError:
        if len(record.value or b"") > MAX_EVENT_BYTES:
            return PoisonError(f"an event of {len(record.value)} bytes, at most {MAX_EVENT_BYTES} are allowed")
        try:
            event = decode(record.value)
        except PoisonError as error:
            return error
        if event.broker is not (Broker.SHARED if event.type is EventType.MARKET_TICK else self._broker):
            return PoisonError(f"{event.type} of {event.broker} on {record.topic}, which {self._broker} reads")
        return event

    async def _outputs(
        self, record: Any, event: EventEnvelope | PoisonError, applied: set[UUID]
    ) -> Sequence[EventEnvelope]:
        """What follows from one record; `applied` grows by it."""
        if isinstance(event, PoisonError):
            return self._dead(record, None, event, 1)
        if event.id in applied and not active(Bug.NO_DEDUPLICATION):
            self._watcher.handled(record.topic, "duplicate")
            return ()
        retrying = self._retrying.copy()
        try:
            outputs: Sequence[EventEnvelope] = await retrying(self._handler.handle, event)
        except BusinessError as error:
            return [*error.events, *self._dead(record, event, error, 1)]
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold up what is behind it
            return self._dead(record, event, error, retrying.statistics.get("attempt_number", 1))
        applied.add(event.id)
        self._watcher.handled(record.topic, "processed")
        return outputs

    def _dead(self, record: Any, event: EventEnvelope | None, error: Exception, attempts: int) -> list[EventEnvelope]:
        kind = classify(error)
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.warning("dead letter", extra={**where, "class": kind, "error": f"{type(error).__name__}: {error}"})
        self._watcher.handled(record.topic, kind)
        if kind is ErrorClass.POISON and active(Bug.SWALLOWED_POISON):
            return []
        return [dead_letter(record, event, error, attempts=attempts, broker=self._broker, service=self._service)]

    async def _finish_batch(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_SECONDS), self._batch:
                pass
