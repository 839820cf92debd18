"""Plan + Snapshot + past status + now -> Decision: an ordered list of checks, the first answer decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial.evidence import ShardEvidence
from seatrial.observe import CONFIG_REASONS, IMAGE_REASONS, PULL_REASONS
from seatrial.verdict import Judgement, State, judge_run, judge_shard, judge_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seatrial.observe import PodView, Snapshot
    from seatrial.plan import Plan, PlannedSuite

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
MAX_TAIL = 400


def suite_step(name: str) -> str:
    return f"{SUITE_PREFIX}{name}"


@dataclass(frozen=True)
class Past:
    """What the status already says, as far as decisions need it."""

    started_at: float | None = None
    finished_at: float | None = None
    passed: bool = False
    cleaned: bool = False
    suites: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True)
class Orders:
    """The fields of the spec that may change while the run goes on, and the operator's patience."""

    suspend: bool = False
    cancel: bool = False
    image_pull_seconds: float = 45.0


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
class _Facts:
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
    def begun(self) -> bool:
        return self.past.started_at is not None or self.snapshot.namespace_exists


def decide(plan: Plan, snapshot: Snapshot, past: Past, orders: Orders, now: float) -> Decision:
    """Decide on one run. Never undoes a verdict: a run that has finished is only cleaned up."""
    if past.finished_at is not None:
        return _decide_retention(plan, past, now)
    suites = {suite.name: _decide_suite(suite, snapshot, past, orders, now) for suite in plan.suites}
    facts = _Facts(plan, snapshot, past, orders, now, suites)
    for check in CHECKS:
        verdict = check(facts)
        if verdict is not None:
            return Decision(verdict=verdict, complete=check is _suites_ended, suites=_close(suites, verdict))
    held = _held(facts)
    if held is not None:
        return Decision(held=held, suites=suites)
    return Decision(steps=_steps(facts), suites=suites, wake_at=_wake_at(facts))


def _decide_retention(plan: Plan, past: Past, now: float) -> Decision:
    if past.cleaned or past.finished_at is None:
        return Decision()
    keep = plan.retention_success_seconds if past.passed else plan.retention_failure_seconds
    until = past.finished_at + keep
    return Decision(clean_up=now >= until, wake_at=until if now < until else None)


def _decide_suite(suite: PlannedSuite, snapshot: Snapshot, past: Past, orders: Orders, now: float) -> SuiteDecision:
    evidence = [shard_evidence(snapshot, suite.name, index) for index in range(suite.shards)]
    pods = snapshot.pods_of("suite", suite.name)
    refused = snapshot.refused.get(suite_step(suite.name))
    if refused is not None:
        return SuiteDecision(Judgement(State.ERROR, *refused))
    was = past.suites.get(suite.name, State.PENDING)
    if was in {State.WAITING, State.RUNNING} and snapshot.job(suite.name) is None and not pods:
        complete = all(item.end is not None for item in evidence)
        if not complete:
            return SuiteDecision(Judgement(State.ERROR, "JobDeleted", f"the Job of suite {suite.name} is gone"))
    shards = []
    for item in evidence:
        pod = next((pod for pod in pods if pod.shard == item.shard), None)
        judgement = judge_shard(item, pod, shards=suite.shards, junit=suite.junit)
        if pod is None and item.pod_uid and item.end is None:
            judgement = Judgement(State.ERROR, "PodDeleted", f"the pod of shard {item.shard} is gone: {_known(item)}")
        elif pod is not None and not judgement.state.ended:
            judgement = stuck(pod, orders, now) or judgement
        shards.append(judgement)
    judgement = judge_suite(shards, evidence)
    if not judgement.state.ended:
        failed = next((shard for shard in shards if shard.state is State.ERROR), None)
        never_started = all(shard.state in {State.PENDING, State.WAITING, State.ERROR} for shard in shards)
        if failed is not None and never_started:
            judgement = failed
        elif (message := _no_pods(suite, snapshot, now)) is not None:
            judgement = Judgement(State.ERROR, "PodRefused", message)
    return SuiteDecision(judgement, tuple(shards))


