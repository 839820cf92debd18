"""What to do next, and when time alone may change that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seatrial.decide.model import (
    APPLICATIONS,
    CONFIG_GRACE_SECONDS,
    ENVIRONMENT,
    FOUNDATION,
    REFUSED_PODS_SECONDS,
    SERVICES,
    provision_deadline,
    suite_step,
)
from seatrial.decide.suites import overdue_at, room_until
from seatrial.observe import CONFIG_REASONS, PULL_REASONS
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from seatrial.decide.model import Facts


def why_held(facts: Facts) -> Judgement | None:
    """Why nothing may be started yet."""
    if facts.begun:
        return None
    if facts.orders.suspend:
        return Judgement(State.PENDING, "Suspended", "spec.suspend is true: set it to false to start the run")
    if facts.orders.barred is not None:
        return facts.orders.barred
    if not facts.snapshot.has_slot:
        return Judgement(State.PENDING, "Queued", facts.snapshot.place)
    return None


def next_steps(facts: Facts) -> tuple[str, ...]:
    """The steps that are due and not yet carried out, in order."""
    wanted: list[str] = []
    if not facts.past.environment_ready:  # else all of it is there, and a restarted operator need not write it again
        wanted += [*FOUNDATION, SERVICES, ENVIRONMENT]
        if facts.plan.applications and facts.snapshot.environment.services_ready:
            wanted.append(APPLICATIONS)
    if not facts.orders.suspend:
        wanted += [suite_step(name) for name in _suites_to_start(facts)]
    return tuple(step for step in wanted if step not in facts.snapshot.applied)


def _suites_to_start(facts: Facts) -> list[str]:
    """In the listed order, at most `parallelism` at a time. A suite is started once, whatever becomes of its Job."""
    started = [name for name in facts.suites if _has_started(facts, name)]
    active = sum(not facts.suites[name].judgement.state.ended for name in started)
    waiting = [name for name in facts.suites if name not in started and not facts.suites[name].judgement.state.ended]
    return waiting[: max(0, facts.plan.parallelism - active)]


def _has_started(facts: Facts, name: str) -> bool:
    return (
        ((past := facts.past.suites.get(name)) is not None and past.judgement.state is not State.PENDING)
        or suite_step(name) in facts.snapshot.applied
        or facts.snapshot.job(name) is not None
        or any(suite == name for suite, _ in facts.snapshot.shards)
    )


def wake_at(facts: Facts) -> float | None:
    """The next moment at which a deadline passes."""
    times = [facts.started_at + facts.plan.total_seconds]
    if not facts.is_open:
        times.append(provision_deadline(facts))
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
    times.extend(
        min(overdue_at(suite, facts.snapshot, pod), room_until(pod, facts.snapshot, facts.plan.provision_seconds))
        for suite in facts.plan.suites
        for pod in facts.snapshot.pods_of("suite", suite.name)
        if not pod.terminated
    )
    return min((time for time in times if facts.now < time < math.inf), default=None)
