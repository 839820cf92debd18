"""How a backing service's server is found on this machine, and how it is started as a process.

Finding changes nothing: it reads files and asks programs for their versions. What must be made before a server can
start (a data folder, Kafka's jars) is in `Launch.prepare`, as commands that the caller runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.local.servers import docker, influxdb, kafka, postgres, redis
from seatrial.local.servers.model import Address, Launch, NoServerError, Unfit, Wanted
from seatrial.local.servers.search import Search, this_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Provider = Callable[[Wanted, Search], Launch | Unfit]

__all__ = ["EXTRA_PORTS", "Address", "Launch", "NoServerError", "Search", "Wanted", "find_server", "this_machine"]

PROVIDERS: Mapping[str, tuple[Provider, ...]] = {
    "redis": (redis.on_path, redis.from_wheel, docker.redis),
    "postgres": (postgres.installed, postgres.from_wheel, docker.postgres),
    "kafka": (kafka.installed, kafka.from_maven, docker.kafka),
    "influxdb": (influxdb.on_path, docker.influxdb),
    "redpanda": (docker.redpanda,),
}
"""By service, what is tried first stands first."""

EXTRA_PORTS: Mapping[str, tuple[str, ...]] = {"kafka": ("controller",), "redpanda": ("registry",)}
"""The keys of `Wanted.extra_ports`, by service."""

ADVICE: Mapping[str, str] = {
    "redis": "install redis-server or valkey-server, or: pip install 'seatrial[local]'",
    "postgres": "install PostgreSQL's server, or: pip install 'seatrial[local]'",
    "kafka": (
        "install Maven, and Java 17 or later (or: pip install 'seatrial[local]'); or unpack Apache Kafka and set KAFKA_HOME"
    ),
    "influxdb": "install InfluxDB 2 (influxd) so that it is on PATH, or start Docker",
    "redpanda": "start Docker, or write `kafka: {}` instead: Apache Kafka speaks the same protocol and runs without Docker",
}


def find_server(wanted: Wanted, search: Search) -> Launch:
    """How to start the server that is wanted, by the first provider that fits. Raises NoServerError.

    Takes up to some tens of milliseconds: programs are asked for their versions; 5 s if a Docker daemon hangs.
    """
    tried: list[Unfit] = []
    for provider in PROVIDERS[wanted.service]:
        found = provider(wanted, search)
        if isinstance(found, Launch):
            return found
        tried.append(found)
    version = f" {wanted.version}" if wanted.version else ""
    lines = [f"spec.services.{wanted.service}: there is no {wanted.service}{version} that can be started on this machine."]
    lines += [f"  {unfit.provider}: {unfit.why}" for unfit in tried]
    lines.append(f"What helps: {ADVICE[wanted.service]}.")
    raise NoServerError("\n".join(lines))
