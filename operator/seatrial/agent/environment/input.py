"""The input of the environment pod: environment.json and the connection variables, all of them in its environment.

Dataclasses, because importing pydantic and building its models takes 80 ms before the first check.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

MAX_SECONDS = 1_000_000
INPUT = "SEATRIAL_ENVIRONMENT"
"""The variable with environment.json: a pod without volumes starts sooner than one that mounts a file."""


class InputError(Exception):
    """The input cannot be used; the message names the member or the variable."""


@dataclass(frozen=True)
class Topic:
    """A Kafka topic to create."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Service:
    """A backing service; what is not for its kind is empty."""

    kind: str
    name: str
    topics: tuple[Topic, ...] = ()
    schema_registry: bool = False
    init_sql: tuple[str, ...] = ()


@dataclass(frozen=True)
class HttpReady:
    """Ready when GET answers 2xx or 3xx."""

    path: str
    port: int


@dataclass(frozen=True)
class TcpReady:
    """Ready when a connection is accepted."""

    port: int


@dataclass(frozen=True)
class ResolvesReady:
    """Ready when the name has resolved for so many seconds on end, or a file has been there that stands for it."""

    seconds: float = 0.0
    file: str = ""


@dataclass(frozen=True)
class Application:
    """A system under test; its name is its host name unless another one is given."""

    name: str
    ready: HttpReady | TcpReady | ResolvesReady
    host: str = ""


@dataclass(frozen=True)
class Environment:
    """Everything to wait for, and how long in all (seconds from the start of the process)."""

    deadline_seconds: float
    gate_port: int
    services: tuple[Service, ...]
    applications: tuple[Application, ...]


def read_environment(variables: Mapping[str, str]) -> Environment:
    """Read environment.json, which is a variable's value. Raises InputError."""
    try:
        data = json.loads(variable(variables, INPUT))
    except (ValueError, RecursionError) as error:
        raise InputError(f"the variable {INPUT} is not JSON: {error}") from None
    return parse_environment(data)


def parse_environment(data: Any) -> Environment:
    """Parse the content of environment.json. Raises InputError."""
    return Environment(
        deadline_seconds=_seconds(data, "deadlineSeconds"),
        gate_port=_member(data, "gatePort", int),
        services=tuple(map(_service, _member(data, "services", list))),
        applications=tuple(map(_application, _member(data, "applications", list))),
    )


def variable(variables: Mapping[str, str], name: str) -> str:
    """A variable of the process. Raises InputError when it is not set."""
    try:
        return variables[name]
    except KeyError:
        raise InputError(f"the variable {name} is not set") from None


def _service(data: Any) -> Service:
    return Service(
        kind=_member(data, "kind", str),
        name=_member(data, "name", str),
        topics=tuple(map(_topic, _member(data, "topics", list, []))),
        schema_registry=_member(data, "schemaRegistry", bool, default=False),
        init_sql=tuple(_member(data, "initSQL", list, [])),
    )


def _topic(data: Any) -> Topic:
    return Topic(
        name=_member(data, "name", str),
        partitions=_member(data, "partitions", int, 1),
        config=_member(data, "config", dict, {}),
    )


def _application(data: Any) -> Application:
    name = _member(data, "name", str)
    host = _member(data, "host", str, "")
    match _member(data, "ready", dict):
        case {"http": {"path": str(path), "port": int(port)}}:
            return Application(name, HttpReady(path, port), host)
        case {"tcp": {"port": int(port)}}:
            return Application(name, TcpReady(port), host)
        case {"resolves": {**options}}:
            ready = ResolvesReady(_seconds(options, "seconds", 0), _member(options, "file", str, ""))
            return Application(name, ready, host)
        case other:
            raise InputError(
                f"the check {json.dumps(other)} of the application {name} is none of http, tcp and resolves"
            )


def _seconds(data: Any, name: str, default: float | None = None) -> float:
    value = _member(data, name, (int, float), default)
    if not 0 <= value <= MAX_SECONDS:  # NaN neither
        raise InputError(f"the member {name} is {str(value)[:20]}; expected 0 to {MAX_SECONDS} seconds")
    return float(value)


def _member(data: Any, name: str, kind: type[T] | tuple[type[T], ...], default: T | None = None) -> T:
    if not isinstance(data, dict):
        raise InputError(f"expected an object with the member {name}, found {json.dumps(data)[:100]}")
    value = data.get(name, default)
    if not isinstance(value, kind):
        raise InputError(f"the member {name} is missing or of the wrong type in {json.dumps(data)[:100]}")
    return value
