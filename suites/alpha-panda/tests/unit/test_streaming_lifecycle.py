"""Producers, consumers and processors start, stop, and leave nothing behind. With a real broker."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import KafkaConnectionError
from rig import Recorder, Rig, event, polled

from alpha_panda.events.envelope import Broker, EventType
from alpha_panda.streaming.consumer import RedpandaConsumer, TopicsMissingError
from alpha_panda.streaming.processor import StreamProcessor
from alpha_panda.streaming.producer import RedpandaProducer
from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses connections: the port is taken by a socket that does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if not task.done()}


async def no_more_than(before: set[asyncio.Task[object]]) -> None:
    async def probe() -> bool:
        left = tasks() - before
        assert not left, left
        return True

    await eventually_async(probe, "every task of the clients to have ended")


class TestProducerLifecycle:
    async def test_producer_start_stop_lifecycle(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        producer = RedpandaProducer(rig.servers, rig.topics, client_id="suite")
        assert not producer.running
        await producer.start()
        assert producer.running
        await producer.publish(event())
        await producer.stop()
        assert not producer.running
        with pytest.raises(RuntimeError, match="not started"):
            await producer.publish(event())
        assert len(await rig.records(name)) == 1

    async def test_producer_operations_are_idempotent(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        producer = RedpandaProducer(rig.servers, rig.topics, client_id="suite")
        await producer.stop()
        for _ in range(2):  # it can be used again, too
            await producer.start()
            before = tasks()
            await producer.start()
            assert tasks() <= before, "a second start connects nobody"
            await producer.publish(event())
            await producer.stop()
            await producer.stop()
        assert len(await rig.records(name)) == 2


class TestConsumerLifecycle:
    async def test_consumer_lifecycle_management(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        consumer = RedpandaConsumer(rig.servers, [name], group_id=rig.group, client_id="suite")
        await consumer.stop()
        await consumer.start()
        await consumer.start()
        await asyncio.wait_for(consumer.assigned.wait(), 30)
        assert len(consumer.assignment) == 3
        await (await rig.producer()).publish(event())
        assert len(await polled(consumer, 1)) == 1
        await consumer.stop()
        await consumer.stop()
        assert (consumer.running, consumer.assignment, consumer.assigned.is_set()) == (False, frozenset(), False)
        with pytest.raises(RuntimeError, match="not started"):
            await consumer.poll(0)


class TestStreamProcessorLifecycle:
    async def test_stream_processor_proper_shutdown(self, rig: Rig) -> None:
        """The batch in hand is finished: nothing is handled twice by the next one."""
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        handler = Recorder()
        processor = await rig.processor(name, handler)
        await (await rig.producer()).publish_all([event(str(number)) for number in range(50)])

        async def probe() -> bool:
            assert handler.handled, "no event was handled"
            return True

        await eventually_async(probe, "the first batch")
        await processor.stop()
        assert not processor.running
        await processor.start()
        await rig.wait_committed(name, 50)
        await processor.stop()
        assert len(handler.handled) == 50

    async def test_resource_cleanup_after_stop(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        before = tasks()
        processor = rig.new_processor(name, Recorder())
        await processor.start()
        assert processor.running
        assert tasks() - before
        await processor.stop()
        await processor.stop()
        await no_more_than(before)

    async def test_task_cancellation(self, rig: Rig) -> None:
        """A batch that does not end is cut off; its offsets are not committed, and it is read again."""
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        stuck, forever = asyncio.Event(), asyncio.Event()
        handler = Recorder()

        async def hang() -> None:
            stuck.set()
            await forever.wait()

        handler.on_complete = hang
        processor = await rig.processor(name, handler)
        await (await rig.producer()).publish(event())
        await asyncio.wait_for(stuck.wait(), 30)
        await processor.stop()
        assert sum((await rig.committed(name)).values()) <= 0
        again = Recorder()
        await rig.processor(name, again)
        await rig.wait_committed(name, 1)
        assert [found.id for found in again.handled] == [found.id for found in handler.handled]
        assert not processor.running

    async def test_failed_start_leaves_nothing_behind(self, rig: Rig, nobody: str) -> None:
        before = tasks()
        producer = RedpandaProducer(nobody, rig.topics, client_id="suite")
        with pytest.raises(KafkaConnectionError):
            await producer.start()
        consumer = RedpandaConsumer(rig.servers, ["not.there"], group_id=rig.group, client_id="suite")
        with pytest.raises(TopicsMissingError, match=r"has no topic not\.there"):
            await consumer.start()
        both = StreamProcessor(
            RedpandaConsumer(rig.servers, ["not.there"], group_id=rig.group, client_id="suite"),
            RedpandaProducer(rig.servers, rig.topics, client_id="suite"),
            Recorder(),
            broker=Broker.PAPER,
            service="suite",
        )
        with pytest.raises(TopicsMissingError):
            await both.start()
        assert [part.running for part in (producer, consumer, both)] == [False, False, False]
        await no_more_than(before)
