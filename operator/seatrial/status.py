"""Decision + Snapshot + past status -> status. One writer, one patch; what was known is never lost. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seatrial.api.status import (
    FAILURE_LIMIT,
    MAX_FAILURES,
    MAX_INLINE_TESTS,
    MESSAGE_LIMIT,
    ComponentStatus,
    ConditionType,
    Counts,
    Failure,
    Outcome,
    ShardStatus,
    SuiteStatus,
    Summary,
    TestRunStatus,
    TestStatus,
    Timings,
)
from seatrial.conditions import FALSE, TRUE, UNKNOWN, Aspect, phase_of, upsert
from seatrial.decide import Past, SuiteDecision, shard_evidence
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seatrial.decide import Decision
    from seatrial.environment import ComponentState
    from seatrial.evidence import ShardEvidence
    from seatrial.observe import Snapshot
    from seatrial.plan import Plan, PlannedSuite

INLINE_BYTES = 60_000
"""For `tests`; the whole status stays below 100 KiB."""


@dataclass(frozen=True)
class Moment:
    """When, and for which generation, a status is written."""

    now: float
    generation: int


def read_past(status: TestRunStatus) -> Past:
    """What the status says, as decisions need it."""
    succeeded = next((item for item in status.conditions if item.type == ConditionType.SUCCEEDED), None)
    cleaned = next((item for item in status.conditions if item.type == ConditionType.ENVIRONMENT_CLEANED), None)
    return Past(
        started_at=_seconds(status.timings.started),
        finished_at=_seconds(status.timings.finished),
        passed=succeeded is not None and succeeded.status is TRUE,
        cleaned=cleaned is not None and cleaned.status is TRUE,
        environment_ready=status.timings.environment_ready is not None,
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
    aspects = _final_aspects(judgement) | {
        ConditionType.ACCEPTED: (FALSE, judgement.reason, judgement.message),
        ConditionType.ENVIRONMENT_CLEANED: (TRUE, "NothingToClean", "no environment was created"),
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
    services = _components(
        [(item.name, item.image) for item in plan.services], snapshot.environment.services, past.services
    )
    applications = _components(
        [(item.name, item.image) for item in plan.applications], snapshot.environment.applications, past.applications
    )
    evidence = {
        (suite.name, index): shard_evidence(snapshot, suite.name, index)
        for suite in plan.suites
        for index in range(suite.shards)
    }
    suites = [_suite(suite, decision.suites.get(suite.name), evidence) for suite in plan.suites]
    timings = _timings(snapshot, decision, past, evidence.values(), moment)
    summary = _summary(suites, timings, moment)
    tests, truncated = _tests(evidence.values())
    aspects = _aspects(plan, snapshot, decision, moment)
    conditions = upsert(past.conditions, aspects, moment.generation, timestamp(moment.now))
    said = decision.verdict or decision.held or _progress(plan, snapshot, suites)
    components = [*services, *applications]
    return TestRunStatus(
        observed_generation=moment.generation,
        phase=phase_of(conditions),
        reason=said.reason,
        message=said.message[:MESSAGE_LIMIT],
        namespace=past.namespace if decision.held or not timings.started else plan.namespace_name,
        environment=f"{sum(item.ready for item in components)}/{len(components)}",
        passed=f"{summary.passed}/{summary.total}",
        summary=summary,
        duration=_spell(summary.duration_seconds) if timings.started else "",
        timings=timings,
        conditions=conditions,
        services=services,
        applications=applications,
        suites=suites,
        failures=_failures(evidence.values()),
        tests=tests,
        tests_truncated=truncated,
    )


def mark_cleaned(past: TestRunStatus, aspect: Aspect, moment: Moment) -> TestRunStatus:
    """After the verdict only the fate of the environment can change."""
    conditions = upsert(
        past.conditions, {ConditionType.ENVIRONMENT_CLEANED: aspect}, moment.generation, timestamp(moment.now)
    )
    return past.model_copy(update={"conditions": conditions, "observed_generation": moment.generation})


def merge_patch(past: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7386: the top-level members that differ, and null for those that are gone."""
    changed = {key: value for key, value in wanted.items() if past.get(key) != value}
    gone = {key: None for key in past if key not in wanted}
    return changed | gone


