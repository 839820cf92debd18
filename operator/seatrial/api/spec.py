"""The spec of a TestRun. Every rule stands twice, side by side: as CEL for the API server and for the local engine."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from seatrial.api.base import (
    DnsLabel,
    Duration,
    Image,
    Model,
    ObjectName,
    ShortText,
    cel,
    cel_rules,
    map_list,
    parse_duration,
)
from seatrial.errors import SpecError

RESERVED_NAMES = ("environment", "influxdb", "kafka", "postgres", "redis", "redpanda")
"""Names that objects of the run's namespace already have; an application may not take them."""

MAX_TIMEOUT_HOURS = 24

Version = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-zA-Z0-9._-]+$")]
Arguments = Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)]


class ConfigMapRef(Model):
    """A ConfigMap in the TestRun's own namespace."""

    name: ObjectName
    """Name of the ConfigMap."""


class ConfigMapSource(Model):
    """Files from a ConfigMap: each key is a file."""

    config_map_ref: ConfigMapRef
    """The ConfigMap, in the TestRun's own namespace."""


class Topic(Model):
    """A topic that exists before any application or suite starts."""

    name: Annotated[str, Field(min_length=1, max_length=249, pattern=r"^[a-zA-Z0-9._-]+$")]
    """Name of the topic."""
    partitions: Annotated[int, Field(ge=1, le=100)] = 1
    """Number of partitions."""
    config: Annotated[dict[str, Annotated[str, Field(max_length=256)]], Field(max_length=32)] = {}
    """Topic configuration, such as `cleanup.policy: compact`."""


Topics = Annotated[list[Topic], Field(max_length=100, json_schema_extra=map_list())]


class Kafka(Model):
    """Apache Kafka, one node in KRaft mode."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    topics: Topics = []
    """Topics to create before anything else starts."""
    auto_create_topics: bool = True
    """Whether a client's first use of an unknown topic creates it."""


class Redpanda(Model):
    """Redpanda, one node."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    topics: Topics = []
    """Topics to create before anything else starts."""
    auto_create_topics: bool = True
    """Whether a client's first use of an unknown topic creates it."""
    schema_registry: bool = False
    """Whether the schema registry is part of the environment (`SCHEMA_REGISTRY_URL`)."""


class Redis(Model):
    """Redis, without persistence, with a password."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""


class Postgres(Model):
    """PostgreSQL with one database, owned by the run's user."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    database: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z_][a-z0-9_]*$")] = "test"
    """Name of the database."""
    init_sql: Annotated[ConfigMapSource | None, Field(alias="initSQL")] = None
    """SQL files to run, in the order of their names, as the database's owner, before anything else starts."""


class InfluxDB(Model):
    """InfluxDB 2 with one organisation, one bucket and one token."""

    version: Version | None = None
    """A version of the operator's catalogue. The catalogue's default when absent."""
    org: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z0-9._-]+$")] = "seatrial"
    """Name of the organisation."""
    bucket: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-zA-Z0-9._-]+$")] = "test"
    """Name of the bucket."""


class Services(Model):
    """The backing services of the environment. A service that is named is there; `redis:` means `redis: {}`."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel("!(has(self.kafka) && has(self.redpanda))", "kafka and redpanda are both set: a run has one broker, remove one"),
        ),
    )

    kafka: Annotated[Kafka | None, Field(json_schema_extra={"nullable": True, "default": None})] = None
    """Apache Kafka. At most one of kafka and redpanda."""
    redpanda: Annotated[Redpanda | None, Field(json_schema_extra={"nullable": True, "default": None})] = None
    """Redpanda, which speaks Kafka's protocol. At most one of kafka and redpanda."""
    redis: Annotated[Redis | None, Field(json_schema_extra={"nullable": True, "default": None})] = None
    """Redis."""
    postgres: Annotated[Postgres | None, Field(json_schema_extra={"nullable": True, "default": None})] = None
    """PostgreSQL."""
    influxdb: Annotated[InfluxDB | None, Field(json_schema_extra={"nullable": True, "default": None})] = None
    """InfluxDB 2."""

    @model_validator(mode="before")
    @classmethod
    def _empty_means_present(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: {} if value is None else value for key, value in data.items()}
        return data

    @model_validator(mode="after")
    def _one_broker(self) -> Self:
        if self.kafka is not None and self.redpanda is not None:
            raise ValueError("kafka and redpanda are both set: a run has one broker, remove one")
        return self


