"""What a run consists of, as plain data. Nothing here is done yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.errors import SeatrialError

if TYPE_CHECKING:
    from seatrial.naming import RunId

Object = dict[str, Any]
"""A Kubernetes object as plain data."""


class PlanError(SeatrialError):
    """The spec is well formed but cannot be carried out here."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Copy:
    """A ConfigMap or Secret of the TestRun's namespace that the run's namespace needs."""

    kind: str
    source: str
    target: str


@dataclass(frozen=True)
class PlannedService:
    """A backing service: its objects, what connects to it and what the environment pod does with it."""

    name: str
    image: str
    pod: Object
    service: Object
    variables: dict[str, str]
    """Connection variables. `${secret:NAME}` stands for a random secret that is drawn when the Secret is created."""
    environment: Object
    """This service's entry in environment.json."""
    copies: tuple[Copy, ...] = ()
    init_sql: str | None = None
    """Name of the ConfigMap in the run's namespace that holds SQL files."""


@dataclass(frozen=True)
class PlannedApplication:
    """A system under test."""

    name: str
    image: str
    deployment: Object
    service: Object
    environment: Object
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True)
class PlannedSuite:
    """A suite: one Job, one pod a shard."""

    name: str
    image: str
    job: Object
    shards: int
    timeout_seconds: float
    retries: int
    junit: bool
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs, by stage."""

    run: RunId
    namespace: Object
    binding: Object | None
    """What lets the operator work in the namespace; None where it may do so anyway."""
    isolation: tuple[Object, ...]
    """Service account, quota, limits, network policies, ConfigMaps: before any pod."""
    connection: Object
    """The Secret with `${secret:NAME}` placeholders."""
    copies: tuple[Copy, ...]
    environment: tuple[Object, ...]
    """The environment pod and its Service."""
    services: tuple[PlannedService, ...]
    applications: tuple[PlannedApplication, ...]
    suites: tuple[PlannedSuite, ...]
    parallelism: int
    provision_seconds: float
    total_seconds: float
    retention_success_seconds: float
    retention_failure_seconds: float

    @property
    def namespace_name(self) -> str:
        return str(self.namespace["metadata"]["name"])
