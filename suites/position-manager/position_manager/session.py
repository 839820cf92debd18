"""One session: from restored state to the first failure, restart or stop.

Everything durable is outside (offsets in Kafka, states in Redis), so ending a session at any point is safe. A batch is
published, then saved, then committed. After a crash in between it is read again: if it was not saved it gives the same
events with the same `event_id`s again, and if it was saved its messages are stale.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from pydantic import ValidationError

from position_manager.bugs import Bug, as_read, limits_of, rehedged
from position_manager.domain import Outcome, Transition, apply_funding, apply_market
from position_manager.messages import FUNDING_CONTEXT, INPUT_TOPICS, TOPICS, FundingContext, MarketData
from position_manager.state import SymbolState
from position_manager.store import StateStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from position_manager.messages import Event
    from position_manager.metrics import Metrics
    from position_manager.settings import Settings

CLIENT: Final = "position-manager"
BATCH: Final = 500
CLOSE_SECONDS: Final = 0.3
CHECK_SECONDS: Final = 2.0
LONGEST_POLL_SECONDS: Final = 5.0
log = logging.getLogger(__name__)


class TopicsMissingError(Exception):
    """The broker answers, but topics are not there (yet)."""


class Session:
    """Connected clients and the states in memory."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._bug = settings.position_manager_bug
        self._limits = limits_of(settings, self._bug)
        self._store = StateStore(settings.redis_url.get_secret_value(), metrics)
        servers = settings.kafka_bootstrap_servers
        self._producer = AIOKafkaProducer(bootstrap_servers=servers, client_id=CLIENT, enable_idempotence=True)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers,
            client_id=CLIENT,
            group_id=settings.group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=1000,
            session_timeout_ms=6000,  # the least that brokers allow: so long a crashed member keeps its partitions
            # A partition whose records were just read is not part of the fetch that is waiting meanwhile: a long wait
            # there delays that partition's next record.
            fetch_max_wait_ms=50,
            # With as many partitions in both topics, range gives both messages of a symbol to the same replica.
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        self._assigned = asyncio.Event()
        self._states: dict[str, SymbolState] = {}

    async def open(self) -> None:
        """Connect, join the group, restore. Raises what the clients raise, or TopicsMissingError."""
        await self._store.ping()
        await self._producer.start()
        await self._consumer.start()
        missing = set(TOPICS) - await self._consumer.topics()
        if missing:
            raise TopicsMissingError(f"Kafka has no topic {', '.join(sorted(missing))}")
        self._consumer.subscribe(INPUT_TOPICS, listener=_Listener(self._assigned))
        await self._assigned.wait()
        await self._restore()

    async def check(self) -> dict[str, str]:
        """What Kafka and Redis answer at this moment, `ok` or the error."""
        return {
            "kafka": await _answer(self._producer.client.fetch_all_metadata()),
            "redis": await _answer(self._store.ping()),
        }

    async def run(self, interrupt: asyncio.Event) -> None:
        """Process until interrupted. Raises what the clients raise."""
        interval = self._settings.rehedge_interval_seconds
        due = time.monotonic() + interval
        interrupted = asyncio.create_task(interrupt.wait())
        try:
            while not interrupt.is_set():
                batch = await self._poll(min(due - time.monotonic(), LONGEST_POLL_SECONDS), interrupted)
                # Someone else may have changed states before these partitions came (back).
                if self._assigned.is_set() and self._bug is not Bug.MEMORY_TRUSTED:
                    await self._restore()
                if batch:
                    await self._process(batch)
                if time.monotonic() >= due:
                    await self._rehedge()
                    due = time.monotonic() + interval
        finally:
            interrupted.cancel()

    async def close(self) -> None:
        """Leave the group and disconnect; given up after a moment, since nothing depends on it."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(
                    self._consumer.stop(), self._producer.stop(), self._store.close(), return_exceptions=True
                )
        except TimeoutError:
            log.warning("clients did not close in time", extra={"seconds": CLOSE_SECONDS})

    async def _poll(self, seconds: float, interrupted: asyncio.Task[Any]) -> dict[TopicPartition, list[Any]]:
        poll = asyncio.create_task(self._consumer.getmany(timeout_ms=max(0, int(seconds * 1000)), max_records=BATCH))
        await asyncio.wait({poll, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if not poll.done():
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)
            return {}
        batch: dict[TopicPartition, list[Any]] = poll.result()
        return batch

    async def _restore(self) -> None:
        self._assigned.clear()
        self._states = {} if self._bug is Bug.STATE_FORGOTTEN else await self._store.load()
        self._count_open()

    async def _process(self, batch: dict[TopicPartition, list[Any]]) -> None:
        """Merge the partitions by time, each in its own order, so that what was sent first is applied first."""
        changed: set[str] = set()
        events: list[Event] = []
        records = list(heapq.merge(*batch.values(), key=lambda record: record.timestamp))
        for record in records:
            transition = self._apply(record)
            if transition is not None and transition.outcome is Outcome.PROCESSED:
                self._states[transition.state.symbol] = transition.state
                changed.add(transition.state.symbol)
                events += transition.events
        await self._make_durable(changed, events)
        await self._consumer.commit({partition: part[-1].offset + 1 for partition, part in batch.items()})
        now = time.time()
        for record in records:
            self._metrics.latency.labels(record.topic).observe(max(0.0, now - record.timestamp / 1000))

    def _apply(self, record: Any) -> Transition | None:
        """The transition that a record causes, or None; whatever is wrong with one message stays with that message."""
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        try:
            transition, outcome = self._transition(record)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            log.warning("malformed message", extra={**where, "at": first["loc"], "error": first["msg"]})
            transition, outcome = None, "malformed"
        except Exception:  # a defect met by one message must not stop all the others
            log.exception("message failed", extra=where)
            self._metrics.errors.labels("processing").inc()
            transition, outcome = None, "failed"
        self._metrics.messages.labels(record.topic, outcome).inc()
        return transition

    def _transition(self, record: Any) -> tuple[Transition | None, str]:
        model = FundingContext if record.topic == FUNDING_CONTEXT else MarketData
        message = model.model_validate_json(record.value or b"")
        if not self._settings.manages(message.symbol):
            return None, "foreign"
        state = self._states.get(message.symbol, SymbolState(message.symbol))
        state, message = as_read(state, message, self._bug)
        if isinstance(message, FundingContext):
            transition = apply_funding(replace(state, partition=record.partition), message, self._limits)
        else:
            transition = apply_market(state, message, self._limits)
        if transition.detail:
            log.warning("message rejected", extra={"symbol": message.symbol, "reason": transition.detail})
        for event in transition.events:
            log.debug("event", extra={"topic": event.topic, "event_id": event.event_id, "symbol": event.symbol})
        return transition, transition.outcome

    async def _rehedge(self) -> None:
        """One tick over the symbols whose partition is ours: another replica looks after the others."""
        at_ms = time.time_ns() // 1_000_000
        owned = {tp.partition for tp in self._consumer.assignment() if tp.topic == FUNDING_CONTEXT}
        candidates = [state for state in self._states.values() if state.partition in owned]
        asked = (rehedged(state, self._limits, at_ms, self._bug) for state in candidates)
        transitions = [transition for transition in asked if transition is not None]
        if transitions:
            self._states |= {t.state.symbol: t.state for t in transitions}
            await self._make_durable((t.state.symbol for t in transitions), [e for t in transitions for e in t.events])

    async def _make_durable(self, symbols: Iterable[str], events: Iterable[Event]) -> None:
        """Events first, then the states they follow from: a crash in between repeats events and loses none."""
        deliveries = [await self._producer.send(e.topic, e.encode(), key=e.symbol.encode()) for e in events]
        for delivery in await asyncio.gather(*deliveries):
            self._metrics.published.labels(delivery.topic).inc()
        await self._store.save(self._states[symbol] for symbol in symbols)
        self._count_open()

    def _count_open(self) -> None:
        positions = (state.position for state in self._states.values())
        self._metrics.open_positions.set(sum(position is not None and position.is_open for position in positions))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Remembers that partitions were assigned; the session restores before it processes the next batch."""

    def __init__(self, assigned: asyncio.Event) -> None:
        self._assigned = assigned

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        log.info("partitions revoked", extra={"partitions": sorted(map(str, revoked))})

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._assigned.set()
        log.info("partitions assigned", extra={"partitions": sorted(f"{tp.topic}/{tp.partition}" for tp in assigned)})


async def _answer(question: Awaitable[Any]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await question
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"{type(error).__name__}: {error}"
    return "ok"