class KeyRef(Model):
    """One key of a Secret or ConfigMap in the TestRun's own namespace."""

    name: ObjectName
    """Name of the object."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """The key."""


class EnvVarSource(Model):
    """Where a variable's value comes from."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel(
                "has(self.secretKeyRef) != has(self.configMapKeyRef)",
                "set exactly one of secretKeyRef and configMapKeyRef",
            ),
        ),
    )

    secret_key_ref: KeyRef | None = None
    """A key of a Secret. The operator needs a grant to read it: see the security guide."""
    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.secret_key_ref is None) == (self.config_map_key_ref is None):
            raise ValueError("set exactly one of secretKeyRef and configMapKeyRef")
        return self


class EnvVar(Model):
    """An environment variable, as in a Pod."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel("!(has(self.value) && has(self.valueFrom))", "value and valueFrom are both set: keep one"),
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Name of the variable."""
    value: Annotated[str | None, Field(max_length=4096)] = None
    """Its value."""
    value_from: EnvVarSource | None = None
    """Where its value comes from."""

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.value is not None and self.value_from is not None:
            raise ValueError("value and valueFrom are both set: keep one")
        return self


Env = Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=map_list())]

Quantity = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$")]


class ResourceList(Model):
    """Amounts of compute resources."""

    cpu: Quantity | None = None
    """CPU, such as 500m or 2."""
    memory: Quantity | None = None
    """Memory, such as 256Mi."""


class Resources(Model):
    """Compute resources of a container, as in a Pod."""

    requests: ResourceList = ResourceList()
    """What the scheduler sets aside."""
    limits: ResourceList = ResourceList()
    """What the container may use at most."""


class Port(Model):
    """A port that the application listens on."""

    name: Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the port."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Its number."""


PortName = Annotated[str, Field(min_length=1, max_length=15)]


class HttpReady(Model):
    """Ready when an HTTP GET answers 2xx or 3xx."""

    path: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^/\S*$")] = "/"
    """Path of the request."""
    port: PortName
    """Name of the port."""


class TcpReady(Model):
    """Ready when a connection is accepted."""

    port: PortName
    """Name of the port."""


class ExecReady(Model):
    """Ready when a command in the container exits with 0."""

    command: Annotated[Arguments, Field(min_length=1)]
    """The command and its arguments; not run in a shell."""


class Ready(Model):
    """How it is known that the application can be used."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel(
                "[has(self.http), has(self.tcp), has(self.exec)].exists_one(x, x)",
                "set exactly one of http, tcp and exec",
            ),
        ),
    )

    http: HttpReady | None = None
    """Ready when an HTTP GET answers 2xx or 3xx."""
    tcp: TcpReady | None = None
    """Ready when a connection is accepted."""
    exec: ExecReady | None = None
    """Ready when a command in the container exits with 0."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(check is not None for check in (self.http, self.tcp, self.exec)) != 1:
            raise ValueError("set exactly one of http, tcp and exec")
        return self

    @property
    def port(self) -> str | None:
        """Name of the port that the check goes to."""
        check = self.http or self.tcp
        return check.port if check else None


_READY_PORT_MESSAGE = "ready names a port that is not among the application's ports"


