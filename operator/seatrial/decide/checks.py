"""The checks that can end a run, in the order in which they outweigh each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.decide.model import (
    APPLICATIONS,
    ENVIRONMENT,
    FOUNDATION,
    MAX_TAIL,
    SERVICES,
    WATCH_LAG_SECONDS,
    provision_deadline,
)
from seatrial.decide.suites import stuck
from seatrial.verdict import Judgement, State, judge_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.decide.model import Facts
    from seatrial.observe import PodView


def _cancelled(facts: Facts) -> Judgement | None:
    if facts.orders.cancel:
        return Judgement(State.CANCELLED, "Cancelled", "spec.cancel was set")
    return None


def _refused(facts: Facts) -> Judgement | None:
    """An object of the environment that the API server refuses for good."""
    for step in (*FOUNDATION, SERVICES, ENVIRONMENT, APPLICATIONS):
        if step in facts.snapshot.refused:
            reason, message = facts.snapshot.refused[step]
            return Judgement(State.ERROR, reason, message)
    return None


def _environment_deleted(facts: Facts) -> Judgement | None:
    name = facts.plan.namespace_name
    if facts.snapshot.namespace_terminating:
        return Judgement(State.ERROR, "EnvironmentDeleted", f"namespace {name} is being deleted by somebody else")
    if facts.snapshot.namespace_exists or facts.past.started_at is None:
        return None
    # Right after its creation the watch may not show it yet.
    if facts.snapshot.namespace_seen or facts.now > facts.started_at + WATCH_LAG_SECONDS:
        return Judgement(State.ERROR, "EnvironmentDeleted", f"namespace {name} was deleted by somebody else")
    return None


def _service_died(facts: Facts) -> Judgement | None:
    """Services are never restarted, so one that has ended has taken the run's state with it."""
    for service in facts.plan.services:
        pods = facts.snapshot.pods_of("service", service.name)
        known = facts.snapshot.environment.services.get(service.name)
        was_ready = service.name in facts.past.ready or (known is not None and known.ready_after is not None)
        if was_ready and not pods:
            return Judgement(
                State.ERROR, "ServiceFailed", f"the pod of service {service.name} was deleted by somebody else"
            )
        for pod in pods:
            main = pod.main
            if pod.terminated or (main is not None and main.terminated):
                if main and main.end_reason in START_ERRORS:
                    said = main.end_message or main.end_reason
                    message = f"service {service.name} cannot start: {said}{_tail(facts, pod)}"
                    return Judgement(State.ERROR, "ServiceFailed", message)
                why = (main.end_reason or main.end_message if main else "") or pod.reason or "ended"
                code = f", exit code {main.exit_code}" if main and main.exit_code is not None else ""
                return Judgement(
                    State.ERROR, "ServiceFailed", f"service {service.name} died ({why}{code}){_tail(facts, pod)}"
                )
    return None


def suites_ended(facts: Facts) -> Judgement | None:
    """Every suite has come to its own end."""
    verdict = judge_run([(name, suite.judgement) for name, suite in facts.suites.items()])
    if verdict is None:
        return None
    # The kubelet tells of a death up to a second late: failures that it explains must not become the verdict before.
    if verdict.state is State.FAILED and _unreachable(facts):
        return None
    # The gate has told the suites; what it was that failed is in the environment pod's log, which may come later.
    waiting = (*facts.snapshot.pods_of("suite"), *facts.snapshot.pods_of("environment"))
    if verdict.reason == "EnvironmentFailed" and any(not pod.terminated for pod in waiting):
        return None
    return verdict


def _service_unreachable(facts: Facts) -> Judgement | None:
    """Tests have failed, a service accepts no connection, and the kubelet has had time to tell how it died."""
    verdict = judge_run([(name, suite.judgement) for name, suite in facts.suites.items()])
    if verdict is None or verdict.state is not State.FAILED:
        return None
    lost = _unreachable(facts)
    if not lost or any(not pod.terminated for suite, _, _ in lost for pod in facts.snapshot.pods_of("suite", suite)):
        return None
    suite, service, said = lost[0]
    return Judgement(
        State.ERROR,
        "ServiceFailed",
        f"service {service} accepted no connection when suite {suite} ended ({said}); before that: {verdict.message}",
    )


def _unreachable(facts: Facts) -> list[tuple[str, str, str]]:
    """Suite, service and what was seen, for each service that was gone when a suite ended."""
    services = {service.name for service in facts.plan.services}
    return [
        (suite, name, said)
        for (suite, _), shard in facts.snapshot.shards.items()
        for name, said in shard.unreachable.items()
        if name in services
    ]


def _environment_failed(facts: Facts) -> Judgement | None:
    state = facts.snapshot.environment
    if state.failed_reason:
        culprit = next(
            (
                pod
                for pod in facts.snapshot.pods
                if pod.component in {"service", "application"} and pod.role == state.failed_name
            ),
            None,
        )
        if culprit is not None and culprit.unschedulable:
            return _unschedulable(facts, culprit)
        tail = _tail(facts, culprit) if culprit else ""
        return Judgement(State.ERROR, state.failed_reason, f"{state.failed_message}{tail}")
    return None


def _pods_stuck(facts: Facts) -> Judgement | None:
    for component in ("service", "environment", "application"):
        for pod in facts.snapshot.pods_of(component):
            judgement = stuck(pod, facts.orders, facts.now)
            if judgement is not None:
                return Judgement(State.ERROR, judgement.reason, f"{component} {pod.role}: {judgement.message}")
    return None


