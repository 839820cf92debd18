"""kafka-python's clients as the fixtures hand them out. Imported when a test asks for one: the library takes 0.1 s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.serializer import Deserializer, Serializer

from seatrial_kit.events import decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial_kit.kafka.config import KafkaTestConfig

BOOTSTRAP_MS = 10_000


class Json(Serializer, Deserializer):  # type: ignore[misc]  # the library has no types
    """Values as events.py writes and reads them. Between topic and data some releases pass the headers."""

    def serialize(self, topic: str, *rest: Any) -> bytes | None:
        """As Serializer.serialize."""
        del topic
        return encode(rest[-1])

    def deserialize(self, topic: str, *rest: Any) -> Any:
        """As Deserializer.deserialize."""
        del topic
        return decode(rest[-1])


class Producer(KafkaProducer):  # type: ignore[misc]  # the library has no types
    """A producer whose `flush` fails if a record was not acknowledged. The library's own one only waits."""

    def __init__(self, **configs: Any) -> None:
        self._sent: list[Any] = []
        super().__init__(**configs)

    def send(self, topic: str, *args: Any, **kwargs: Any) -> Any:
        """As KafkaProducer.send."""
        future = super().send(topic, *args, **kwargs)
        self._sent.append(future)
        return future

    def flush(self, timeout: float | None = None) -> None:
        """Wait for all acknowledgements. Raises what the first failed send failed with."""
        super().flush(timeout)
        sent, self._sent = self._sent, []
        for future in sent:
            future.get(timeout=0)


def producer(config: type[KafkaTestConfig]) -> Producer:
    """Objects become JSON."""
    serializers = {"value_serializer": Json(), "key_serializer": Json()}
    return Producer(**config.get_producer_config(), **serializers, bootstrap_timeout_ms=BOOTSTRAP_MS)


def consumer(config: type[KafkaTestConfig], topics: Sequence[str], group_id: str) -> Any:
    """Values are what their JSON says; one that is not JSON is an Undecodable. It is connected to its coordinator.

    Raises KafkaTimeoutError if that does not answer in time.
    """
    settings = config.get_consumer_config(group_id)
    reader = KafkaConsumer(*topics, **settings, value_deserializer=Json(), bootstrap_timeout_ms=BOOTSTRAP_MS)
    # Who joins the group before it knows its partitions joins twice. kafka-python 3.0 forgets the second join, and
    # never reads anything, when a `poll` is over between the broker's two answers to it.
    for topic in topics:
        reader.partitions_for_topic(topic)
    # It also forgets the socket of a connection that is being made while it is closed, as that to the coordinator may
    # be after a short `poll`: a ResourceWarning in whichever test runs when Python finds the socket. So it is made now.
    for topic in topics[:1]:
        reader.committed(TopicPartition(topic, 0), timeout_ms=BOOTSTRAP_MS)
    return reader


def admin(bootstrap_servers: str, seconds: float = BOOTSTRAP_MS / 1000) -> Any:
    """Raises KafkaError if no broker answers in time."""
    return KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=int(seconds * 1000))
