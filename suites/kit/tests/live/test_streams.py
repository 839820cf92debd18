"""What a stream asserts, each once when it holds and once when it does not: then the message shows the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seatrial_kit.kafka import assert_consumer_lag_zero, consumer_lag
from seatrial_kit.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seatrial_kit.kafka.async_stream import AsyncKafkaStream
    from seatrial_kit.kafka.stream import KafkaStream

pytestmark = [pytest.mark.kafka, pytest.mark.integration]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is not to happen."""
    monkeypatch.setenv("SUITE_DEADLINE_SECONDS", "0.5")


def send(producer: Any, topic: str, key: str, **value: object) -> None:
    producer.send(topic, key=key, value=value)
    producer.flush()


def test_eventually(
    kafka_stream: Callable[..., KafkaStream], kafka_producer: Any, kafka_topic: Callable[..., str]
) -> None:
    topic = kafka_topic(partitions=3)
    send(kafka_producer, topic, "before", n=0)
    stream = kafka_stream(topic)
    send(kafka_producer, topic, "a", n=1)
    send(kafka_producer, topic, "b", n=2)
    assert stream.next({"n": 2}).key == "b"
    assert stream.next().key == "a", "what was passed over is still there"
    assert kafka_stream(topic, since="beginning").next({"n": 0}).key == "before"


@pytest.mark.usefixtures("quick")
def test_what_does_not_come_shows_the_stream(
    kafka_stream: Callable[..., KafkaStream], kafka_producer: Any, kafka_topic: Callable[..., str]
) -> None:
    topic = kafka_topic("orders")
    stream = kafka_stream(topic)
    send(kafka_producer, topic, "BTC", type="opened", price="1.5")
    with pytest.raises(AssertionError) as failure:
        stream.next({"type": "closed"}, "the position to be closed")
    assert f"waited 0.5 s for the position to be closed on {topic}" in str(failure.value)
    assert f'+  0.000 s  {topic}[0]@0  BTC  {{"type": "opened", "price": "1.5"}}' in str(failure.value)


def test_exactly_these_in_order_per_key(
    kafka_stream: Callable[..., KafkaStream], kafka_producer: Any, kafka_topic: Callable[..., str]
) -> None:
    topic = kafka_topic(partitions=3)
    stream = kafka_stream(topic)
    for number in range(20):
        for key in ("BTC", "ETH"):
            kafka_producer.send(topic, key=key, value={"n": number})
    kafka_producer.flush()
    numbers = [{"n": number} for number in range(20)]
    stream.exactly({"BTC": numbers, "ETH": numbers})
    stream.no_further()
    send(kafka_producer, topic, "BTC", n=20)
    with pytest.raises(AssertionError, match=r"expected no further event, but there are 1: \S+@\d+\n"):
        stream.no_further()
    with pytest.raises(AssertionError) as failure:
        stream.exactly({"BTC": [{"n": 1}, {"n": 0}, *numbers[2:], {"n": 20}, {"n": 21}][:21], "SOL": [{"n": 0}]})
    message = str(failure.value)
    assert 'key BTC, event 1: expected an event with {"n": 1}, seen ' in message
    assert "key SOL: expected 1 events, seen 0" in message
    assert "key ETH: expected 0 events, seen 20" in message
    assert "the stream (41 events):" in message


@pytest.mark.asyncio
async def test_the_same_on_asyncio(
    async_kafka_stream: Callable[..., Awaitable[AsyncKafkaStream]],
    async_kafka_producer: Any,
    kafka_topic: Callable[..., str],
) -> None:
    topic, letters = kafka_topic(partitions=3), kafka_topic("dlq")
    stream = await async_kafka_stream(topic, letters)
    for number in range(5):
        await async_kafka_producer.send_and_wait(topic, {"n": number}, key="BTC")
    assert (await stream.next({"n": 3})).key == "BTC"
    await stream.exactly({"BTC": [{"n": number} for number in range(5)]})
    await stream.no_further()
    await stream.dead_letters_empty(letters)
    await async_kafka_producer.send_and_wait(letters, {"error": "no such symbol"}, key="BTC")
    with pytest.raises(AssertionError, match=r"expected no dead letters, but there are 1(?s:.*)no such symbol"):
        await stream.dead_letters_empty(letters)
    with pytest.raises(AssertionError, match="there are 1"):
        await stream.no_further()
    with pytest.raises(AssertionError, match=r"has no event_id(?s:.*)the stream"):
        await stream.causation_complete()


