"""Plan + Snapshot + past status + now -> Decision: an ordered list of checks, the first answer decides. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.decide.checks import CHECKS, suites_ended
from seatrial.decide.model import (
    APPLICATIONS,
    CONNECTION,
    COPIES,
    ENVIRONMENT,
    FOUNDATION,
    ISOLATION,
    NAMESPACE,
    SERVICES,
    SUITE_PREFIX,
    Decision,
    Facts,
    Orders,
    Past,
    SuiteDecision,
    suite_step,
)
from seatrial.decide.steps import next_steps, wake_at, why_held
from seatrial.decide.suites import decide_suite, shard_evidence
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.observe import Snapshot
    from seatrial.plan import Plan

__all__ = [
    "APPLICATIONS",
    "CONNECTION",
    "COPIES",
    "ENVIRONMENT",
    "FOUNDATION",
    "ISOLATION",
    "NAMESPACE",
    "SERVICES",
    "SUITE_PREFIX",
    "Decision",
    "Orders",
    "Past",
    "SuiteDecision",
    "decide",
    "shard_evidence",
    "suite_step",
]


def decide(plan: Plan, snapshot: Snapshot, past: Past, orders: Orders, now: float) -> Decision:
    """Decide on one run. Never undoes a verdict: a run that has finished is only cleaned up."""
    if past.finished_at is not None:
        return _decide_retention(plan, past, now)
    suites = {
        suite.name: decide_suite(suite, snapshot, past, orders, now, room_seconds=plan.provision_seconds)
        for suite in plan.suites
    }
    facts = Facts(plan, snapshot, past, orders, now, suites)
    for check in CHECKS:
        verdict = check(facts)
        if verdict is not None:
            complete = check is suites_ended
            return Decision(verdict=verdict, complete=complete, suites=_close(suites, verdict, complete=complete))
    held = why_held(facts)
    if held is not None:
        return Decision(held=held, suites=suites)
    return Decision(steps=next_steps(facts), suites=suites, wake_at=wake_at(facts))


def _decide_retention(plan: Plan, past: Past, now: float) -> Decision:
    if past.cleaned or past.finished_at is None:
        return Decision()
    keep = plan.retention_success_seconds if past.passed else plan.retention_failure_seconds
    until = past.finished_at + keep
    return Decision(clean_up=now >= until, wake_at=until if now < until else None)


def _close(suites: Mapping[str, SuiteDecision], verdict: Judgement, *, complete: bool) -> dict[str, SuiteDecision]:
    """When the run ends, what has not ended has been cut off.

    So has a suite that has ended because the gate told it of a failure which is the verdict by itself: whether its
    records come before the verdict is chance.
    """
    state = State.CANCELLED if verdict.state is State.CANCELLED else State.ERROR

    def cut(judgement: Judgement) -> Judgement:
        if judgement.state.ended and (complete or judgement.reason != "EnvironmentFailed"):
            return judgement
        return Judgement(state, verdict.reason, "the run ended before it did")

    return {
        name: SuiteDecision(cut(suite.judgement), tuple(cut(shard) for shard in suite.shards))
        for name, suite in suites.items()
    }
