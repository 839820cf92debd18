"""Redpanda: one node in development mode, with the schema registry when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.plan.pods import memory_volume, resources
from seatrial.plan.services.common import planned_service
from seatrial.plan.services.kafka import topics

if TYPE_CHECKING:
    from seatrial.api.spec import Services
    from seatrial.naming import RunId
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import PlannedService

NAME = "redpanda"
KAFKA_PORT = 9092
LOCAL_KAFKA_PORT = 9093
REGISTRY_PORT = 8081
ADMIN_PORT = 9644
USER = 101


def plan(run: RunId, image: str, pull_policy: str, services: Services, addresses: Addresses) -> PlannedService | None:
    """Plan the broker.

    `rpk redpanda start` rewrites its configuration, so /etc/redpanda is a volume. The schema registry is a Kafka
    client of the same broker: it goes through a listener on loopback, since the Service's name may not resolve before
    it is up. Seastar asks for I/O slots of the whole node (fs.aio-max-nr), hence epoll and few control blocks.
    """
    spec = services.redpanda
    if spec is None:
        return None
    args = [
        "redpanda",
        "start",
        "--mode=dev-container",
        "--smp=1",
        "--memory=1G",
        "--reactor-backend=epoll",
        "--max-networking-io-control-blocks=1000",
        f"--kafka-addr=internal://0.0.0.0:{KAFKA_PORT},local://127.0.0.1:{LOCAL_KAFKA_PORT}",
        f"--advertise-kafka-addr=internal://{NAME}:{KAFKA_PORT},local://127.0.0.1:{LOCAL_KAFKA_PORT}",
        "--rpc-addr=127.0.0.1:33145",
        "--advertise-rpc-addr=127.0.0.1:33145",
        f"--set=redpanda.auto_create_topics_enabled={str(spec.auto_create_topics).lower()}",
    ]
    ports = {"kafka": KAFKA_PORT, "admin": ADMIN_PORT}
    variables = {"KAFKA_BOOTSTRAP_SERVERS": str(addresses.find(NAME, KAFKA_PORT))}
    if spec.schema_registry:
        args += [
            f"--schema-registry-addr=0.0.0.0:{REGISTRY_PORT}",
            f'--set=schema_registry_client.brokers=[{{"address":"127.0.0.1","port":{LOCAL_KAFKA_PORT}}}]',
        ]
        ports["registry"] = REGISTRY_PORT
        variables["SCHEMA_REGISTRY_URL"] = f"http://{addresses.find(NAME, REGISTRY_PORT)}"
    return planned_service(
        run,
        NAME,
        image,
        pull_policy=pull_policy,
        user=USER,
        ports=ports,
        resources=resources("100m", "1280Mi", "1792Mi"),
        volumes=[
            (memory_volume("data", "256Mi"), "/var/lib/redpanda/data"),
            (memory_volume("etc", "1Mi"), "/etc/redpanda"),
            (memory_volume("tmp", "16Mi"), "/tmp"),  # noqa: S108
        ],
        args=args,
        variables=variables,
        environment={
            "kind": NAME,
            "name": NAME,
            "topics": topics(spec.topics),
            "schemaRegistry": spec.schema_registry,
        },
    )
