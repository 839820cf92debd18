"""Each fixture and each function for Kafka, used as the documentation shows it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kafka.errors import MessageSizeTooLargeError

from seatrial_kit.events import Undecodable
from seatrial_kit.kafka import (
    KafkaTestConfig,
    consume_response,
    create_test_topics,
    publish_test_event,
    track_event_flow,
    verify_kafka_connectivity,
    wait_for_kafka,
)
from seatrial_kit.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from inner import Inner

    from seatrial_kit.kafka.async_stream import AsyncKafkaStream
    from seatrial_kit.kafka.stream import KafkaStream

pytestmark = [pytest.mark.kafka, pytest.mark.integration]
CLOSED = "127.0.0.1:1"


def test_list_topics(kafka_admin_client: Any, kafka_test_topics: Mapping[str, str]) -> None:
    topics = kafka_admin_client.list_topics()
    assert set(topics) >= set(kafka_test_topics.values())


def test_topics_exist(kafka_test_topics: Mapping[str, str]) -> None:
    assert kafka_test_topics["validation_request"] == "omninode.codegen.request.validate.v1"
    assert set(kafka_test_topics) == set(KafkaTestConfig.DEFAULT_TOPICS)


def test_publish_event(
    kafka_producer: Any, kafka_test_topics: Mapping[str, str], kafka_stream: Callable[..., KafkaStream]
) -> None:
    correlation_id = str(uuid.uuid4())
    topic = kafka_test_topics["validation_request"]
    stream = kafka_stream(topic)
    kafka_producer.send(topic, value={"data": "test", "correlation_id": correlation_id})
    kafka_producer.flush()
    assert stream.next({"correlation_id": correlation_id}).value["data"] == "test"


def test_consume_event(
    kafka_consumer: Callable[..., Any], kafka_producer: Any, kafka_topic: Callable[..., str]
) -> None:
    topic = kafka_topic("responses")
    consumer = kafka_consumer([topic], f"test-group-{uuid.uuid4()}")
    kafka_producer.send(topic, value={"answer": 42})
    kafka_producer.flush()
    messages = eventually(lambda: consumer.poll(timeout_ms=500) or None, "a message")
    assert [record.value for records in messages.values() for record in records] == [{"answer": 42}]
    consumer.close()


def test_a_record_that_is_not_json_does_not_end_a_consumer(
    kafka_consumer: Callable[..., Any], kafka_producer: Any, kafka_topic: Callable[..., str]
) -> None:
    topic = kafka_topic()
    kafka_producer.send(topic, value=b"{")
    kafka_producer.send(topic, value={"n": 1})
    kafka_producer.flush()
    consumer = kafka_consumer([topic], f"{uuid.uuid4()}")
    values: list[Any] = []

    def both() -> bool:
        values.extend(record.value for records in consumer.poll(timeout_ms=500).values() for record in records)
        return len(values) == 2

    eventually(both, "two records")
    assert values == [Undecodable(b"{"), {"n": 1}]


def test_kafka_feature(*, kafka_connectivity_check: bool) -> None:
    assert kafka_connectivity_check


def test_what_was_not_acknowledged_fails_in_flush(kafka_producer: Any, kafka_topic: Callable[..., str]) -> None:
    topic = kafka_topic("small", **{"max.message.bytes": "200"})
    kafka_producer.send(topic, value="x" * 1000)
    with pytest.raises(MessageSizeTooLargeError):
        kafka_producer.flush()


def test_what_was_not_acknowledged_fails_the_test(inner: Inner) -> None:
    status, output = inner.run("""
def test_it(kafka_producer, kafka_topic):
    kafka_producer.send(kafka_topic("small", **{"max.message.bytes": "200"}), value="x" * 1000)
""")
    assert status == 1
    assert "ERROR at teardown of test_it" in output
    assert "MessageSizeTooLargeError" in output


def test_the_same_on_asyncio_what_was_not_acknowledged_fails_the_test(inner: Inner) -> None:
    status, output = inner.run("""
import pytest
from aiokafka.errors import MessageSizeTooLargeError

@pytest.fixture
def small(kafka_topic):
    return kafka_topic("small", **{"max.message.bytes": "200"})

@pytest.mark.asyncio
async def test_at_its_end(async_kafka_producer, small):
    await async_kafka_producer.send(small, "x" * 1000)