def shard_evidence(snapshot: Snapshot, suite: str, index: int) -> ShardEvidence:
    return snapshot.shards.get((suite, index)) or ShardEvidence(suite, index)


def _known(evidence: ShardEvidence) -> str:
    return f"{evidence.finals} of {evidence.collected or 0} collected tests have an outcome"


def _no_pods(suite: PlannedSuite, snapshot: Snapshot, now: float) -> str | None:
    job = snapshot.job(suite.name)
    if job is None or snapshot.pods_of("suite", suite.name) or now - job.created_at < REFUSED_PODS_SECONDS:
        return None
    message = snapshot.events.get(f"{SUITE_PREFIX.rstrip(':')}-{suite.name}")
    if message is None:
        return None
    others = any(not pod.terminated for pod in snapshot.pods_of("suite"))
    if others and "quota" in message:
        return None  # the quota is freed when another suite ends
    return f"no pod could be created for suite {suite.name}: {message}"


def stuck(pod: PodView, orders: Orders, now: float) -> Judgement | None:
    """A pod that cannot start, with the kubelet's own words."""
    age = now - pod.created_at
    for container in pod.containers:
        reason, said = container.waiting_reason, container.waiting_message
        message = f"pod {pod.name}, image {container.image!r}: {said or reason}"
        if reason in IMAGE_REASONS:
            return Judgement(State.ERROR, "InvalidImage", message)
        if reason in PULL_REASONS and age > orders.image_pull_seconds:
            return Judgement(State.ERROR, "ImagePullFailed", f"{message} (tried for {age:.0f} s)")
        if reason in CONFIG_REASONS and age > CONFIG_GRACE_SECONDS:
            return Judgement(State.ERROR, "ContainerRefused", message)
    return None


# --- The checks, in the order in which they outweigh each other ---------------------------------------------------


def _cancelled(facts: _Facts) -> Judgement | None:
    if facts.orders.cancel:
        return Judgement(State.CANCELLED, "Cancelled", "spec.cancel was set")
    return None


def _refused(facts: _Facts) -> Judgement | None:
    """An object of the environment that the API server refuses for good."""
    for step in (*FOUNDATION, SERVICES, ENVIRONMENT, APPLICATIONS):
        if step in facts.snapshot.refused:
            reason, message = facts.snapshot.refused[step]
            return Judgement(State.ERROR, reason, message)
    return None


def _environment_deleted(facts: _Facts) -> Judgement | None:
    name = facts.plan.namespace_name
    if facts.snapshot.namespace_terminating:
        return Judgement(State.ERROR, "EnvironmentDeleted", f"namespace {name} is being deleted by somebody else")
    if facts.snapshot.namespace_exists or facts.past.started_at is None:
        return None
    # Right after its creation the watch may not show it yet.
    if facts.snapshot.namespace_seen or facts.now > facts.started_at + WATCH_LAG_SECONDS:
        return Judgement(State.ERROR, "EnvironmentDeleted", f"namespace {name} was deleted by somebody else")
    return None


def _service_died(facts: _Facts) -> Judgement | None:
    """Services are never restarted, so one that has ended has taken the run's state with it."""
    for service in facts.plan.services:
        for pod in facts.snapshot.pods_of("service", service.name):
            main = pod.main
            if pod.terminated or (main is not None and main.terminated):
                why = (main.end_reason or main.end_message if main else "") or pod.reason or "ended"
                code = f", exit code {main.exit_code}" if main and main.exit_code is not None else ""
                return Judgement(
                    State.ERROR, "ServiceFailed", f"service {service.name} died ({why}{code}){_tail(facts, pod)}"
                )
    return None


def _suites_ended(facts: _Facts) -> Judgement | None:
    return judge_run([(name, suite.judgement) for name, suite in facts.suites.items()])


