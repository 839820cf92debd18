"""The fixtures on kafka-python."""

from __future__ import annotations

import functools
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from seatrial_kit.kafka.config import KafkaTestConfig
from seatrial_kit.missing import MissingServiceError, client, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from seatrial_kit.kafka.own_topics import OwnTopics
    from seatrial_kit.kafka.stream import KafkaStream


@pytest.fixture(scope="session")
def kafka_test_config() -> type[KafkaTestConfig]:
    """Override it in a conftest.py to give a suite its own topics and its own prefix."""
    return KafkaTestConfig


@pytest.fixture(scope="session")
def kafka_available(request: pytest.FixtureRequest, kafka_test_config: type[KafkaTestConfig]) -> type[KafkaTestConfig]:
    """The configuration, once a broker has answered. Asked once a session: who is missing is waited for once."""
    from seatrial_kit.kafka.connectivity import check_kafka

    try:
        check_kafka(kafka_test_config.BOOTSTRAP_SERVERS)
    except MissingServiceError as error:
        missing(request, error)
    return kafka_test_config


@pytest.fixture
def kafka_connectivity_check(request: pytest.FixtureRequest, kafka_available: type[KafkaTestConfig]) -> bool:
    """True: Kafka answers now. Otherwise the test fails (or is skipped, with --skip-missing-services)."""
    from seatrial_kit.kafka.connectivity import check_kafka

    try:
        check_kafka(kafka_available.BOOTSTRAP_SERVERS)
    except MissingServiceError as error:
        missing(request, error)
    return True


@pytest.fixture(scope="session")
def kafka_admin_client(kafka_available: type[KafkaTestConfig]) -> Iterator[Any]:
    """A KafkaAdminClient for topics and groups."""
    clients = client("seatrial_kit.kafka.clients", "kafka")
    with closing(clients.admin(kafka_available.BOOTSTRAP_SERVERS)) as admin:
        yield admin


@pytest.fixture(scope="session")
def kafka_test_topics(kafka_available: type[KafkaTestConfig]) -> Mapping[str, str]:
    """The topics of the configuration by their short names; those that were not there have been made."""
    from seatrial_kit.kafka.connectivity import create_test_topics

    create_test_topics(
        num_partitions=kafka_available.NUM_PARTITIONS,
        replication_factor=kafka_available.REPLICATION_FACTOR,
        config=kafka_available,
    )
    return dict(kafka_available.DEFAULT_TOPICS)


@pytest.fixture
def kafka_own_topics(kafka_test_config: type[KafkaTestConfig]) -> Iterator[OwnTopics]:
    """Topics that go with the test."""
    from seatrial_kit.kafka.own_topics import OwnTopics

    with closing(OwnTopics(kafka_test_config.REPLICATION_FACTOR)) as topics:
        yield topics


@pytest.fixture
def kafka_of_test(kafka_available: type[KafkaTestConfig], kafka_own_topics: OwnTopics) -> type[KafkaTestConfig]:
    """The configuration for a client of one test, which is closed before the test's own topics go.

    A client that closes commits what it has read, and tries that for a long time, or for ever, when the topic is gone.
    """
    del kafka_own_topics
    return kafka_available


@pytest.fixture
def kafka_producer(kafka_of_test: type[KafkaTestConfig]) -> Iterator[Any]:
    """A KafkaProducer that writes JSON. What was not acknowledged fails the test, in `flush` or at its end."""
    clients = client("seatrial_kit.kafka.clients", "kafka")
    with closing(clients.producer(kafka_of_test)) as producer:
        yield producer
        producer.flush(timeout=30)


@pytest.fixture
def kafka_consumer(
    kafka_of_test: type[KafkaTestConfig], kafka_admin_client: Any
) -> Iterator[Callable[[Sequence[str], str], Any]]:
    """`kafka_consumer(topics, group)` makes a KafkaConsumer that reads JSON from the beginning.

    Consumers that are still open at the end of the test are closed, and their groups are deleted.
    """
    clients = client("seatrial_kit.kafka.clients", "kafka")
    groups: list[str] = []
    with ExitStack() as stack:

        def make(topics: Sequence[str], group_id: str) -> Any:
            consumer = clients.consumer(kafka_of_test, topics, group_id)
            # Nothing is committed: the group is deleted, and for a topic that is gone it would be tried for 30 s.
            stack.callback(consumer.close, autocommit=False)
            groups.append(consumer.config["group_id"])
            return consumer

        yield make
    if groups:
        kafka_admin_client.delete_groups(sorted(set(groups)))  # one that somebody else is a member of stays


@pytest.fixture
def kafka_stream(kafka_of_test: type[KafkaTestConfig]) -> Iterator[Callable[..., KafkaStream]]:
    """`kafka_stream(*topics, ...)` makes a KafkaStream that has started; its options are that class's."""
    streams = client("seatrial_kit.kafka.stream", "kafka")
    with ExitStack() as stack:

        def make(*topics: str, **options: Any) -> KafkaStream:
            stream: KafkaStream = streams.KafkaStream(topics, **{"config": kafka_of_test, **options})
            stack.enter_context(closing(stream))
            return stream.start()

        yield make


@pytest.fixture(scope="session")
def kafka_swept(kafka_admin_client: Any) -> Any:
    """The admin client, once the topics that killed tests have left behind are deleted."""
    from seatrial_kit.kafka.own_topics import sweep

    sweep(kafka_admin_client)
    return kafka_admin_client


@pytest.fixture
def kafka_topic(kafka_own_topics: OwnTopics, kafka_swept: Any) -> Callable[..., str]:
    """`kafka_topic("orders", partitions=3)` makes a topic of the test's own, which is deleted at its end."""
    return functools.partial(kafka_own_topics.make, kafka_swept)
