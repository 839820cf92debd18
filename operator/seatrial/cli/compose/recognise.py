"""Which of a run's own services an image stands for, by its name."""

from __future__ import annotations

import re

_BROKERS = {"cp-kafka", "cp-server", "kafka", "kafka-native", "cp-enterprise-kafka", "spotify-kafka", "fast-data-dev"}
_KINDS: dict[str, frozenset[str]] = {
    "kafka": frozenset(_BROKERS),
    "redpanda": frozenset({"redpanda"}),
    "redis": frozenset({"redis", "valkey", "redis-stack", "redis-stack-server", "keydb", "dragonfly"}),
    "postgres": frozenset({"postgres", "postgresql", "timescaledb", "timescaledb-ha", "postgis", "pgvector"}),
    "influxdb": frozenset({"influxdb", "influxdb2"}),
    "zookeeper": frozenset({"zookeeper", "cp-zookeeper"}),
}
_CONSOLES = frozenset({
    "kafka-ui", "kafdrop", "akhq", "console", "cp-enterprise-control-center", "kafka-manager", "cmak", "kowl",
    "kafka-topics-ui",
    "schema-registry-ui", "kafka-magic", "pgadmin4", "adminer", "redis-commander", "redisinsight", "chronograf",
    "phpmyadmin",
    "mongo-express", "dozzle", "portainer", "portainer-ce",
})  # fmt: skip
_STAND_INS = {
    "timescaledb": "plain PostgreSQL takes its place: the extension timescaledb is not there",
    "timescaledb-ha": "plain PostgreSQL takes its place: the extension timescaledb is not there",
    "postgis": "plain PostgreSQL takes its place: the extension postgis is not there",
    "pgvector": "plain PostgreSQL takes its place: the extension vector is not there",
    "redis-stack": "plain Redis takes its place: its modules are not there",
    "redis-stack-server": "plain Redis takes its place: its modules are not there",
    "keydb": "Redis takes its place",
    "dragonfly": "Redis takes its place",
}


def image_name(image: str) -> str:
    """Last part of an image's name, without registry, tag and digest."""
    return re.split(r"[:@]", image.rpartition("/")[2], maxsplit=1)[0].lower()


def image_tag(image: str) -> str:
    """Tag of an image, empty without one."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def kind_of(image: str) -> str | None:
    """kafka, redpanda, redis, postgres, influxdb, zookeeper or console; None for anything else."""
    name = image_name(image)
    if name in _CONSOLES:
        return "console"
    return next((kind for kind, names in _KINDS.items() if name in names), None)


def difference(image: str) -> str | None:
    """What the service of a run lacks that the image has, or None."""
    return _STAND_INS.get(image_name(image))