class Application(Model):
    """A system under test: it runs beside the services and is reached by its name."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel(
                f"!(self.name in {list(RESERVED_NAMES)})",
                f"an application may not be called {', '.join(RESERVED_NAMES)}: the environment uses these names",
            ),
            cel(
                "!has(self.ready) || ((!has(self.ready.http) || (has(self.ports) && self.ports.exists(p, p.name == "
                "self.ready.http.port))) && (!has(self.ready.tcp) || (has(self.ports) && self.ports.exists(p, "
                "p.name == self.ready.tcp.port))))",
                _READY_PORT_MESSAGE,
            ),
        ),
    )

    name: DnsLabel
    """Name of the application, and its host name for other applications and suites."""
    image: Image
    """Container image. It must run as a user that is not root."""
    command: Arguments = []
    """Replaces the image's entry point."""
    args: Arguments = []
    """Replaces the image's arguments."""
    env: Env = []
    """Environment variables, beside the connection variables of the services."""
    ports: Annotated[list[Port], Field(max_length=16, json_schema_extra=map_list())] = []
    """Ports that the application listens on."""
    ready: Ready | None = None
    """How it is known that the application can be used. Without it: as soon as its container runs."""
    run_as_user: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    """User id, for images whose user is root or has no number."""
    resources: Resources = Resources()
    """Compute resources."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name in RESERVED_NAMES:
            raise ValueError(
                f"an application may not be called {', '.join(RESERVED_NAMES)}: the environment uses these names"
            )
        port = self.ready.port if self.ready else None
        if port is not None and port not in {p.name for p in self.ports}:
            raise ValueError(_READY_PORT_MESSAGE)
        return self


class Pytest(Model):
    """What pytest is called with."""

    paths: Annotated[list[Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^-]")]], Field(max_length=64)] = []
    """Files, folders or node ids, relative to the image's working directory."""
    markers: ShortText = ""
    """Marker expression (`-m`)."""
    keyword: ShortText = ""
    """Keyword expression (`-k`)."""
    args: Arguments = []
    """More arguments."""


class JUnit(Model):
    """Results of a suite that is not pytest."""

    path: Annotated[str, Field(min_length=2, max_length=512, pattern=r"^/[^/]+/\S+$")]
    """The JUnit XML file that the suite writes. Its folder becomes an empty, writable volume."""


