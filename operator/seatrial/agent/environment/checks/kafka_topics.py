"""Topics of a run: created, and led; and the topic that proves that a record can be written where a run has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from seatrial.agent.environment.input import Topic
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aiokafka.admin import AIOKafkaAdminClient

PROBE = Topic("seatrial-ready", 1, {})
SHOWN = 5


async def create_topics(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    """Create all of them. Raises RefusedError with the broker's words, or NotReadyError where trying again can help."""
    wanted = [NewTopic(topic.name, topic.partitions, 1, topic_configs=dict(topic.config)) for topic in topics]
    response = await admin.create_topics(wanted)
    judge_created(topics, response.topic_errors)


async def missing_leader(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> str | None:
    """What is not there yet: a topic, or a partition's leader. Raises RefusedError for a topic of another shape."""
    # All topics are listed: asking for one by name would create it where topics are created automatically.
    return find_missing(topics, await admin.describe_topics())


def judge_created(topics: Sequence[Topic], answers: Iterable[tuple[str, int, str | None]]) -> None:
    """Raise for what a broker answered to the creation of topics: name, error code and message of each."""
    by_name = {topic.name: topic for topic in topics}
    refused = []
    for name, code, message in answers:
        error = for_code(code)
        if error in (NoError, TopicAlreadyExistsError):  # the request is sent again when its answer was lost
            continue
        words = f"{error.message}: {message}" if message else error.message
        if error.retriable:
            raise NotReadyError(f"Kafka cannot create the topic {name} yet: {words}")
        topic = by_name[name]
        config = f", config {dict(topic.config)}" if topic.config else ""
        refused.append(f"{name} (partitions {topic.partitions}{config}): {words}")
    if refused:
        more = f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        raise RefusedError(f"Kafka refused to create {'; '.join(refused[:SHOWN])}{more}")


def find_missing(topics: Sequence[Topic], listed: Iterable[Mapping[str, Any]]) -> str | None:
    """As missing_leader; `listed` is what the client makes of a MetadataResponse."""
    by_name = {topic["topic"]: topic["partitions"] for topic in listed}
    for topic in topics:
        partitions = by_name.get(topic.name)
        if not partitions:
            return f"the topic {topic.name} is created but not listed yet"
        if len(partitions) != topic.partitions:
            raise RefusedError(
                f"the topic {topic.name} has {len(partitions)} partitions instead of {topic.partitions}: "
                "something else has created it first"
            )
        for partition in partitions:
            if partition["leader"] < 0 or partition["error_code"]:
                return f"partition {partition['partition']} of the topic {topic.name} has no leader yet"
    return None


async def probe(admin: AIOKafkaAdminClient, bootstrap: str, request_milliseconds: int) -> None:
    """Write one record to a topic that exists for this only. Raises NotReadyError, RefusedError or KafkaError."""
    await create_topics(admin, [PROBE])
    try:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=request_milliseconds)
        try:
            await producer.start()
            await producer.send_and_wait(PROBE.name, b"ready", partition=0)
        finally:
            await producer.stop()  # before the topic goes: asking for it once more would create it again
    finally:
        response = await admin.delete_topics([PROBE.name])
    for name, code in response.topic_error_codes:
        error = for_code(code)
        if error not in (NoError, UnknownTopicOrPartitionError):
            raise NotReadyError(f"Kafka cannot delete the topic {name} yet: {error.message}")
    if PROBE.name in await admin.list_topics():
        raise NotReadyError(f"the topic {PROBE.name} is deleted but still listed")
