"""The backing services of a run's environment."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from seatrial.api.base import ObjectName, SpecModel, UniqueNames, cel, cel_rules, map_list

Version = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-zA-Z0-9._-]+$")]


class ConfigMapRef(SpecModel):
    """A ConfigMap in the TestRun's own namespace."""

    name: ObjectName
    """Name of the ConfigMap."""


class ConfigMapSource(SpecModel):
    """Files from a ConfigMap: each key is a file."""

    config_map_ref: ConfigMapRef
    """The ConfigMap, in the TestRun's own namespace."""


def _without_nulls(data: Any) -> Any:
    return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


TopicConfig = Annotated[
    dict[str, Annotated[str, Field(max_length=256)]],
    Field(max_length=32),
    BeforeValidator(_without_nulls),
]


class Topic(SpecModel):
    """A topic that exists before any application or suite starts."""

    name: Annotated[str, Field(min_length=1, max_length=249, pattern=r"^[a-zA-Z0-9._-]+$")]
    """Name of the topic."""
    partitions: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of partitions."""
    config: TopicConfig = {}
    """Topic configuration, such as `cleanup.policy: compact`."""


Topics = Annotated[list[Topic], Field(max_length=100, json_schema_extra=map_list()), UniqueNames]


class Kafka(SpecModel):
    """Apache Kafka, one node in KRaft mode."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    topics: Topics = []
    """Topics to create before anything else starts."""
    auto_create_topics: bool = True
    """Whether a client's first use of an unknown topic creates it."""


class Redpanda(SpecModel):
    """Redpanda, one node."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    topics: Topics = []
    """Topics to create before anything else starts."""
    auto_create_topics: bool = True
    """Whether a client's first use of an unknown topic creates it."""
    schema_registry: bool = False
    """Whether the schema registry is part of the environment (`SCHEMA_REGISTRY_URL`)."""


class Redis(SpecModel):
    """Redis, without persistence, with a password."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""


class Postgres(SpecModel):
    """PostgreSQL with one database, owned by the run's user."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    database: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z_][a-z0-9_]*$")] = "test"
    """Name of the database."""
    init_sql: Annotated[ConfigMapSource | None, Field(alias="initSQL")] = None
    """SQL files to run, in the order of their names, as the database's owner, before anything else starts."""


class InfluxDB(SpecModel):
    """InfluxDB 2 with one organisation, one bucket and one token."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    org: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z0-9._-]+$")] = "seatrial"
    """Name of the organisation."""
    bucket: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z0-9._-]+$")] = "test"
    """Name of the bucket."""


_ONE_BROKER = "kafka and redpanda are both set: a run has one broker, remove one"
_KEPT_WHEN_EMPTY: dict[str, Any] = {"nullable": True}


class Services(SpecModel):
    """The backing services of the environment. A service that is named is there; `redis:` means `redis: {}`."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            # `has` is false for a null member, the names of the members are there for `redpanda:` too.
            cel("dyn(self).filter(name, name in ['kafka', 'redpanda']).size() < 2", _ONE_BROKER),
        ),
    )
    null_means_empty = True

    kafka: Annotated[Kafka | None, Field(json_schema_extra=_KEPT_WHEN_EMPTY)] = None
    """Apache Kafka. At most one of kafka and redpanda."""
    redpanda: Annotated[Redpanda | None, Field(json_schema_extra=_KEPT_WHEN_EMPTY)] = None
    """Redpanda, which speaks Kafka's protocol. At most one of kafka and redpanda."""
    redis: Annotated[Redis | None, Field(json_schema_extra=_KEPT_WHEN_EMPTY)] = None
    """Redis."""
    postgres: Annotated[Postgres | None, Field(json_schema_extra=_KEPT_WHEN_EMPTY)] = None
    """PostgreSQL."""
    influxdb: Annotated[InfluxDB | None, Field(json_schema_extra=_KEPT_WHEN_EMPTY)] = None
    """InfluxDB 2."""

    @model_serializer(mode="wrap")
    def _absent_stays_absent(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if value is not None}

    @model_validator(mode="after")
    def _one_broker(self) -> Self:
        if self.kafka is not None and self.redpanda is not None:
            raise ValueError(_ONE_BROKER)
        return self
