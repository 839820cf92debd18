"""Apache Kafka: one node, KRaft, plaintext inside the run's namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.plan.pods import memory_volume, resources, variable
from seatrial.plan.services.common import planned_service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.api.spec import Services, Topic
    from seatrial.naming import RunId
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import Object, PlannedService

NAME = "kafka"
PORT = 9092
USER = 1000


def plan(run: RunId, image: str, pull_policy: str, services: Services, addresses: Addresses) -> PlannedService | None:
    """Plan the broker. Its image starts a pre-formatted node that advertises KAFKA_ADVERTISED_HOST."""
    spec = services.kafka
    if spec is None:
        return None
    address = addresses.find(NAME, PORT)
    return planned_service(
        run,
        NAME,
        image,
        pull_policy=pull_policy,
        user=USER,
        ports={"kafka": PORT},
        resources=resources("100m", "320Mi", "448Mi"),
        volumes=[(memory_volume("data", "128Mi"), "/data"), (memory_volume("tmp", "16Mi"), "/tmp")],  # noqa: S108
        env=[
            variable("KAFKA_ADVERTISED_HOST", NAME),
            variable("KAFKA_AUTO_CREATE_TOPICS", str(spec.auto_create_topics).lower()),
        ],
        variables={"KAFKA_BOOTSTRAP_SERVERS": str(address)},
        environment={"kind": NAME, "name": NAME, "topics": topics(spec.topics)},
    )


def topics(wanted: Sequence[Topic]) -> list[Object]:
    """Topics as the environment pod reads them."""
    return [topic.model_dump() for topic in wanted]