def _application_died(facts: Facts) -> Judgement | None:
    """A Deployment restarts its container; a system under test that has crashed is a finding, not a hiccup."""
    for application in facts.plan.applications:
        for pod in facts.snapshot.pods_of("application", application.name):
            main = pod.main
            if main is None or pod.deleted or not (main.terminated or main.restarts):
                continue
            if main.end_reason in START_ERRORS:
                message = f"application {application.name}: cannot start: {main.end_message or main.end_reason}"
                return Judgement(State.ERROR, "ContainerRefused", message)
            why = main.end_reason or main.end_message or "ended"
            code = f", exit code {main.exit_code}" if main.exit_code is not None else ""
            return Judgement(
                State.ERROR,
                "ApplicationFailed",
                f"application {application.name} stopped ({why}{code}){_tail(facts, pod)}",
            )
    return None


def _application_refused(facts: Facts) -> Judgement | None:
    """A Deployment whose pod cannot be created says so only in an Event of its ReplicaSet."""
    jobs = {suite.job["metadata"]["name"] for suite in facts.plan.suites}
    for application in facts.plan.applications:
        if facts.snapshot.pods_of("application", application.name):
            continue
        for name, message in facts.snapshot.events.items():
            # A ReplicaSet is called like its Deployment with a hash, which has no dash.
            if name.rpartition("-")[0] == application.name and name not in jobs:
                return Judgement(
                    State.ERROR, "PodRefused", f"no pod could be created for application {application.name}: {message}"
                )
    return None


def _environment_pod_died(facts: Facts) -> Judgement | None:
    pods = facts.snapshot.pods_of("environment")
    if not pods and (facts.is_open or facts.snapshot.environment.started_at is not None):
        return Judgement(State.ERROR, "EnvironmentFailed", "the environment pod was deleted by somebody else")
    for pod in pods:
        if pod.terminated:
            code = pod.main.exit_code if pod.main else None
            return Judgement(
                State.ERROR, "EnvironmentFailed", f"the environment pod ended (exit code {code}){_tail(facts, pod)}"
            )
    return None


def _provision_timeout(facts: Facts) -> Judgement | None:
    limit = facts.plan.provision_seconds
    if facts.is_open or not facts.begun or facts.now < provision_deadline(facts):
        return None
    for pod in facts.snapshot.pods:
        if pod.unschedulable and pod.component != "suite":
            return _unschedulable(facts, pod)
    return Judgement(
        State.ERROR, "ProvisionTimeout", f"the environment is not ready after {limit:g} s: {_culprit(facts)}"
    )


def _unschedulable(facts: Facts, pod: PodView) -> Judgement:
    """No node had room in time: the scheduler's words say more than those of whoever waited."""
    waited = f"{facts.now - pod.created_at:.0f} s"
    message = f"{pod.component} {pod.role}: pod {pod.name} cannot be scheduled for {waited}: {pod.unschedulable}"
    return Judgement(State.ERROR, "Unschedulable", message)


def _total_timeout(facts: Facts) -> Judgement | None:
    limit = facts.plan.total_seconds
    if not facts.begun or facts.now < facts.started_at + limit:
        return None
    waiting = [name for name, suite in facts.suites.items() if not suite.judgement.state.ended]
    return Judgement(
        State.ERROR, "Timeout", f"the run took longer than {limit:g} s; not finished: suite {', '.join(waiting)}"
    )


START_ERRORS = frozenset({"StartError", "ContainerCannotRun"})
"""How the kubelet says that there is no such command in the image."""

CHECKS: tuple[Callable[[Facts], Judgement | None], ...] = (
    _cancelled,
    _refused,
    _environment_deleted,
    _service_died,
    _environment_failed,  # before what came of it: suites give up when the gate does not open
    _pods_stuck,
    _service_unreachable,
    suites_ended,
    _application_died,
    _application_refused,
    _environment_pod_died,
    _total_timeout,
    _provision_timeout,
)


def _culprit(facts: Facts) -> str:
    """Who the environment waits for, in its own words."""
    state = facts.snapshot.environment
    for kind, names, components in (
        ("service", [item.name for item in facts.plan.services], state.services),
        ("application", [item.name for item in facts.plan.applications], state.applications),
    ):
        for name in names:
            known = components.get(name)
            ready = known is not None and known.ready_after is not None
            seeded = kind == "application" or (known is not None and known.seeded)
            if ready and seeded:
                continue
            its_pod = next(iter(facts.snapshot.pods_of(kind, name)), None)
            said = known.message if known and known.message else _pod_says(its_pod)
            tail = _tail(facts, its_pod) if its_pod is not None else ""
            return f"{kind} {name} is {'not seeded' if ready else 'not ready'}: {said}{tail}"
    return "the environment pod has not opened the gate"


def _pod_says(pod: PodView | None) -> str:
    if pod is None:
        return "it has no pod"
    for container in pod.containers:
        if container.waiting_reason:
            return f"pod {pod.name}: {container.waiting_reason} {container.waiting_message}".strip()
    return f"pod {pod.name} is {pod.phase or 'unknown'}"


def _tail(facts: Facts, pod: PodView) -> str:
    """As many of the last lines as fit, on one line."""
    lines = [line.strip() for line in facts.snapshot.tails.get(pod.name, "").splitlines() if line.strip()]
    tail = ""
    for line in reversed(lines):
        longer = f"{line} | {tail}" if tail else line[-MAX_TAIL:]
        if len(longer) > MAX_TAIL:
            break
        tail = longer
    return f"; its log ends with: {tail}" if tail else ""