def _environment_failed(facts: _Facts) -> Judgement | None:
    state = facts.snapshot.environment
    if state.failed_reason:
        culprit = next((pod for pod in facts.snapshot.pods if pod.role == state.failed_name), None)
        tail = _tail(facts, culprit) if culprit else ""
        return Judgement(State.ERROR, state.failed_reason, f"{state.failed_message}{tail}")
    return None


def _pods_stuck(facts: _Facts) -> Judgement | None:
    for component in ("service", "environment", "application"):
        for pod in facts.snapshot.pods_of(component):
            judgement = stuck(pod, facts.orders, facts.now)
            if judgement is not None:
                return Judgement(State.ERROR, judgement.reason, f"{component} {pod.role}: {judgement.message}")
    return None


def _application_died(facts: _Facts) -> Judgement | None:
    """A Deployment restarts its container; a system under test that has crashed is a finding, not a hiccup."""
    for application in facts.plan.applications:
        for pod in facts.snapshot.pods_of("application", application.name):
            main = pod.main
            if main is None or pod.deleted or not (main.terminated or main.restarts):
                continue
            why = main.end_reason or main.end_message or "ended"
            code = f", exit code {main.exit_code}" if main.exit_code is not None else ""
            return Judgement(
                State.ERROR,
                "ApplicationFailed",
                f"application {application.name} stopped ({why}{code}){_tail(facts, pod)}",
            )
    return None


def _application_refused(facts: _Facts) -> Judgement | None:
    """A Deployment whose pod cannot be created says so only in an Event of its ReplicaSet."""
    for application in facts.plan.applications:
        if facts.snapshot.pods_of("application", application.name):
            continue
        for name, message in facts.snapshot.events.items():
            if name.startswith(f"{application.name}-"):
                return Judgement(
                    State.ERROR, "PodRefused", f"no pod could be created for application {application.name}: {message}"
                )
    return None


def _environment_pod_died(facts: _Facts) -> Judgement | None:
    for pod in facts.snapshot.pods_of("environment"):
        if pod.terminated:
            code = pod.main.exit_code if pod.main else None
            return Judgement(
                State.ERROR, "EnvironmentFailed", f"the environment pod ended (exit code {code}){_tail(facts, pod)}"
            )
    return None


def _provision_timeout(facts: _Facts) -> Judgement | None:
    limit = facts.plan.provision_seconds
    if facts.snapshot.environment.is_open or not facts.begun or facts.now < facts.started_at + limit:
        return None
    return Judgement(
        State.ERROR, "ProvisionTimeout", f"the environment is not ready after {limit:g} s: {_culprit(facts)}"
    )


def _total_timeout(facts: _Facts) -> Judgement | None:
    limit = facts.plan.total_seconds
    if not facts.begun or facts.now < facts.started_at + limit:
        return None
    waiting = [name for name, suite in facts.suites.items() if not suite.judgement.state.ended]
    return Judgement(
        State.ERROR, "Timeout", f"the run took longer than {limit:g} s; not finished: suite {', '.join(waiting)}"
    )


CHECKS: tuple[Callable[[_Facts], Judgement | None], ...] = (
    _cancelled,
    _refused,
    _environment_deleted,
    _service_died,
    _suites_ended,
    _environment_failed,
    _pods_stuck,
    _application_died,
    _application_refused,
    _environment_pod_died,
    _total_timeout,
    _provision_timeout,
)


def _culprit(facts: _Facts) -> str:
    """Who the environment waits for, in its own words or the scheduler's."""
    for pod in facts.snapshot.pods:
        if pod.unschedulable:
            return f"pod {pod.name} cannot be scheduled: {pod.unschedulable}"
    state = facts.snapshot.environment
    for kind, names, components in (
        ("service", [item.name for item in facts.plan.services], state.services),
        ("application", [item.name for item in facts.plan.applications], state.applications),
    ):
        for name in names:
            known = components.get(name)
            if known is not None and known.ready_after is not None:
                continue
            its_pod = next(iter(facts.snapshot.pods_of(kind, name)), None)
            said = known.message if known and known.message else _pod_says(its_pod)
            tail = _tail(facts, its_pod) if its_pod is not None else ""
            return f"{kind} {name} is not ready: {said}{tail}"
    return "the environment pod has not opened the gate"