class Suite(Model):
    """A containerised test suite; it runs as a Job."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel("!(has(self.junit) && !has(self.image))", "a suite with junit needs an image"),
            cel("!(has(self.junit) && has(self.testsFrom))", "junit and testsFrom are both set: keep one"),
            cel("!(has(self.junit) && has(self.pytest))", "junit and pytest are both set: keep one"),
            cel(
                "!(has(self.junit) && ((has(self.shards) && self.shards > 1) || (has(self.retries) && self.retries > 0)))",
                "shards and retries work with pytest only: remove them or junit",
            ),
            cel(
                "has(self.junit) || ((!has(self.command) || size(self.command) == 0) && (!has(self.args) || size(self.args) == 0))",
                "command and args are for suites with junit: give pytest its arguments as pytest.args",
            ),
        ),
    )

    name: DnsLabel
    """Name of the suite."""
    image: Image | None = None
    """Container image with Python and pytest, or with anything that writes JUnit XML. The product's suite image when absent."""
    tests_from: ConfigMapSource | None = None
    """Test files from a ConfigMap, for a first try that needs no image."""
    pytest: Pytest | None = None
    """What pytest is called with."""
    junit: JUnit | None = None
    """The suite is not pytest: its results are in this JUnit XML file."""
    command: Arguments = []
    """With junit: replaces the image's entry point."""
    args: Arguments = []
    """With junit: replaces the image's arguments."""
    env: Env = []
    """Environment variables, beside the connection variables of the services."""
    shards: Annotated[int, Field(ge=1, le=32)] = 1
    """Number of pods that share the suite's tests."""
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    """How often a failing test is tried again. A pass after a failure counts as passed and flaky."""
    timeout: Annotated[
        Duration,
        Field(
            json_schema_extra=cel_rules(
                cel(
                    f"self.matches('[0-9]') && duration(self) >= duration('1s') && duration(self) <= duration('{MAX_TIMEOUT_HOURS}h')",
                    f"timeout must be between 1s and {MAX_TIMEOUT_HOURS}h",
                )
            )
        ),
    ] = "10m"
    """How long the tests may take, from the moment when the environment is ready."""
    run_as_user: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    """User id, for images whose user is root or has no number."""
    resources: Resources = Resources()
    """Compute resources of each shard."""

    @field_validator("timeout")
    @classmethod
    def _timeout_in_range(cls, value: str) -> str:
        return _in_range("timeout", value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.junit is None:
            if self.command or self.args:
                raise ValueError("command and args are for suites with junit: give pytest its arguments as pytest.args")
            return self
        if self.image is None:
            raise ValueError("a suite with junit needs an image")
        if self.tests_from is not None:
            raise ValueError("junit and testsFrom are both set: keep one")
        if self.pytest is not None:
            raise ValueError("junit and pytest are both set: keep one")
        if self.shards > 1 or self.retries > 0:
            raise ValueError("shards and retries work with pytest only: remove them or junit")
        return self


def _in_range(field: str, value: str) -> str:
    seconds = parse_duration(value).total_seconds()
    if not 1 <= seconds <= MAX_TIMEOUT_HOURS * 3600:
        raise ValueError(f"{field} must be between 1s and {MAX_TIMEOUT_HOURS}h")
    return value


def _timeout(field: str) -> Any:
    return Field(
        json_schema_extra=cel_rules(
            cel(
                f"self.matches('[0-9]') && duration(self) >= duration('1s') && duration(self) <= duration('{MAX_TIMEOUT_HOURS}h')",
                f"{field} must be between 1s and {MAX_TIMEOUT_HOURS}h",
            )
        )
    )


class Timeouts(Model):
    """How long each part of the run may take."""

    provision: Annotated[Duration, _timeout("provision")] = "5m"
    """Until the services and applications are ready."""
    total: Annotated[Duration, _timeout("total")] = "1h"
    """From the start of the environment until the verdict."""

    @field_validator("provision", "total")
    @classmethod
    def _in_range(cls, value: str, info: Any) -> str:
        return _in_range(str(info.field_name), value)


class Retention(Model):
    """How long the environment is kept after the verdict. The TestRun itself is never deleted."""

    on_success: Duration = "0s"
    """After a run that passed."""
    on_failure: Duration = "30m"
    """After a run that did not pass."""


_MUTABLE = ("suspend", "cancel", "retention")
_FROZEN = ("services", "applications", "suites", "parallelism", "timeouts")


class TestRunSpec(Model):
    """One execution of test suites against services that exist for this run alone."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    services: Services = Services()
    """The backing services of the environment."""
    applications: Annotated[list[Application], Field(max_length=16, json_schema_extra=map_list())] = []
    """The systems under test, beside the services."""
    suites: Annotated[list[Suite], Field(min_length=1, max_length=32, json_schema_extra=map_list())]
    """The test suites, in the order in which they start."""
    parallelism: Annotated[int, Field(ge=1, le=16)] = 1
    """How many suites may run at a time."""
    timeouts: Timeouts = Timeouts()
    """How long each part of the run may take."""
    retention: Retention = Retention()
    """How long the environment is kept after the verdict."""
    suspend: bool = False
    """Hold the run: nothing is started while it is true. Suites that already run are left alone."""
    cancel: bool = False
    """End the run now, with what is known so far."""

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        for field, names in (
            ("applications", [application.name for application in self.applications]),
            ("suites", [suite.name for suite in self.suites]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{field}: the name {twice[0]!r} is there more than once")
        return self


FROZEN_SPEC_RULES = [
    cel(
        f"!has(oldSelf.status.namespace) || (has(self.spec.{field}) == has(oldSelf.spec.{field}) && "
        f"(!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field}))",
        f"spec.{field} cannot change once the run has started: create a new TestRun (only {', '.join(_MUTABLE)} may change)",
    )
    for field in _FROZEN
]
"""Rules of the object's root, since they read the status: the spec is immutable once the run has a namespace."""


def parse_spec(data: Any) -> TestRunSpec:
    """Parse a spec. Raises SpecError whose message names each field and what is wrong with it."""
    try:
        return TestRunSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError("; ".join(_explain(dict(item)) for item in error.errors()[:10])) from None


def _explain(item: dict[str, Any]) -> str:
    path = ""
    for part in item["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"spec{path}: {str(item['msg']).removeprefix('Value error, ')}"
