"""The library under test on topics of a test's own: producers, consumers, processors, all stopped afterwards."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from topic_admin import new_namespace, topics

from alpha_panda.events.envelope import Broker, EventEnvelope, EventType
from alpha_panda.events.evolution import decode
from alpha_panda.events.topics import Topics
from alpha_panda.streaming.consumer import RedpandaConsumer
from alpha_panda.streaming.processor import StreamProcessor
from alpha_panda.streaming.producer import RedpandaProducer
from seatrial_kit.waiting import deadline_seconds, eventually_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from contextlib import AsyncExitStack
    from uuid import UUID

    from alpha_panda.streaming.policy import Policy

SIGNAL = {
    "strategy_id": "s",
    "instrument_token": 1,
    "signal_type": "buy",
    "quantity": 1,
    "price": "100",
    "timestamp": "2025-08-24T09:15:00Z",
}


def event(key: str = "s", *, broker: Broker = Broker.PAPER, **data: Any) -> EventEnvelope:
    """A signal."""
    return EventEnvelope.root(EventType.TRADING_SIGNAL, SIGNAL | data, broker=broker, key=key, source="suite")


class Recorder:
    """A handler that keeps what it gets, and answers as it is told. What it has applied lives as long as it does."""

    def __init__(self, react: Callable[[EventEnvelope], Sequence[EventEnvelope]] = lambda _: ()) -> None:
        self.react = react
        self.handled: list[EventEnvelope] = []
        self.applied: set[UUID] = set()
        self._pending: set[UUID] = set()
        self.on_begin: Callable[[], Awaitable[None]] | None = None
        self.on_complete: Callable[[], Awaitable[None]] | None = None

    async def begin(self, events: Sequence[EventEnvelope]) -> Collection[UUID]:  # noqa: ARG002
        self._pending = set()
        if self.on_begin is not None:
            await self.on_begin()
        return self.applied

    async def handle(self, event: EventEnvelope) -> Sequence[EventEnvelope]:
        self.handled.append(event)
        outputs = self.react(event)
        self._pending.add(event.id)
        return outputs

    async def complete(self) -> None:
        if self.on_complete is not None:
            await self.on_complete()
        self.applied |= self._pending


class Rig:
    def __init__(self, servers: str, stack: AsyncExitStack) -> None:
        self.servers, self._stack = servers, stack
        self.topics = Topics(new_namespace())
        self.group = f"{self.topics.namespace}-group"

    async def make_topics(
        self, *kinds: EventType, brokers: Sequence[Broker] = (Broker.PAPER,), partitions: int = 3
    ) -> list[str]:
        names = [
            self.topics.of(kind, Broker.SHARED if kind is EventType.MARKET_TICK else broker)
            for kind in kinds
            for broker in brokers
        ]
        await self._stack.enter_async_context(topics(self.servers, list(dict.fromkeys(names)), partitions))
        return names

    async def producer(self, **how: Any) -> RedpandaProducer:
        producer = RedpandaProducer(self.servers, self.topics, client_id="suite", **how)
        self._stack.push_async_callback(producer.stop)
        await producer.start()
        return producer

    def new_consumer(self, *names: str, group: str = "", **how: Any) -> RedpandaConsumer:
        consumer = RedpandaConsumer(self.servers, names, group_id=group or self.group, client_id="suite", **how)
        self._stack.push_async_callback(consumer.stop)
        return consumer

    async def consumer(self, *names: str, group: str = "", **how: Any) -> RedpandaConsumer:
        consumer = self.new_consumer(*names, group=group, **how)
        await consumer.start()
        return consumer

    def new_processor(self, name: str, handler: Recorder, policy: Policy | None = None, **how: Any) -> StreamProcessor:
        producer = RedpandaProducer(self.servers, self.topics, client_id="suite")
        consumer = self.new_consumer(name, **how)
        processor = StreamProcessor(consumer, producer, handler, broker=Broker.PAPER, service="suite", policy=policy)
        self._stack.push_async_callback(processor.stop)
        return processor

    async def processor(
        self, name: str, handler: Recorder, policy: Policy | None = None, **how: Any
    ) -> StreamProcessor:
        processor = self.new_processor(name, handler, policy, **how)
        await processor.start()
        return processor

    async def records(self, name: str, count: int = 0) -> list[Any]:
        """At least that many records of a topic, from its beginning, and all that are there by then; by other code."""
        consumer = AIOKafkaConsumer(name, bootstrap_servers=self.servers, group_id=None, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = consumer.assignment()
            assert partitions, f"there is no topic {name}"
            found: list[Any] = []
            async with asyncio.timeout(deadline_seconds()):
                while True:
                    for some in (await consumer.getmany(timeout_ms=100)).values():
                        found += some
                    ends = await consumer.end_offsets(partitions)
                    if len(found) >= max(count, sum(ends.values())):
                        return sorted(found, key=lambda record: (record.partition, record.offset))
        finally:
            await consumer.stop()

    async def events(self, name: str, count: int = 0) -> list[EventEnvelope]:
        return [decode(record.value) for record in await self.records(name, count)]

    async def committed(self, name: str, group: str = "") -> dict[int, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(group or self.group)
            return {tp.partition: found.offset for tp, found in offsets.items() if tp.topic == name}
        finally:
            await admin.close()

    async def wait_committed(self, name: str, total: int, group: str = "") -> None:
        async def probe() -> bool:
            found = await self.committed(name, group)
            assert sum(found.values()) == total, found
            return True

        await eventually_async(probe, f"{group or self.group} to have committed {total} records of {name}")


async def polled(consumer: RedpandaConsumer, count: int) -> list[Any]:
    """Records of as many batches as it takes to get that many."""
    found: list[Any] = []
    async with asyncio.timeout(deadline_seconds()):
        while len(found) < count:
            found += (await consumer.poll(0.25)).records()
    return found


def by_key(records: Sequence[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        grouped[record.key.decode()].append(record)
    return grouped