def timestamp(seconds: float) -> str:
    """RFC 3339 with microseconds, as Kubernetes' MicroTime: a run takes seconds, and its parts less."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


# --- Parts ---------------------------------------------------------------------------------------------------


def _components(
    wanted: Sequence[tuple[str, str]], known: Mapping[str, ComponentState], past: Sequence[ComponentStatus]
) -> list[ComponentStatus]:
    before = {item.name: item for item in past}
    result = []
    for name, image in wanted:
        state = known.get(name)
        if state is None:  # after a restart the log may be gone: keep what was known
            result.append(before.get(name) or ComponentStatus(name=name, ready=False, image=image))
            continue
        result.append(
            ComponentStatus(
                name=name,
                ready=state.ready_after is not None,
                ready_after_seconds=round(state.ready_after, 3) if state.ready_after is not None else None,
                image=image,
                message=state.message[:MESSAGE_LIMIT],
            )
        )
    return result


def _counts(evidence: Iterable[ShardEvidence]) -> dict[str, int]:
    shards = list(evidence)

    def total(outcome: Outcome) -> int:
        return sum(shard.count(outcome) for shard in shards)

    return {
        "total": sum(shard.size for shard in shards),
        "passed": total(Outcome.PASSED),
        "failed": total(Outcome.FAILED),
        "errors": sum(shard.errors for shard in shards),
        "skipped": total(Outcome.SKIPPED),
        "xfailed": total(Outcome.XFAILED),
        "xpassed": total(Outcome.XPASSED),
        "flaky": sum(shard.flaky for shard in shards),
        "not_run": sum(shard.not_run for shard in shards),
    }


def _suite(
    suite: PlannedSuite, decision: SuiteDecision | None, evidence: Mapping[tuple[str, int], ShardEvidence]
) -> SuiteStatus:
    shards = [evidence[suite.name, index] for index in range(suite.shards)]
    judgement = decision.judgement if decision else Judgement(State.PENDING)
    starts = [shard.first_test for shard in shards if shard.first_test is not None]
    ends = [shard.last_test for shard in shards if shard.last_test is not None]
    parts = list(zip(shards, decision.shards, strict=False)) if decision and len(shards) > 1 else []
    return SuiteStatus(
        name=suite.name,
        state=judgement.state,
        reason=judgement.reason,
        message=judgement.message[:MESSAGE_LIMIT],
        duration_seconds=round(max(ends) - min(starts), 3) if starts and ends else None,
        shards=[
            ShardStatus(index=shard.shard, state=part.state, message=part.message[:MESSAGE_LIMIT], **_counts([shard]))
            for shard, part in parts
        ],
        **_counts(shards),
    )


def _summary(suites: Sequence[SuiteStatus], timings: Timings, moment: Moment) -> Summary:
    counts = {name: sum(int(getattr(suite, name)) for suite in suites) for name in Counts.model_fields}
    started = _seconds(timings.started)
    finished = _seconds(timings.finished) or moment.now
    return Summary(**counts, duration_seconds=round(max(0.0, finished - started), 3) if started else 0.0)


def _timings(
    snapshot: Snapshot, decision: Decision, past: TestRunStatus, evidence: Iterable[ShardEvidence], moment: Moment
) -> Timings:
    shards = list(evidence)
    starts = [shard.first_test for shard in shards if shard.first_test is not None]
    ends = [shard.last_test for shard in shards if shard.last_test is not None]
    before = past.timings
    now = timestamp(moment.now)
    open_at = snapshot.environment.open_at
    begun = snapshot.namespace_exists or bool(snapshot.applied)
    return Timings(
        accepted=before.accepted or now,
        started=before.started or (now if begun and not decision.held else None),
        environment_ready=timestamp(open_at) if open_at else before.environment_ready,
        first_test=timestamp(min(starts)) if starts else before.first_test,
        last_test=timestamp(max(ends)) if ends else before.last_test,
        finished=before.finished or (now if decision.verdict else None),
    )


def _failures(evidence: Iterable[ShardEvidence]) -> list[Failure]:
    failures = [
        Failure(
            suite=shard.suite,
            id=test.id,
            outcome=test.outcome,
            message=_cut(test.message, FAILURE_LIMIT),
            location=test.location,
            attempt=test.attempts,
        )
        for shard in evidence
        for test in shard.failures[:MAX_FAILURES]
    ]
    return failures[:MAX_FAILURES]


def _tests(evidence: Iterable[ShardEvidence]) -> tuple[list[TestStatus], bool]:
    """Every test, while that fits."""
    shards = list(evidence)
    if sum(len(shard.tests) for shard in shards) > MAX_INLINE_TESTS:
        return [], True
    tests: list[TestStatus] = []
    size = 0
    for shard in shards:
        for test in shard.tests.values():
            if not test.final:
                continue
            size += 120 + len(test.id.encode()) + len(shard.suite)
            if size > INLINE_BYTES:
                return tests, True
            tests.append(
                TestStatus(
                    suite=shard.suite,
                    id=test.id,
                    outcome=test.outcome,
                    attempts=test.attempts,
                    duration_seconds=round(test.duration, 4),
                )
            )
    return tests, False


def _progress(plan: Plan, snapshot: Snapshot, suites: Sequence[SuiteStatus]) -> Judgement:
    """What the run waits for, when it is neither over nor held."""
    if not snapshot.environment.is_open:
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


def _aspects(plan: Plan, snapshot: Snapshot, decision: Decision, moment: Moment) -> dict[ConditionType, Aspect]:
    aspects: dict[ConditionType, Aspect] = {ConditionType.ACCEPTED: (TRUE, "Accepted", "the spec is valid")}
    environment = _environment_aspect(plan, snapshot, decision)
    if environment is not None:
        aspects[ConditionType.ENVIRONMENT_READY] = environment
    if decision.verdict is not None:
        aspects |= _final_aspects(decision.verdict)
        keep = (
            plan.retention_success_seconds if decision.verdict.state is State.PASSED else plan.retention_failure_seconds
        )
        until = timestamp(moment.now + keep)
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
    return aspects | {
        ConditionType.SUITES_COMPLETED: (FALSE, reason, message),
        ConditionType.SUCCEEDED: (UNKNOWN, reason, message),
        ConditionType.FINISHED: (FALSE, reason, message),
        ConditionType.READY: (FALSE, reason, message),
        ConditionType.RECONCILING: (TRUE, reason, message),
        ConditionType.STALLED: (FALSE, reason, message),
        ConditionType.ENVIRONMENT_CLEANED: (FALSE, reason, message),
    }


def _environment_aspect(plan: Plan, snapshot: Snapshot, decision: Decision) -> Aspect | None:
    if decision.held is not None:
        return FALSE, decision.held.reason, decision.held.message
    if snapshot.environment.is_open:
        return TRUE, "Ready", "every service and application has answered through its own protocol"
    if decision.verdict is not None:
        return FALSE, decision.verdict.reason, decision.verdict.message
    return FALSE, "Provisioning", _progress(plan, snapshot, []).message


def _final_aspects(verdict: Judgement) -> dict[ConditionType, Aspect]:
    reason, message = verdict.reason, verdict.message
    passed = verdict.state is State.PASSED
    return {
        ConditionType.SUCCEEDED: (TRUE if passed else FALSE, reason, message),
        ConditionType.FINISHED: (TRUE, reason, message),
        ConditionType.READY: (TRUE if passed else FALSE, reason, message),
        ConditionType.RECONCILING: (FALSE, reason, "the run is over"),
        ConditionType.STALLED: (FALSE if passed else TRUE, reason, message),
    }


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode("utf-8", "ignore")


def _spell(seconds: float) -> str:
    """A duration for the printer column: 850ms, 7.4s, 1m12s."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:  # noqa: PLR2004  (a minute)
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
