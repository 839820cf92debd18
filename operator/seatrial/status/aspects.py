"""What each condition of a run says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.status import ConditionType
from seatrial.conditions import COLLECTING, FALSE, TRUE, UNKNOWN, Aspect
from seatrial.status.text import timestamp
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.api.status import SuiteStatus
    from seatrial.decide import Decision, Past
    from seatrial.observe import Snapshot
    from seatrial.plan import Plan


def progress(plan: Plan, snapshot: Snapshot, past: Past, suites: Sequence[SuiteStatus]) -> Judgement:
    """What the run waits for, when it is neither over nor held."""
    if not (past.environment_ready or snapshot.environment.is_open):
        waiting = [
            f"{name} ({known.message})" if known and known.message else name
            for name, known in (
                *((item.name, snapshot.environment.services.get(item.name)) for item in plan.services),
                *((item.name, snapshot.environment.applications.get(item.name)) for item in plan.applications),
            )
            if known is None or known.ready_after is None
        ]
        return Judgement(State.RUNNING, "Provisioning", f"waiting for {', '.join(waiting)}" if waiting else "")
    running = [suite.name for suite in suites if not State(suite.state).ended]
    return Judgement(State.RUNNING, "Running", f"suite {', '.join(running)}" if running else "")


def aspects_of(
    plan: Plan, snapshot: Snapshot, decision: Decision, past: Past, now: float
) -> dict[ConditionType, Aspect]:
    """Status, reason and message of the conditions that are known now."""
    aspects: dict[ConditionType, Aspect] = {ConditionType.ACCEPTED: (TRUE, "Accepted", "the spec is valid")}
    aspects[ConditionType.ENVIRONMENT_READY] = _environment_aspect(plan, snapshot, decision, past)
    if decision.verdict is not None:
        aspects |= final_aspects(decision.verdict)
        keep = (
            plan.retention_success_seconds if decision.verdict.state is State.PASSED else plan.retention_failure_seconds
        )
        until = timestamp(now + keep)
        aspects[ConditionType.ENVIRONMENT_CLEANED] = (
            (FALSE, "Retained", f"the environment is kept until {until}")
            if keep
            else (FALSE, "CleaningUp", "the environment is being deleted")
        )
        aspects[ConditionType.SUITES_COMPLETED] = (
            (TRUE, "Completed", "every suite has come to its end")
            if decision.complete
            else (FALSE, decision.verdict.reason, "not every suite has come to its end")
        )
        return aspects
    reason, message = (
        (decision.held.reason, decision.held.message) if decision.held else ("InProgress", "the run is not over")
    )
    stopped = past.collecting or _all_stopped(plan, snapshot)
    suites = (FALSE, COLLECTING, "the last results are being read") if stopped else None
    return aspects | {
        ConditionType.SUITES_COMPLETED: suites or (FALSE, reason, message),
        ConditionType.SUCCEEDED: (UNKNOWN, reason, message),
        ConditionType.FINISHED: (FALSE, reason, message),
        ConditionType.READY: (FALSE, reason, message),
        ConditionType.RECONCILING: (TRUE, reason, message),
        ConditionType.STALLED: (FALSE, reason, message),
        ConditionType.ENVIRONMENT_CLEANED: (FALSE, reason, message),
    }


def _all_stopped(plan: Plan, snapshot: Snapshot) -> bool:
    """Whether every shard of every suite has had its pod, and none of them runs any more."""
    pods = snapshot.pods_of("suite")
    return len(pods) >= sum(suite.shards for suite in plan.suites) and all(pod.terminated for pod in pods)


def _environment_aspect(plan: Plan, snapshot: Snapshot, decision: Decision, past: Past) -> Aspect:
    if decision.held is not None:
        return FALSE, decision.held.reason, decision.held.message
    if past.environment_ready or snapshot.environment.is_open:
        return TRUE, "Ready", "every service and application has answered through its own protocol"
    if decision.verdict is not None:
        return FALSE, decision.verdict.reason, decision.verdict.message
    return FALSE, "Provisioning", progress(plan, snapshot, past, []).message


def final_aspects(verdict: Judgement) -> dict[ConditionType, Aspect]:
    """The conditions that a verdict settles. kstatus takes Stalled for failed and waits on Ready=False alone."""
    reason, message = verdict.reason, verdict.message
    passed = verdict.state is State.PASSED
    return {
        ConditionType.SUCCEEDED: (TRUE if passed else FALSE, reason, message),
        ConditionType.FINISHED: (TRUE, reason, message),
        ConditionType.READY: (TRUE if passed else FALSE, reason, message),
        ConditionType.RECONCILING: (FALSE, reason, "the run is over"),
        ConditionType.STALLED: (FALSE if passed else TRUE, reason, message),
    }
