"""Decision + Snapshot + past status -> status. One writer, one patch; what was known is never lost. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.api.status import (
    MESSAGE_LIMIT,
    ConditionType,
    Counts,
    ShardStatus,
    SuiteStatus,
    Summary,
    TestRunStatus,
    Timings,
)
from seatrial.conditions import COLLECTING, FALSE, TRUE, Aspect, phase_of, upsert
from seatrial.decide import Past, SuiteDecision, shard_evidence
from seatrial.status.aspects import aspects_of, final_aspects, progress
from seatrial.status.fitting import fit
from seatrial.status.parts import components, counts, failures_of, is_behind, suite_status, tests_of
from seatrial.status.text import seconds_of, spell, timestamp
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seatrial.decide import Decision
    from seatrial.evidence import ShardEvidence
    from seatrial.observe import Snapshot
    from seatrial.plan import Plan

__all__ = ["Moment", "mark_cleaned", "merge_patch", "project", "read_past", "refuse", "timestamp"]


@dataclass(frozen=True)
class Moment:
    """When, and for which generation, a status is written."""

    now: float
    generation: int


def read_past(status: TestRunStatus) -> Past:
    """What the status says, as decisions need it."""
    succeeded = next((item for item in status.conditions if item.type == ConditionType.SUCCEEDED), None)
    cleaned = next((item for item in status.conditions if item.type == ConditionType.ENVIRONMENT_CLEANED), None)
    completed = next((item for item in status.conditions if item.type == ConditionType.SUITES_COMPLETED), None)
    return Past(
        started_at=seconds_of(status.timings.started),
        finished_at=seconds_of(status.timings.finished),
        passed=succeeded is not None and succeeded.status is TRUE,
        cleaned=cleaned is not None and cleaned.status is TRUE,
        environment_ready=status.timings.environment_ready is not None,
        collecting=completed is not None and completed.reason == COLLECTING,
        ready=frozenset(service.name for service in status.services if service.ready),
        suites={
            suite.name: SuiteDecision(
                _judgement(suite), tuple(_judgement(shard) for shard in suite.shards) or (_judgement(suite),)
            )
            for suite in status.suites
        },
    )


def _judgement(part: SuiteStatus | ShardStatus) -> Judgement:
    state = State(part.state) if part.state in set(State) else State.PENDING
    return Judgement(state, part.reason if isinstance(part, SuiteStatus) else "", part.message)


def refuse(past: TestRunStatus, judgement: Judgement, moment: Moment) -> TestRunStatus:
    """The status of a run that cannot even be planned."""
    at = timestamp(moment.now)
    aspects = final_aspects(judgement) | {
        ConditionType.ACCEPTED: (FALSE, judgement.reason, judgement.message),
        ConditionType.ENVIRONMENT_CLEANED: (TRUE, "NothingToClean", "no environment was created")
        if past.namespace is None
        else (TRUE, "Deleted", "the environment is being deleted"),
    }
    conditions = upsert(past.conditions, aspects, moment.generation, at)
    return past.model_copy(
        update={
            "observed_generation": moment.generation,
            "phase": phase_of(conditions),
            "reason": judgement.reason,
            "message": judgement.message[:MESSAGE_LIMIT],
            "conditions": conditions,
            "timings": past.timings.model_copy(update={"finished": past.timings.finished or at}),
        }
    )


def project(plan: Plan, snapshot: Snapshot, decision: Decision, past: TestRunStatus, moment: Moment) -> TestRunStatus:
    """The status as it follows from what is known now."""
    known = read_past(past)
    services = components(
        [(item.name, item.image) for item in plan.services], snapshot.environment.services, past.services
    )
    applications = components(
        [(item.name, item.image) for item in plan.applications], snapshot.environment.applications, past.applications
    )
    evidence = {
        (suite.name, index): shard_evidence(snapshot, suite.name, index)
        for suite in plan.suites
        for index in range(suite.shards)
    }
    before = {suite.name: suite for suite in past.suites}
    suites = [
        suite_status(suite, decision.suites.get(suite.name), evidence, before.get(suite.name)) for suite in plan.suites
    ]
    timings = _timings(snapshot, decision, past, evidence.values(), moment)
    summary = _summary(suites, timings, moment)
    failures, (tests, truncated) = failures_of(evidence.values()), tests_of(evidence.values())
    behind = any(
        is_behind(counts(evidence[suite.name, index] for index in range(suite.shards)), before.get(suite.name))
        for suite in plan.suites
    )
    if behind and decision.verdict is None:
        failures, tests, truncated = past.failures, past.tests, past.tests_truncated
    aspects = aspects_of(plan, snapshot, decision, known, moment.now)
    conditions = upsert(past.conditions, aspects, moment.generation, timestamp(moment.now))
    said = decision.verdict or decision.held or progress(plan, snapshot, known, suites)
    ready = [item.ready for item in (*services, *applications)]
    status = TestRunStatus(
        observed_generation=moment.generation,
        phase=phase_of(conditions),
        reason=said.reason,
        message=said.message[:MESSAGE_LIMIT],
        namespace=past.namespace if decision.held or not timings.started else plan.namespace_name,
        environment=f"{sum(ready)}/{len(ready)}",
        passed=f"{summary.passed}/{summary.total}",
        summary=summary,
        duration=spell(summary.duration_seconds) if timings.started else "",
        timings=timings,
        conditions=conditions,
        services=services,
        applications=applications,
        suites=suites,
        failures=failures,
        tests=tests,
        tests_truncated=truncated,
    )
    return fit(status)


def observe_generation(past: TestRunStatus, moment: Moment) -> TestRunStatus:
    """A spec that changes after the verdict has been seen, and changes nothing: kstatus would wait for it for ever."""
    conditions = upsert(past.conditions, {}, moment.generation, timestamp(moment.now))
    return past.model_copy(update={"conditions": conditions, "observed_generation": moment.generation})


def mark_cleaned(past: TestRunStatus, aspect: Aspect, moment: Moment) -> TestRunStatus:
    """After the verdict only the fate of the environment can change."""
    conditions = upsert(
        past.conditions, {ConditionType.ENVIRONMENT_CLEANED: aspect}, moment.generation, timestamp(moment.now)
    )
    return past.model_copy(update={"conditions": conditions, "observed_generation": moment.generation})


def merge_patch(past: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7386: the members that differ, and null for those that are gone."""
    patch: dict[str, Any] = {key: None for key in past if key not in wanted}
    for key, value in wanted.items():
        before = past.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif key not in past or before != value:
            patch[key] = value
    return patch


