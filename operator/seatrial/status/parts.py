"""The lists of a status: services, applications, suites, failures, tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.status import (
    FAILURE_LIMIT,
    MAX_FAILURES,
    MAX_INLINE_TESTS,
    MESSAGE_LIMIT,
    ComponentStatus,
    Failure,
    Outcome,
    ShardStatus,
    SuiteStatus,
    TestStatus,
)
from seatrial.status.text import cut
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from seatrial.api.status import Counts
    from seatrial.decide import SuiteDecision
    from seatrial.environment import ComponentState
    from seatrial.evidence import ShardEvidence, TestState
    from seatrial.plan import PlannedSuite

INLINE_BYTES = 60_000
"""For `tests`, by a first estimate; `fit` measures."""


def components(
    wanted: Sequence[tuple[str, str]], known: Mapping[str, ComponentState], past: Sequence[ComponentStatus]
) -> list[ComponentStatus]:
    """Services or applications, in the order of the plan."""
    before = {item.name: item for item in past}
    result = []
    for name, image in wanted:
        state = known.get(name)
        last = before.get(name) or ComponentStatus(name=name, ready=False, image=image)
        if state is None or (last.ready and state.ready_after is None):
            result.append(last)  # after a restart the log is read anew, or gone: keep what was known
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


def counts(evidence: Iterable[ShardEvidence]) -> dict[str, int]:
    """Numbers of tests over some shards. A module that every shard could not collect, or skipped, counts once."""
    shards = list(evidence)
    skipped = {name for shard in shards for name in shard.module_skips}
    broken = {name for shard in shards for name in shard.collect_errors}

    def total(outcome: Outcome) -> int:
        return sum(shard.count(outcome) for shard in shards)

    return {
        "total": sum(shard.collected or 0 for shard in shards) + len(skipped),
        "passed": total(Outcome.PASSED),
        "failed": total(Outcome.FAILED),
        "errors": total(Outcome.ERROR) + len(broken),
        "skipped": total(Outcome.SKIPPED) + len(skipped),
        "xfailed": total(Outcome.XFAILED),
        "xpassed": total(Outcome.XPASSED),
        "flaky": sum(shard.flaky for shard in shards),
        "not_run": sum(shard.not_run for shard in shards),
    }


def is_behind(now: Mapping[str, int], past: Counts | None) -> bool:
    """Whether less is known than was before: a restarted operator has yet to read again what no slice holds."""
    return past is not None and any(now[name] < getattr(past, name) for name in now if name != "not_run")


def _never_less(now: dict[str, int], past: Counts | None) -> dict[str, int]:
    if past is None or not is_behind(now, past):
        return now
    return {name: getattr(past, name) for name in now}


def suite_status(
    suite: PlannedSuite,
    decision: SuiteDecision | None,
    evidence: Mapping[tuple[str, int], ShardEvidence],
    past: SuiteStatus | None = None,
) -> SuiteStatus:
    """One suite, and its shards when it has more than one."""
    before = {shard.index: shard for shard in past.shards} if past else {}
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
            ShardStatus(
                index=shard.shard,
                state=part.state,
                message=part.message[:MESSAGE_LIMIT],
                **_never_less(counts([shard]), before.get(shard.shard)),
            )
            for shard, part in parts
        ],
        **_never_less(counts(shards), past),
    )


def failures_of(evidence: Iterable[ShardEvidence]) -> list[Failure]:
    """The first failures of the run."""
    failures: list[Failure] = []
    broken: set[tuple[str, str]] = set()
    for shard in evidence:
        for test in shard.failures[:MAX_FAILURES]:
            if test.id in shard.collect_errors:  # every shard tells it
                if (shard.suite, test.id) in broken:
                    continue
                broken.add((shard.suite, test.id))
            failures.append(
                Failure(
                    suite=shard.suite,
                    id=test.id,
                    outcome=test.outcome,
                    message=cut(test.message, FAILURE_LIMIT),
                    location=test.location,
                    attempt=test.attempts,
                )
            )
            if len(failures) == MAX_FAILURES:
                return failures
    return failures


def tests_of(evidence: Iterable[ShardEvidence]) -> tuple[list[TestStatus], bool]:
    """Every test, while that fits; and whether something was left out."""
    shards = list(evidence)
    if sum(len(shard.tests) + len(shard.module_skips) for shard in shards) > MAX_INLINE_TESTS:
        return [], True
    tests: list[TestStatus] = []
    size = 0
    for suite, test in _ended_tests(shards):
        size += 90 + len(test.id.encode()) + len(suite)
        if size > INLINE_BYTES:
            return tests, True
        tests.append(
            TestStatus(
                suite=suite,
                id=test.id,
                outcome=test.outcome,
                attempts=test.attempts,
                duration_seconds=round(test.duration, 4),
            )
        )
    return tests, False


def _ended_tests(shards: Iterable[ShardEvidence]) -> Iterator[tuple[str, TestState]]:
    skipped: set[tuple[str, str]] = set()
    for shard in shards:
        for name, module in shard.module_skips.items():
            if (shard.suite, name) not in skipped:  # every shard tells it
                skipped.add((shard.suite, name))
                yield shard.suite, module
        for test in shard.tests.values():
            if test.final:
                yield shard.suite, test