def _pod_says(pod: PodView | None) -> str:
    if pod is None:
        return "it has no pod"
    for container in pod.containers:
        if container.waiting_reason:
            return f"pod {pod.name}: {container.waiting_reason} {container.waiting_message}".strip()
    return f"pod {pod.name} is {pod.phase or 'unknown'}"


def _tail(facts: _Facts, pod: PodView) -> str:
    tail = facts.snapshot.tails.get(pod.name, "").strip()
    return f"; its log ends with: {tail[-MAX_TAIL:]}" if tail else ""


# --- What to do next ------------------------------------------------------------------------------------------


def _held(facts: _Facts) -> Judgement | None:
    if facts.begun:
        return None
    if facts.orders.suspend:
        return Judgement(State.PENDING, "Suspended", "spec.suspend is true: set it to false to start the run")
    if not facts.snapshot.has_slot:
        return Judgement(
            State.PENDING, "Queued", "as many runs are active as the operator allows; this one is next in line"
        )
    return None


def _steps(facts: _Facts) -> tuple[str, ...]:
    wanted = [*FOUNDATION, SERVICES, ENVIRONMENT]
    if facts.plan.applications and facts.snapshot.environment.services_ready:
        wanted.append(APPLICATIONS)
    if not facts.orders.suspend:
        wanted += [suite_step(name) for name in _suites_to_start(facts)]
    return tuple(step for step in wanted if step not in facts.snapshot.applied)


def _suites_to_start(facts: _Facts) -> list[str]:
    """In the listed order, at most `parallelism` at a time. A suite is started once, whatever becomes of its Job."""
    started = [name for name in facts.suites if _has_started(facts, name)]
    active = sum(not facts.suites[name].judgement.state.ended for name in started)
    waiting = [name for name in facts.suites if name not in started and not facts.suites[name].judgement.state.ended]
    return waiting[: max(0, facts.plan.parallelism - active)]


def _has_started(facts: _Facts, name: str) -> bool:
    return (
        facts.past.suites.get(name, State.PENDING) is not State.PENDING
        or suite_step(name) in facts.snapshot.applied
        or facts.snapshot.job(name) is not None
        or any(suite == name for suite, _ in facts.snapshot.shards)
    )


def _close(suites: Mapping[str, SuiteDecision], verdict: Judgement) -> dict[str, SuiteDecision]:
    """When the run ends, what has not ended has been cut off."""
    state = State.CANCELLED if verdict.state is State.CANCELLED else State.ERROR

    def cut(judgement: Judgement) -> Judgement:
        return judgement if judgement.state.ended else Judgement(state, verdict.reason, "the run ended before it did")

    return {
        name: SuiteDecision(cut(suite.judgement), tuple(cut(shard) for shard in suite.shards))
        for name, suite in suites.items()
    }


def _wake_at(facts: _Facts) -> float | None:
    times = [facts.started_at + facts.plan.total_seconds]
    if not facts.snapshot.environment.is_open:
        times.append(facts.started_at + facts.plan.provision_seconds)
    for pod in facts.snapshot.pods:
        for container in pod.containers:
            if container.waiting_reason in PULL_REASONS:
                times.append(pod.created_at + facts.orders.image_pull_seconds + 0.1)
            elif container.waiting_reason in CONFIG_REASONS:
                times.append(pod.created_at + CONFIG_GRACE_SECONDS + 0.1)
    times.extend(
        max(job.created_at + REFUSED_PODS_SECONDS, facts.now + 1.0)
        for job in facts.snapshot.jobs
        if not facts.snapshot.pods_of("suite", job.suite)
    )
    return min((time for time in times if time > facts.now), default=None)
