"""The asyncio twins of the fixtures, on aiokafka. `kafka_test_topics` and `kafka_topic` serve both."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from seatrial_kit.events import decode
from seatrial_kit.missing import client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from seatrial_kit.kafka.async_stream import AsyncKafkaStream
    from seatrial_kit.kafka.config import KafkaTestConfig

FLUSH_SECONDS = 30


@pytest_asyncio.fixture
async def async_kafka_admin_client(kafka_of_test: type[KafkaTestConfig]) -> AsyncIterator[Any]:
    """An AIOKafkaAdminClient that has started."""
    admin = client("aiokafka.admin", "kafka").AIOKafkaAdminClient(bootstrap_servers=kafka_of_test.BOOTSTRAP_SERVERS)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@pytest_asyncio.fixture
async def async_kafka_producer(kafka_of_test: type[KafkaTestConfig]) -> AsyncIterator[Any]:
    """An AIOKafkaProducer with the configuration's settings that writes JSON, each record once and in order.

    What was not acknowledged fails the test, in `send_and_wait`, in `flush` or at its end.
    """
    producer = client("seatrial_kit.kafka.async_clients", "kafka").producer(kafka_of_test)
    await producer.start()
    try:
        yield producer
        async with asyncio.timeout(FLUSH_SECONDS):
            await producer.flush()
    finally:
        await producer.stop()


@pytest_asyncio.fixture
async def async_kafka_consumer(
    kafka_of_test: type[KafkaTestConfig], kafka_admin_client: Any
) -> AsyncIterator[Callable[[Sequence[str], str], Awaitable[Any]]]:
    """Makes an AIOKafkaConsumer that has started and reads JSON from the beginning: `await make(topics, group)`.

    Stopped at the end of the test, and its group is deleted.
    """
    aiokafka = client("aiokafka", "kafka")
    groups: list[str] = []
    async with AsyncExitStack() as stack:

        async def make(topics: Sequence[str], group_id: str) -> Any:
            settings = kafka_of_test.get_consumer_config(group_id)
            consumer = aiokafka.AIOKafkaConsumer(*topics, **settings, value_deserializer=decode)
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            groups.append(settings["group_id"])
            return consumer

        yield make
    if groups:
        kafka_admin_client.delete_groups(sorted(set(groups)))


@pytest_asyncio.fixture
async def async_kafka_stream(
    kafka_of_test: type[KafkaTestConfig],
) -> AsyncIterator[Callable[..., Awaitable[AsyncKafkaStream]]]:
    """Makes an AsyncKafkaStream that has started, with the options of that class: `await make(*topics, ...)`."""
    streams = client("seatrial_kit.kafka.async_stream", "kafka")
    async with AsyncExitStack() as stack:

        async def make(*topics: str, **options: Any) -> AsyncKafkaStream:
            stream: AsyncKafkaStream = streams.AsyncKafkaStream(topics, **{"config": kafka_of_test, **options})
            stack.push_async_callback(stream.close)
            return await stream.start()

        yield make
