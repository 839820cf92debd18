"""The streaming library on a real broker: producer, consumer, stream processor, envelope, topics, load."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from contract import all_topics
from proxy import Proxy
from rig import SIGNAL, Recorder, Rig, by_key, event, polled

from alpha_panda.events.data import DeadLetter, MarketTick, TradingSignal
from alpha_panda.events.envelope import Broker, EventEnvelope, EventType
from alpha_panda.events.evolution import decode
from alpha_panda.events.topics import BROKERS, SUFFIXES, RoutingError, Topics
from alpha_panda.feed import tick_event
from alpha_panda.streaming.breaker import CircuitBreaker, State
from alpha_panda.streaming.errors import BusinessError, ErrorClass, TransientError, classify
from alpha_panda.streaming.policy import Policy
from alpha_panda.streaming.processor import StreamProcessor
from alpha_panda.streaming.producer import RedpandaProducer
from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HASTY = Policy(attempts=3, first_delay_seconds=0.01, longest_delay_seconds=0.02, breaker_reset_seconds=0.05)
BAR = 100
"""Messages a second, as the team asks for at least."""


class TestRedpandaProducerIntegration:
    async def test_producer_message_publishing(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        sent = event("momentum-1")
        written = await (await rig.producer()).publish(sent)
        (record,) = await rig.records(name)
        assert (record.partition, record.offset) == (written.partition, written.offset)
        assert decode(record.value) == sent
        assert record.key == b"momentum-1"
        assert dict(record.headers) == {
            "event_type": b"trading_signal",
            "schema_version": b"2.0",
            "traceparent": sent.traceparent.encode(),
        }

    async def test_producer_batch_publishing_and_flush(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        producer = await rig.producer()
        sent = [event(f"s{number % 5}", quantity=number + 1) for number in range(500)]
        written = await producer.publish_all(sent)
        assert len({(part.partition, part.offset) for part in written}) == 500
        for key, records in by_key(await rig.records(name)).items():
            assert [decode(record.value).id for record in records] == [one.id for one in sent if one.key == key]
        publishing = asyncio.create_task(producer.publish_all(sent[:20]))
        await asyncio.sleep(0)  # all are in the client's hands
        assert not publishing.done()
        await producer.flush()
        for _ in range(5):  # turns of the event loop in which the acknowledgements are passed on
            await asyncio.sleep(0)
        assert publishing.done(), "a flush ends when everything that was sent is acknowledged"

    async def test_producer_error_handling_and_retry(self, rig: Rig) -> None:
        """Without a broker it says so, and can be started once there is one; after a failure it goes on."""
        await rig.make_topics(EventType.TRADING_SIGNAL)
        with Proxy.to(rig.servers) as proxy:
            proxy.cut()
            producer = RedpandaProducer(proxy.address, rig.topics, client_id="suite")
            with pytest.raises(KafkaConnectionError) as refused:
                await producer.start()
            assert classify(refused.value) is ErrorClass.TRANSIENT
            proxy.heal()
            await producer.start()
            await producer.stop()
        patient = await rig.producer()
        with pytest.raises(MessageSizeTooLargeError) as large:
            await patient.publish(event(metadata={"text": "x" * (1 << 20)}))
        assert classify(large.value) is ErrorClass.POISON, "it would never fit"
        assert (await patient.publish(event())).offset >= 0, "the producer goes on"

    async def test_producer_insists_on_a_key(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        producer = await rig.producer()
        with pytest.raises(ValueError, match=f"a record for {name} without a key"):
            await producer.republish(name, "", b"{}", [])
        for number in range(30):
            await producer.publish(event(f"key-{number % 3}"))
        records = await rig.records(name, 30)
        assert {record.key for record in records} == {b"key-0", b"key-1", b"key-2"}
        places = {(record.key, record.partition) for record in records}
        assert len(places) == 3, "all records of a key are in one partition"

    async def test_producer_gives_up_at_its_deadline(self, rig: Rig) -> None:
        """A topic that is not there gets no leader: the wait ends with what was waited for."""
        producer = await rig.producer(delivery_seconds=0.3)
        with pytest.raises(TransientError, match=r"has not acknowledged 1 records within 0\.3 s"):
            await producer.publish(event())


class TestRedpandaConsumerIntegration:
    async def test_consumer_message_consumption_with_deserialization(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        sent = [event(f"s{number}", price=f"100.{number:02}") for number in range(20)]
        await (await rig.producer()).publish_all(sent)
        found = [decode(record.value) for record in await polled(await rig.consumer(name), 20)]
        assert {one.id: one.payload(TradingSignal) for one in found} == {
            one.id: one.payload(TradingSignal) for one in sent
        }

    async def test_consumer_offset_management_and_manual_commits(self, rig: Rig) -> None:
        """What was not committed is read again by the next member; what was committed is not."""
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL, partitions=1)
        producer = await rig.producer()
        await producer.publish_all([event(quantity=number) for number in range(1, 11)])
        first = await rig.consumer(name, max_records=4)
        batch = await first.poll(30)
        assert await first.commit(batch)
        assert len(await first.poll(30)) == 4, "read, and never committed"
        await first.stop()
        assert await rig.committed(name) == {0: 4}
        again = await polled(await rig.consumer(name), 6)
        assert [decode(record.value).data["quantity"] for record in again] == [5, 6, 7, 8, 9, 10]

    async def test_consumer_partition_assignment_and_rebalancing(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        first, second = rig.new_consumer(name), rig.new_consumer(name)
        await first.start()
        await asyncio.wait_for(first.assigned.wait(), 30)
        assert len(first.assignment) == 3
        await second.start()

        async def shared() -> bool:
            parts = first.assignment, second.assignment
            await asyncio.gather(first.poll(0.05), second.poll(0.05))
            assert all(parts), parts
            assert not parts[0] & parts[1], parts
            assert len(parts[0] | parts[1]) == 3, parts
            return True

        await eventually_async(shared, "two members to share three partitions")
        await first.stop()

        async def taken_over() -> bool:
            await second.poll(0.05)
            assert len(second.assignment) == 3, second.assignment
            return True

        await eventually_async(taken_over, "the member that is left to have all of them")

    async def test_consumer_batches_are_bounded(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        await (await rig.producer()).publish_all([event(str(number)) for number in range(100)])
        consumer = await rig.consumer(name, max_records=7)
        sizes, total = [], 0
        while total < 100:
            sizes.append(len(await consumer.poll(1)))
            total += sizes[-1]
        assert max(sizes) == 7
        assert total == 100

    async def test_consumer_back_pressure(self, rig: Rig) -> None:
        """Paused, it reads nothing and stays a member; resumed, it goes on where it was."""
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        producer, consumer = await rig.producer(), await rig.consumer(name)
        await producer.publish_all([event(str(number)) for number in range(10)])
        before = {record.offset + 10 * record.partition for record in await polled(consumer, 10)}
        consumer.pause()
        await producer.publish_all([event(str(number)) for number in range(10)])
        assert len(await rig.records(name, 20)) == 20
        assert len(await consumer.poll(0.3)) == 0
        assert len(consumer.assignment) == 3
        consumer.resume()
        assert len(await polled(consumer, 10)) == 10
        assert len(before) == 10

    async def test_consumer_reports_its_lag(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        await (await rig.producer()).publish_all([event(str(number)) for number in range(10)])
        consumer = await rig.consumer(name, max_records=4)
        await asyncio.wait_for(consumer.assigned.wait(), 30)
        assert await consumer.lag() == 10
        batch = await consumer.poll(30)
        assert await consumer.lag() == 10, "reading is not committing"
        await consumer.commit(batch)
        assert await consumer.lag() == 10 - len(batch)


class TestStreamProcessorIntegration:
    async def test_complete_message_processing_flow(self, rig: Rig) -> None:
        name, validated, dead = await rig.make_topics(
            EventType.TRADING_SIGNAL, EventType.SIGNAL_VALIDATED, EventType.DEAD_LETTER
        )
        handler = Recorder(lambda one: [one.child(EventType.SIGNAL_VALIDATED, one.data, source="suite")])
        await rig.processor(name, handler)
        sent = [event(f"s{number}") for number in range(25)]
        await (await rig.producer()).publish_all(sent)
        followed = await rig.events(validated, 25)
        assert {one.causation_id for one in followed} == {one.id for one in sent}
        assert len(followed) == 25
        await rig.wait_committed(name, 25)
        assert await rig.events(dead) == []

    async def test_error_handling_and_dlq_routing(self, rig: Rig) -> None:
        """Each class of error takes its way, and none holds up what is behind it."""
        name, dead = await rig.make_topics(EventType.TRADING_SIGNAL, EventType.DEAD_LETTER)
        errors = {
            "poison": KeyError("no such thing"),
            "business": BusinessError("over the limit"),
            "transient": OSError(5, "flaky"),
        }

        def react(one: EventEnvelope) -> Sequence[EventEnvelope]:
            if one.key in errors:
                raise errors[one.key]
            return ()

        await rig.processor(name, Recorder(react), HASTY)
        producer = await rig.producer()
        sent = {key: event(key) for key in ("fine", *errors, "fine too")}
        for one in sent.values():
            await producer.publish(one)
        await producer.republish(name, "broken", b"\xff{", [])
        letters = {one.key: one.payload(DeadLetter) for one in await rig.events(dead, 4)}
        found = {key: (one.error_class, one.error_type, one.attempts) for key, one in letters.items()}
        assert found == {
            "poison": ("poison", "KeyError", 1),
            "business": ("business", "BusinessError", 1),
            "transient": ("transient", "OSError", HASTY.attempts),
            "broken": ("poison", "PoisonError", 1),
        }
        assert decode(letters["poison"].value.encode()) == sent["poison"], "the whole record is kept"
        assert (letters["broken"].encoding, letters["broken"].value) == ("base64", "/3s=")
        await rig.wait_committed(name, 6)

    async def test_transient_error_is_tried_again(self, rig: Rig) -> None:
        name, dead = await rig.make_topics(EventType.TRADING_SIGNAL, EventType.DEAD_LETTER)
        failures = iter([TransientError("not yet"), TransientError("not yet")])

        def react(_: EventEnvelope) -> Sequence[EventEnvelope]:
            if (error := next(failures, None)) is not None:
                raise error
            return ()

        handler = Recorder(react)
        await rig.processor(name, handler, HASTY)
        await (await rig.producer()).publish(event())
        await rig.wait_committed(name, 1)
        assert (len(handler.handled), len(handler.applied)) == (3, 1)
        assert await rig.events(dead) == []

    async def test_exhausted_retries_become_a_dead_letter(self, rig: Rig) -> None:
        name, dead = await rig.make_topics(EventType.TRADING_SIGNAL, EventType.DEAD_LETTER)
        handler = Recorder(_raising(lambda: TransientError("never")))
        await rig.processor(name, handler, HASTY)
        sent = event()
        await (await rig.producer()).publish(sent)
        (letter,) = await rig.events(dead, 1)
        assert (letter.correlation_id, letter.causation_id, letter.trace_id) == (
            sent.correlation_id,
            sent.id,
            sent.trace_id,
        )
        assert letter.payload(DeadLetter).attempts == len(handler.handled) == HASTY.attempts
        assert not handler.applied, "a replay of the letter will be handled"

    async def test_refusal_is_not_tried_again(self, rig: Rig) -> None:
        name, rejected, dead = await rig.make_topics(
            EventType.TRADING_SIGNAL, EventType.SIGNAL_REJECTED, EventType.DEAD_LETTER
        )

        def react(one: EventEnvelope) -> Sequence[EventEnvelope]:
            raise BusinessError("no", (one.child(EventType.SIGNAL_REJECTED, {"why": "no"}, source="suite"),))

        handler = Recorder(react)
        await rig.processor(name, handler, HASTY)
        sent = event()
        await (await rig.producer()).publish(sent)
        (letter,), (told,) = await rig.events(dead, 1), await rig.events(rejected, 1)
        assert len(handler.handled) == 1
        assert letter.causation_id == told.causation_id == sent.id
        assert letter.payload(DeadLetter).error_class == ErrorClass.BUSINESS

    async def test_nothing_is_committed_before_it_is_durable(self, rig: Rig) -> None:
        """While the handler cannot make its effects durable, the batch is read again, from the same offsets."""
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        handler = Recorder()
        offsets: list[int] = []
        failures = iter(range(2))

        async def fail_twice() -> None:
            offsets.append(sum((await rig.committed(name)).values()))
            if next(failures, None) is not None:
                raise ConnectionError("the database is away")

        handler.on_complete = fail_twice
        await rig.processor(name, handler, HASTY)
        sent = event()
        await (await rig.producer()).publish(sent)
        await rig.wait_committed(name, 1)
        assert [one.id for one in handler.handled] == [sent.id] * 3
        assert all(offset <= 0 for offset in offsets), offsets

    async def test_circuit_breaker_opens_and_recovers(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        handler = Recorder()
        away = True
        tried: list[float] = []

        async def begin() -> None:
            tried.append(time.monotonic())
            if away:
                raise ConnectionError("the database is away")

        handler.on_begin = begin
        breaker = CircuitBreaker(failures=2, reset_seconds=0.1)
        consumer, producer = rig.new_consumer(name), RedpandaProducer(rig.servers, rig.topics, client_id="suite")
        processor = StreamProcessor(
            consumer, producer, handler, broker=Broker.PAPER, service="suite", policy=HASTY, breaker=breaker
        )
        await processor.start()
        try:
            sender = await rig.producer()
            await sender.publish_all([event(str(number)) for number in range(20)])

            async def opened() -> bool:
                assert breaker.openings >= 3, f"{breaker.openings} openings, {len(tried)} tries"
                return True

            await eventually_async(opened, "the breaker to have opened, and twice more when it was tried")
            assert not handler.handled
            away = False
            await rig.wait_committed(name, 20)
            assert breaker.state is State.CLOSED
            assert len({one.id for one in handler.handled}) == 20
            assert all(after - before >= 0.1 for before, after in pairwise(tried[1:4])), f"not left alone: {tried}"
        finally:
            await processor.stop()

    async def test_event_that_comes_twice_is_handled_once(self, rig: Rig) -> None:
        name, validated = await rig.make_topics(EventType.TRADING_SIGNAL, EventType.SIGNAL_VALIDATED)
        handler = Recorder(lambda one: [one.child(EventType.SIGNAL_VALIDATED, one.data, source="suite")])
        await rig.processor(name, handler)
        producer, sent = await rig.producer(), event()
        await producer.publish_all([sent, sent])  # in one batch, most likely
        await rig.wait_committed(name, 2)
        await producer.publish(sent)
        await rig.wait_committed(name, 3)
        assert [one.id for one in handler.handled] == [sent.id]
        assert len(await rig.events(validated)) == 1


class TestEventEnvelopeIntegration:
    async def test_envelope_serialization_through_redpanda(self, rig: Rig) -> None:
        (name,) = await rig.make_topics(EventType.MARKET_TICK)
        tick = MarketTick.model_validate(
            {
                "instrument_token": (1 << 53) - 1,
                "last_price": "12345678.00000001",
                "timestamp": "2025-08-24T09:15:00.123456+05:30",
                "ohlc": {"open": "1", "high": "3.5", "low": "0.5", "close": "2"},
            }
        )
        sent = tick_event(tick)
        await (await rig.producer()).publish(sent)
        (found,) = await rig.events(name)
        assert found == sent
        assert found.payload(MarketTick) == tick, "to the last digit"

    async def test_event_chain_correlation(self, rig: Rig) -> None:
        """Through two processors and three topics."""
        raw, validated, placed = await rig.make_topics(
            EventType.TRADING_SIGNAL, EventType.SIGNAL_VALIDATED, EventType.ORDER_PLACED
        )
        for name, follows in ((raw, EventType.SIGNAL_VALIDATED), (validated, EventType.ORDER_PLACED)):
            handler = Recorder(lambda one, follows=follows: [one.child(follows, {}, source="suite")])
            await rig.processor(name, handler, group=f"{rig.group}-{follows}")
        sent = event()
        await (await rig.producer()).publish(sent)
        (second,), (third,) = await rig.events(validated, 1), await rig.events(placed, 1)
        assert (second.causation_id, third.causation_id) == (sent.id, second.id)
        assert {second.correlation_id, third.correlation_id} == {sent.correlation_id}
        assert (second.parent_span_id, third.parent_span_id) == (sent.span_id, second.span_id)
        assert {second.trace_id, third.trace_id} == {sent.trace_id}

    async def test_unknown_version_becomes_a_dead_letter(self, rig: Rig) -> None:
        name, dead = await rig.make_topics(EventType.TRADING_SIGNAL, EventType.DEAD_LETTER)
        handler = Recorder()
        await rig.processor(name, handler)
        producer, sent = await rig.producer(), event()
        future = sent.model_copy(update={"schema_version": "3.0"})
        await producer.publish(future)
        (letter,) = await rig.events(dead, 1)
        assert "schema version 3.0: this service reads 1.x to 2.x" in letter.payload(DeadLetter).message
        assert not handler.handled


class TestTopicConfigurationIntegration:
    async def test_broker_topic_segregation(self, rig: Rig) -> None:
        """The same events of both brokers: each on topics of its own, none on the other's."""
        names = {
            broker: await rig.make_topics(EventType.TRADING_SIGNAL, EventType.ORDER_FILLED, brokers=[broker])
            for broker in BROKERS
        }
        producer = await rig.producer()
        for broker in BROKERS:
            one = event(broker=broker)
            await producer.publish_all([one, one.child(EventType.ORDER_FILLED, {}, source="suite")])
        for broker in BROKERS:
            found = [one.broker for name in names[broker] for one in await rig.events(name)]
            assert found == [broker, broker]
        assert not set(names[Broker.PAPER]) & set(names[Broker.ZERODHA])

    async def test_shared_market_data_topic(self, rig: Rig) -> None:
        """One topic for all brokers, read by a group of each."""
        (name,) = await rig.make_topics(EventType.MARKET_TICK)
        tick = tick_event(
            MarketTick.model_validate({"instrument_token": 7, "last_price": "1", "timestamp": SIGNAL["timestamp"]})
        )
        await (await rig.producer()).publish(tick)
        for broker in BROKERS:
            consumer = await rig.consumer(name, group=f"{rig.group}-{broker}")
            assert [decode(record.value) for record in await polled(consumer, 1)] == [tick]
        topics = Topics()
        assert topics.for_event(tick) == "market.ticks"
        assert set(topics.all()) == set(all_topics()), "as the manifest has them"
        assert len(topics.all()) == 1 + len(BROKERS) * len(SUFFIXES)

    async def test_events_cannot_reach_the_other_broker(self, rig: Rig) -> None:
        """The producer refuses what belongs nowhere; what is on the wrong topic nevertheless is a dead letter."""
        name, dead = await rig.make_topics(EventType.TRADING_SIGNAL, EventType.DEAD_LETTER)
        producer, handler = await rig.producer(), Recorder()
        with pytest.raises(RoutingError, match="its broker is shared, expected paper or zerodha"):
            await producer.publish(event(broker=Broker.SHARED))
        await rig.processor(name, handler)
        stray = event(broker=Broker.ZERODHA)
        await producer.republish(name, stray.key, stray.encode(), [])
        (letter,) = await rig.events(dead, 1)
        assert letter.payload(DeadLetter).message == f"trading_signal of zerodha on {name}, which paper reads"
        nobody = event(broker=Broker.SHARED)
        await producer.republish(name, nobody.key, nobody.encode(), [])
        assert len(await rig.events(dead, 2)) == 2
        assert not handler.handled


