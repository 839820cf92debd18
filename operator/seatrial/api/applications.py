"""The systems under test, and what their containers share with those of the suites."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from seatrial.api.base import Arguments, DnsLabel, Image, ObjectName, SpecModel, UniqueNames, cel, cel_rules, map_list

RESERVED_NAMES = ("environment", "influxdb", "kafka", "postgres", "redis", "redpanda")
"""Names that objects of the run's namespace already have; an application may not take them."""


class KeyRef(SpecModel):
    """One key of a Secret or ConfigMap in the TestRun's own namespace."""

    name: ObjectName
    """Name of the object."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """The key."""


_ONE_SOURCE = "set exactly one of secretKeyRef and configMapKeyRef"


class EnvVarSource(SpecModel):
    """Where a variable's value comes from."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(cel("has(self.secretKeyRef) != has(self.configMapKeyRef)", _ONE_SOURCE)),
    )

    secret_key_ref: KeyRef | None = None
    """A key of a Secret. The operator needs a grant to read it: see the security guide."""
    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.secret_key_ref is None) == (self.config_map_key_ref is None):
            raise ValueError(_ONE_SOURCE)
        return self


_ONE_VALUE = "value and valueFrom are both set: keep one"


class EnvVar(SpecModel):
    """An environment variable, as in a Pod."""

    model_config = ConfigDict(json_schema_extra=cel_rules(cel("!(has(self.value) && has(self.valueFrom))", _ONE_VALUE)))

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Name of the variable."""
    value: Annotated[str | None, Field(max_length=4096)] = None
    """Its value."""
    value_from: EnvVarSource | None = None
    """Where its value comes from."""

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.value is not None and self.value_from is not None:
            raise ValueError(_ONE_VALUE)
        return self


Env = Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=map_list()), UniqueNames]

Quantity = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$")]


class ResourceList(SpecModel):
    """Amounts of compute resources."""

    cpu: Quantity | None = None
    """CPU, such as 500m or 2."""
    memory: Quantity | None = None
    """Memory, such as 256Mi."""


class Resources(SpecModel):
    """Compute resources of a container, as in a Pod."""

    requests: ResourceList = ResourceList()
    """What the scheduler sets aside."""
    limits: ResourceList = ResourceList()
    """What the container may use at most."""


class Port(SpecModel):
    """A port that the application listens on."""

    name: Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the port."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Its number."""


PortName = Annotated[str, Field(min_length=1, max_length=15)]


class HttpReady(SpecModel):
    """Ready when an HTTP GET answers 2xx or 3xx."""

    path: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^/[!-~]*$")] = "/"
    """Path of the request."""
    port: PortName
    """Name of the port."""


class TcpReady(SpecModel):
    """Ready when a connection is accepted."""

    port: PortName
    """Name of the port."""


class ExecReady(SpecModel):
    """Ready when a command in the container exits with 0."""

    command: Annotated[Arguments, Field(min_length=1)]
    """The command and its arguments; not run in a shell."""


_ONE_CHECK = "set exactly one of http, tcp and exec"


class Ready(SpecModel):
    """How it is known that the application can be used."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel("[has(self.http), has(self.tcp), has(self.exec)].exists_one(x, x)", _ONE_CHECK),
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
            raise ValueError(_ONE_CHECK)
        return self

    @property
    def port(self) -> str | None:
        """Name of the port that the check goes to."""
        check = self.http or self.tcp
        return check.port if check else None


_RESERVED = f"an application may not be called {', '.join(RESERVED_NAMES)}: the environment uses these names"
_UNKNOWN_PORT = "ready names a port that is not among the application's ports"


class Application(SpecModel):
    """A system under test: it runs beside the services and is reached by its name."""

    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel(f"!(self.name in {list(RESERVED_NAMES)})", _RESERVED),
            *(
                cel(
                    f"!has(self.ready) || !has(self.ready.{check}) || "
                    f"(has(self.ports) && self.ports.exists(p, p.name == self.ready.{check}.port))",
                    _UNKNOWN_PORT,
                )
                for check in ("http", "tcp")
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
    ports: Annotated[list[Port], Field(max_length=16, json_schema_extra=map_list()), UniqueNames] = []
    """Ports that the application listens on."""
    ready: Ready | None = None
    """How it is known that the application can be used. Without it: once its container has run for two seconds."""
    run_as_user: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    """User id, for images whose user is root or has no number."""
    resources: Resources = Resources()
    """Compute resources."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name in RESERVED_NAMES:
            raise ValueError(_RESERVED)
        port = self.ready.port if self.ready else None
        if port is not None and port not in {p.name for p in self.ports}:
            raise ValueError(_UNKNOWN_PORT)
        return self