def _summary(suites: Sequence[SuiteStatus], timings: Timings, moment: Moment) -> Summary:
    total = {name: sum(int(getattr(suite, name)) for suite in suites) for name in Counts.model_fields}
    started = seconds_of(timings.started)
    finished = seconds_of(timings.finished) or moment.now
    return Summary(**total, duration_seconds=round(max(0.0, finished - started), 3) if started else 0.0)


def _timings(
    snapshot: Snapshot, decision: Decision, past: TestRunStatus, evidence: Iterable[ShardEvidence], moment: Moment
) -> Timings:
    shards = list(evidence)
    starts = [shard.first_test for shard in shards if shard.first_test is not None]
    ends = [shard.last_test for shard in shards if shard.last_test is not None]
    before = past.timings
    now = timestamp(moment.now)
    is_open, open_at = snapshot.environment.is_open, snapshot.environment.open_at
    begun = snapshot.namespace_exists or bool(snapshot.applied)
    return Timings(
        accepted=before.accepted or now,
        started=before.started or (now if begun and not decision.held else None),
        environment_ready=before.environment_ready or (timestamp(open_at or moment.now) if is_open else None),
        first_test=timestamp(min(starts)) if starts else before.first_test,
        last_test=timestamp(max(ends)) if ends else before.last_test,
        finished=before.finished or (now if decision.verdict else None),
    )