@pytest.mark.asyncio
async def test_once(async_kafka_producer, small):
    with pytest.raises(MessageSizeTooLargeError):
        await async_kafka_producer.send_and_wait(small, "x" * 1000)
    await async_kafka_producer.send(small, "x" * 1000)
    with pytest.raises(MessageSizeTooLargeError):
        await async_kafka_producer.flush()
""")
    assert status == 1
    assert "2 passed, 1 error" in output
    assert "ERROR at teardown of test_at_its_end" in output
    assert "MessageSizeTooLargeError" in output


def test_a_suites_own_configuration_is_used(inner: Inner) -> None:
    """The one broker cannot have a second replica of anything."""
    status, output = inner.run("""
import pytest
from seatrial_kit.kafka import KafkaTestConfig

class Orders(KafkaTestConfig):
    REPLICATION_FACTOR = 2

    @classmethod
    def get_producer_config(cls):
        return {**super().get_producer_config(), "acks": 1, "client_id": "orders"}

@pytest.fixture(scope="session")
def kafka_test_config():
    return Orders

def test_topics(kafka_topic):
    with pytest.raises(Exception, match="InvalidReplicationFactor|replication factor"):
        kafka_topic()

@pytest.mark.asyncio
async def test_producer(async_kafka_producer):
    assert async_kafka_producer.client._client_id == "orders"
""")
    assert status == 0, output


def test_a_group_is_deleted_with_its_test(inner: Inner, kafka_admin_client: Any) -> None:
    group = f"{uuid.uuid4()}"
    status, output = inner.run(f"""
def test_it(kafka_consumer, kafka_admin_client, kafka_topic, kafka_producer):
    topic = kafka_topic()
    consumer = kafka_consumer([topic], "{group}")
    kafka_producer.send(topic, value=1)
    kafka_producer.flush()
    assert any(consumer.poll(timeout_ms=500) for _ in range(60))
    consumer.commit()
    groups = [group["group_id"] for group in kafka_admin_client.list_groups()]
    print("groups", groups)
    assert "archon-intelligence-test-{group}" in groups
    assert 0, "a failed test is cleaned, too"
