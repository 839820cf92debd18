"""What decisions are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.observe import Snapshot
    from seatrial.plan import Plan
    from seatrial.verdict import Judgement

NAMESPACE, ISOLATION, CONNECTION, COPIES = "namespace", "isolation", "connection", "copies"
SERVICES, ENVIRONMENT, APPLICATIONS = "services", "environment", "applications"
FOUNDATION = (NAMESPACE, ISOLATION, CONNECTION, COPIES)
SUITE_PREFIX = "suite:"

CONFIG_GRACE_SECONDS = 5.0
"""How long a container that cannot be made may stay so: a ConfigMap can reach the kubelet a moment late."""
REFUSED_PODS_SECONDS = 3.0
"""A controller that has made no pod for this long has been refused (quota, Pod Security)."""
WATCH_LAG_SECONDS = 30.0
"""How long an object that was created may be missing from the watched ones before it counts as deleted."""
LAST_WORDS_SECONDS = 5.0
"""After the deadline: the environment pod counts from its own start, and says more than can be seen from outside."""
MAX_TAIL = 400
"""Of a culprit's log, in a message."""


def suite_step(name: str) -> str:
    return f"{SUITE_PREFIX}{name}"


@dataclass(frozen=True)
class Past:
    """What the status already says, as far as decisions need it."""

    started_at: float | None = None
    finished_at: float | None = None
    passed: bool = False
    cleaned: bool = False
    environment_ready: bool = False
    """Whether the gate was open: after a restart it takes a moment until the environment's log says so again."""
    collecting: bool = False
    """Whether every suite had stopped: a watch that lags behind may show some of them running again."""
    ready: frozenset[str] = frozenset()
    """Services that were ready."""
    suites: Mapping[str, SuiteDecision] = field(default_factory=dict)


@dataclass(frozen=True)
class Orders:
    """The fields of the spec that may change while the run goes on, the operator's patience and its scruples."""

    suspend: bool = False
    cancel: bool = False
    image_pull_seconds: float = 45.0
    barred: Judgement | None = None
    """Why a run may not start on this cluster: an Error, or pending as long as that is not known."""


@dataclass(frozen=True)
class SuiteDecision:
    """How a suite and its shards stand."""

    judgement: Judgement
    shards: tuple[Judgement, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What to do now, and what is known."""

    steps: tuple[str, ...] = ()
    """Steps to carry out, in order."""
    verdict: Judgement | None = None
    """The run's end, once it is known."""
    complete: bool = False
    """Whether every suite came to its own end."""
    held: Judgement | None = None
    """Why nothing is started yet."""
    suites: Mapping[str, SuiteDecision] = field(default_factory=dict)
    clean_up: bool = False
    """Whether the environment is to be deleted now."""
    wake_at: float | None = None
    """When time alone may change the decision."""


@dataclass(frozen=True)
class Facts:
    """All that a check may look at."""

    plan: Plan
    snapshot: Snapshot
    past: Past
    orders: Orders
    now: float
    suites: Mapping[str, SuiteDecision]

    @property
    def started_at(self) -> float:
        return self.past.started_at if self.past.started_at is not None else self.now

    @property
    def is_open(self) -> bool:
        return self.past.environment_ready or self.snapshot.environment.is_open

    @property
    def begun(self) -> bool:
        return self.past.started_at is not None or self.snapshot.namespace_exists


def provision_deadline(facts: Facts) -> float:
    """When the environment must be ready. The environment pod, which starts later, is given time to say what is not."""
    limit = facts.plan.provision_seconds
    deadline = facts.started_at + limit
    pod_started = facts.snapshot.environment.started_at
    if pod_started is None:
        return deadline
    return min(max(deadline, pod_started + limit) + 1.0, deadline + LAST_WORDS_SECONDS)