def test_causation_chain(
    kafka_stream: Callable[..., KafkaStream], kafka_producer: Any, kafka_topic: Callable[..., str]
) -> None:
    ticks, signals, fills = kafka_topic("ticks"), kafka_topic("signals"), kafka_topic("fills")
    stream = kafka_stream(ticks, signals, fills)
    for flow in ("c1", "c2"):
        send(kafka_producer, ticks, "BTC", event_id=f"{flow}-1", causation_id=None, correlation_id=flow)
        send(kafka_producer, signals, "BTC", event_id=f"{flow}-2", causation_id=f"{flow}-1", correlation_id=flow)
        send(kafka_producer, fills, "BTC", event_id=f"{flow}-3", causation_id=f"{flow}-2", correlation_id=flow)
    stream.causation_complete(through=[ticks, signals, fills])
    with pytest.raises(AssertionError, match=r"correlation c1: expected .*, seen"):
        stream.causation_complete(through=[ticks, fills])
    send(kafka_producer, fills, "BTC", event_id="c1-4", causation_id="lost", correlation_id="c1")
    with pytest.raises(AssertionError, match=r"fills\[0\]@2 was caused by lost, which is not in the stream(?s:.*)c1-4"):
        stream.causation_complete()
    stream.causation_complete(where={"correlation_id": "c2"})


def test_dead_letters(
    kafka_stream: Callable[..., KafkaStream], kafka_producer: Any, kafka_topic: Callable[..., str]
) -> None:
    letters = kafka_topic("dlq")
    stream = kafka_stream(letters, since="beginning")
    stream.dead_letters_empty(letters)
    kafka_producer.send(letters, key="k", value=b"\xff not JSON")
    kafka_producer.flush()
    with pytest.raises(AssertionError, match=r"no dead letters, but there are 1: (?s:.*)not JSON: b'\\xff not JSON'"):
        stream.dead_letters_empty(letters)
    with pytest.raises(ValueError, match="not other"):
        stream.dead_letters_empty("other")


def test_a_topic_that_is_not_there(kafka_stream: Callable[..., KafkaStream]) -> None:
    with pytest.raises(AssertionError, match="has no topic no-such-topic"):
        kafka_stream("no-such-topic")


def test_consumer_lag(
    kafka_consumer: Callable[..., Any],
    kafka_producer: Any,
    kafka_topic: Callable[..., str],
    kafka_stream: Callable[..., KafkaStream],
) -> None:
    topic = kafka_topic("inputs", partitions=2)
    group = f"archon-intelligence-test-{topic}"
    for number in range(10):
        kafka_producer.send(topic, key=str(number), value={"n": number})
    kafka_producer.flush()
    assert sum(lag.records for lag in consumer_lag(group, [topic])) == 10
    with pytest.raises(AssertionError) as failure:
        assert_consumer_lag_zero(group, [topic], seconds=0.2)
    assert f"group {group} to have read all of {topic}" in str(failure.value)
    assert f"{topic}[0]: committed nothing, end" in str(failure.value)
    with pytest.raises(AssertionError, match="there is no topic no-such-topic"):
        assert_consumer_lag_zero(group, ["no-such-topic"], seconds=0.2)
    consumer = kafka_consumer([topic], topic)
    read: list[Any] = []

    def all_read() -> bool:
        read.extend(record for records in consumer.poll(timeout_ms=500).values() for record in records)
        return len(read) == 10

    eventually(all_read, "ten records")
    consumer.commit()
    assert_consumer_lag_zero(group, [topic])
    kafka_stream(topic, group=group, inputs=[topic]).no_further()