""")
    assert status == 1
    assert "a failed test is cleaned, too" in output
    assert group not in str(kafka_admin_client.list_groups())


def test_verify_kafka_connectivity() -> None:
    assert verify_kafka_connectivity()
    assert not verify_kafka_connectivity(CLOSED, timeout_seconds=0.3)


def test_wait_for_kafka() -> None:
    assert wait_for_kafka(max_retries=10, delay_seconds=2)
    assert not wait_for_kafka(max_retries=2, delay_seconds=0.01, bootstrap_servers=CLOSED)


def test_create_test_topics(kafka_admin_client: Any) -> None:
    name = f"test.custom.{uuid.uuid4().hex}.v1"
    try:
        assert create_test_topics(topics=[name], num_partitions=2, replication_factor=1) == [name]
        assert create_test_topics(topics=[name], num_partitions=2, replication_factor=1) == []
        described = kafka_admin_client.describe_topics([name])
        assert len(described[0]["partitions"]) == 2
    finally:
        kafka_admin_client.delete_topics([name])
    create_test_topics()
    assert set(kafka_admin_client.list_topics()) >= set(KafkaTestConfig.DEFAULT_TOPICS.values())


def test_a_topic_of_a_test_goes_with_it(inner: Inner, kafka_admin_client: Any) -> None:
    status, output = inner.run("def test_it(kafka_topic):\n    print('made', kafka_topic('orders'))\n    assert 0\n")
    assert status == 1
    name = next(line.split()[1] for line in output.splitlines() if line.startswith("made "))
    assert name.endswith(".orders")
    eventually(lambda: name not in kafka_admin_client.list_topics(), f"{name} to be gone")


@pytest.mark.asyncio
async def test_publish_test_event_and_consume_response(
    kafka_producer: Any, kafka_consumer: Callable[..., Any], kafka_topic: Callable[..., str]
) -> None:
    topic, correlation_id = kafka_topic("responses"), str(uuid.uuid4())
    consumer = kafka_consumer([topic], f"test-{correlation_id}")
    await publish_test_event(kafka_producer, topic, {"quality_score": 1.0}, "another")
    await publish_test_event(kafka_producer, topic, {"quality_score": 0.5}, correlation_id)
    response = await consume_response(consumer, correlation_id)
    assert response == {"correlation_id": correlation_id, "quality_score": 0.5}
    assert await consume_response(consumer, "nobody's", timeout_seconds=0.3) is None
    assert await consume_response(consumer, "another"), "what was read on the way is still there"


def test_a_consumer_knows_its_partitions_before_it_joins(
    kafka_producer: Any, kafka_consumer: Callable[..., Any], kafka_topic: Callable[..., str]
) -> None:
    """A second join, made when they become known, may be lost: then nothing is read for ever."""
    topic = kafka_topic("responses")
    consumer = kafka_consumer([topic], f"test-{uuid.uuid4()}")
    kafka_producer.send(topic, value={}).get(30)
    eventually(lambda: consumer.poll(timeout_ms=200), f"the record in {topic}")
    assert consumer.group_metadata().generation_id == 1


def test_a_consumer_has_its_connections_before_it_reads(
    kafka_consumer: Callable[..., Any], kafka_topic: Callable[..., str]
) -> None:
    """One that is closed while it makes a connection leaves the socket open."""
    consumer = kafka_consumer([kafka_topic("responses")], f"test-{uuid.uuid4()}")
    broker_and_coordinator = 2
    assert consumer.metrics()["consumer-metrics"]["connection-count"] == broker_and_coordinator


@pytest.mark.asyncio
async def test_the_same_on_asyncio(
    async_kafka_producer: Any,
    async_kafka_consumer: Callable[..., Awaitable[Any]],
    async_kafka_admin_client: Any,
    async_kafka_stream: Callable[..., Awaitable[AsyncKafkaStream]],
    kafka_topic: Callable[..., str],
) -> None:
    topic, correlation_id = kafka_topic("responses"), str(uuid.uuid4())
    assert topic in await async_kafka_admin_client.list_topics()
    stream = await async_kafka_stream(topic)
    consumer = await async_kafka_consumer([topic], f"test-{correlation_id}")
    metadata = await publish_test_event(async_kafka_producer, topic, {"quality_score": 0.5}, correlation_id, key="k")
    assert (metadata.topic, metadata.offset) == (topic, 0)
    assert await consume_response(consumer, correlation_id) == {"correlation_id": correlation_id, "quality_score": 0.5}
    event = await stream.next({"correlation_id": correlation_id})
    assert (event.key, event.headers) == ("k", {"correlation_id": correlation_id})
    assert await consume_response(consumer, correlation_id, timeout_seconds=0.3) is None


@pytest.mark.asyncio
async def test_track_event_flow(kafka_producer: Any, kafka_topic: Callable[..., str]) -> None:
    requests, responses, correlation_id = kafka_topic("requests"), kafka_topic("responses"), str(uuid.uuid4())
    kafka_producer.send(requests, value={"correlation_id": correlation_id}, timestamp_ms=1_750_000_000_000)
    kafka_producer.flush()
    half = track_event_flow(correlation_id, requests, responses, timeout_seconds=1)
    assert (half["request_found"], half["response_found"], half["duration_ms"]) == (True, False, None)
    kafka_producer.send(responses, value={"correlation_id": "another"})
    answer = {"correlation_id": correlation_id, "quality_score": 1}
    kafka_producer.send(responses, value=answer, timestamp_ms=1_750_000_000_250)
    kafka_producer.flush()
    tracking = track_event_flow(
        correlation_id=correlation_id, request_topic=requests, response_topic=responses, timeout_seconds=30
    )
    assert tracking["request_found"]
    assert tracking["response_found"]
    assert tracking["duration_ms"] == 250
    assert tracking["response"] == answer


def test_topics_of_a_killed_test_are_swept_by_the_next_session(
    inner: Inner, kafka_admin_client: Any, kafka_topic: Callable[..., str]
) -> None:
    mine = kafka_topic("mine")
    said = inner.run_and_kill("""
import threading

def test_it(kafka_topic):
    print()
    print(kafka_topic("left"))
    print("ready")
    threading.Event().wait()
""")
    assert said[-2] in kafka_admin_client.list_topics()
    assert inner.run("def test_it(kafka_topic): pass")[0] == 0
    eventually(lambda: said[-2] not in kafka_admin_client.list_topics(), f"{said[-2]} to be gone")
    assert mine in kafka_admin_client.list_topics()