class TestPerformanceIntegration:
    @pytest.mark.slow
    async def test_high_throughput_publishing(self, rig: Rig, record_property: Callable[[str, object], None]) -> None:
        """More than 100 messages a second, each acknowledged by the broker."""
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        producer = await rig.producer()
        sent = [event(f"s{number % 20}") for number in range(5000)]
        started = time.perf_counter()
        await producer.publish_all(sent)
        rate = len(sent) / (time.perf_counter() - started)
        record_property("published_per_second", round(rate))
        print(f"{len(sent)} events published and acknowledged, {rate:.0f} a second")
        assert Counter(one.id for one in await rig.events(name)) == Counter(one.id for one in sent)
        assert rate > BAR

    @pytest.mark.slow
    async def test_message_ordering_within_partitions(self, rig: Rig) -> None:
        """Under load, through a processor: the events of a key are handled in the order in which they were written."""
        (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
        handler = Recorder()
        await rig.processor(name, handler)
        producers = [await rig.producer() for _ in range(4)]
        sent = {key: [event(f"key-{key}", quantity=number) for number in range(1, 501)] for key in range(4)}
        await asyncio.gather(*(producer.publish_all(sent[key]) for key, producer in enumerate(producers)))
        await rig.wait_committed(name, 2000)
        for key in range(4):
            handled = [one.data["quantity"] for one in handler.handled if one.key == f"key-{key}"]
            assert handled == list(range(1, 501))
        places = {(record.key, record.partition) for record in await rig.records(name)}
        assert len(places) == 4


def _raising(error: Callable[[], Exception]) -> Callable[[EventEnvelope], Sequence[EventEnvelope]]:
    def react(_: EventEnvelope) -> Sequence[EventEnvelope]:
        raise error()

    return react
