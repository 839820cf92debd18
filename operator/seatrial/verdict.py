"""Evidence -> verdict. `Passed` needs complete evidence; exit code 0 alone is none. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from seatrial.api.status import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.evidence import ShardEvidence
    from seatrial.observe import PodView
    from seatrial.records import End


class State(StrEnum):
    """How far a shard or a suite is, and how it ended."""

    PENDING = "Pending"
    WAITING = "Waiting"
    RUNNING = "Running"
    PASSED = "Passed"
    FAILED = "Failed"
    ERROR = "Error"
    CANCELLED = "Cancelled"

    @property
    def ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({State.PASSED, State.FAILED, State.ERROR, State.CANCELLED})

NEVER_RAN = frozenset({"GateTimeout", "EnvironmentFailed", "NoPytest"})
"""The supervisor's reasons for an end without any test."""
FATAL = "Fatal Python error"
"""How the fault handler, which pytest installs, begins; then come the frames, the innermost first."""
STOPPED = frozenset({"Timeout", "Terminated"})
"""Its reasons for having stopped pytest."""

USAGE_ERROR, INTERNAL_ERROR, INTERRUPTED, TESTS_FAILED, NO_TESTS = 4, 3, 2, 1, 5
"""pytest's exit codes (https://docs.pytest.org/en/stable/reference/exit-codes.html)."""


@dataclass(frozen=True)
class Judgement:
    """How a shard, a suite or a run stands, with the reason in one word and for people."""

    state: State
    reason: str = ""
    message: str = ""


def judge_shard(evidence: ShardEvidence, pod: PodView | None, *, shards: int, junit: bool) -> Judgement:
    """Judge one shard by its records; the pod's status only tells about a shard that died without an end marker."""
    if evidence.end is not None:
        return _judge_end(evidence, evidence.end, shards)
    if pod is None:
        return Judgement(State.PENDING)
    if pod.terminated and evidence.drained:
        return _judge_junit(evidence, pod) if junit else _judge_without_end(evidence, pod)
    if evidence.gate_at is not None or evidence.collected is not None:
        return Judgement(State.RUNNING)
    return Judgement(State.WAITING)


def _judge_end(evidence: ShardEvidence, end: End, shards: int) -> Judgement:
    """The supervisor's end marker is there: the ordered checks from what makes the rest meaningless to what passes."""
    known = _known(evidence)
    if end.reason in NEVER_RAN:
        return Judgement(State.ERROR, end.reason, end.message or end.reason)
    if evidence.lost:
        return Judgement(State.ERROR, "Incomplete", f"{evidence.lost}; {known}")
    if end.timeout:
        what = end.message or "the suite ran into its timeout"
        return Judgement(State.ERROR, "SuiteTimeout", f"{what}; {known}{_hung(evidence, end)}")
    if end.oom:
        return Judgement(State.ERROR, "OOMKilled", f"the suite needed more memory than its limit; {known}")
    if end.signal:
        return Judgement(State.ERROR, "SuiteCrashed", f"pytest was killed by {end.signal}; {known}{_tail(end)}")
    if end.reason:
        reason = end.reason if end.reason in STOPPED else "UnexpectedEnd"
        return Judgement(State.ERROR, reason, f"{end.message or 'the suite was stopped'}; {known}")
    if end.rc == USAGE_ERROR:
        return Judgement(State.ERROR, "UsageError", f"pytest refused its arguments (exit code 4){_tail(end)}")
    if end.rc == INTERNAL_ERROR:
        return Judgement(State.ERROR, "PytestInternalError", f"pytest had an internal error (exit code 3){_tail(end)}")
    if evidence.collect_errors:
        first = next(iter(evidence.collect_errors.values()))
        return Judgement(
            State.ERROR,
            "CollectionError",
            f"{len(evidence.collect_errors)} modules could not be collected; the first is {first.id}: {first.message}",
        )
    if not evidence.finished:
        return Judgement(
            State.ERROR,
            "Incomplete",
            f"the process ended with exit code {end.rc} before pytest did; {known}{_tail(end)}",
        )
    return _judge_finished(evidence, end, shards)


def _judge_finished(evidence: ShardEvidence, end: End, shards: int) -> Judgement:
    """Compare what pytest says, which came to its end, with what was counted."""
    known = _known(evidence)
    failed = evidence.count(Outcome.FAILED) + evidence.errors
    if end.rc == NO_TESTS or (end.rc == 0 and evidence.collected == 0 and not evidence.finals):
        if shards > 1 and evidence.total and evidence.collected == 0:
            return Judgement(State.PASSED)
        return Judgement(
            State.ERROR,
            "NoTestsCollected",
            f"pytest collected no test (exit code {end.rc}): check the suite's paths, markers and keyword",
        )
    if end.rc == INTERRUPTED and not evidence.count(Outcome.FAILED):  # pytest-xdist ends so after -x, too
        return Judgement(State.ERROR, "Interrupted", f"pytest was interrupted (exit code 2); {known}{_tail(end)}")
    if end.rc not in {0, TESTS_FAILED, INTERRUPTED}:
        return Judgement(State.ERROR, "UnexpectedExit", f"pytest ended with exit code {end.rc}; {known}{_tail(end)}")
    if failed:
        return Judgement(State.FAILED, "TestsFailed", _failed(evidence, failed))
    if evidence.collected is None or evidence.not_run:
        return Judgement(State.ERROR, "Incomplete", f"pytest ended early with exit code {end.rc}; {known}")
    if evidence.finals > evidence.collected:
        return Judgement(State.ERROR, "Incomplete", f"more tests were told of than collected; {known}")
    if end.rc == TESTS_FAILED:
        return Judgement(
            State.FAILED, "TestsFailed", f"pytest ended with exit code 1 though no test failed{_tail(end)}"
        )
    return Judgement(State.PASSED)


def _judge_junit(evidence: ShardEvidence, pod: PodView) -> Judgement:
    """A suite that is not pytest: the XML and the container's exit code must agree."""
    container = pod.main
    code = container.exit_code if container else None
    died = _death(pod)
    if evidence.lost:
        return Judgement(State.ERROR, "Incomplete", f"{evidence.lost}; {_known(evidence)}")
    if died is not None and died.reason != "SuiteCrashed":
        return died
    if evidence.junit_error:
        return Judgement(
            State.ERROR, "ResultsInvalid", f"{evidence.junit_error} (the suite ended with exit code {code})"
        )
    if not evidence.finished or evidence.collected is None:
        return Judgement(State.ERROR, "ResultsMissing", f"no results came out of the pod (exit code {code})")
    failed = evidence.count(Outcome.FAILED) + evidence.errors
    if failed:
        return Judgement(State.FAILED, "TestsFailed", _failed(evidence, failed))
    if evidence.finals != evidence.collected:
        return Judgement(State.ERROR, "Incomplete", _known(evidence))
    if evidence.collected == 0:
        return Judgement(State.ERROR, "NoTestsCollected", "the JUnit XML file holds no test")
    if code != 0:
        return Judgement(State.ERROR, "UnexpectedExit", f"the suite ended with exit code {code} though no test failed")
    return Judgement(State.PASSED)


def _judge_without_end(evidence: ShardEvidence, pod: PodView) -> Judgement:
    """The pod is over and its records have no end: whatever the exit code says, it is no pass."""
    died = _death(pod)
    if died is not None:
        return Judgement(State.ERROR, died.reason, f"{died.message}; {_known(evidence)}")
    container = pod.main
    code = container.exit_code if container else None
    lost = f"{evidence.lost}; " if evidence.lost else ""
    message = f"{lost}pod {pod.name} ended (exit code {code}) without an end marker; {_known(evidence)}"
    return Judgement(State.ERROR, "Incomplete", message)


def _death(pod: PodView) -> Judgement | None:
    """How a pod died, if it did not simply end."""
    if pod.reason == "DeadlineExceeded":
        return Judgement(State.ERROR, "SuiteTimeout", f"pod {pod.name} was stopped at its deadline")
    if pod.reason:
        return Judgement(State.ERROR, pod.reason, f"pod {pod.name}: {pod.message or pod.reason}")
    container = pod.main
    if container is None or container.exit_code in {0, 1, 2, 3, 4, 5}:
        return None
    if container.end_reason == "OOMKilled":
        return Judgement(State.ERROR, "OOMKilled", f"pod {pod.name} needed more memory than its limit")
    if container.end_reason in {"StartError", "ContainerCannotRun"}:
        return Judgement(State.ERROR, "StartError", f"pod {pod.name} cannot start: {container.end_message}")
    if container.exit_code is None:
        return None
    return Judgement(State.ERROR, "SuiteCrashed", f"pod {pod.name} ended with exit code {container.exit_code}")


def judge_suite(shards: Sequence[Judgement], evidence: Sequence[ShardEvidence]) -> Judgement:
    """Judge a suite by its shards: all must have ended, and have shared one collection among them."""
    if not all(shard.state.ended for shard in shards):
        if any(shard.state is State.RUNNING or shard.state.ended for shard in shards):
            return Judgement(State.RUNNING)
        if any(shard.state is State.WAITING for shard in shards):
            return Judgement(State.WAITING)
        return Judgement(State.PENDING)
    for state in (State.ERROR, State.CANCELLED):
        for index, shard in enumerate(shards):
            if shard.state is state:
                where = f"shard {index}: " if len(shards) > 1 else ""
                return Judgement(state, shard.reason, f"{where}{shard.message}")
    if len(shards) > 1 and (mismatch := _mismatch(evidence)):
        return Judgement(State.ERROR, "ShardMismatch", mismatch)
    failed = [shard for shard in shards if shard.state is State.FAILED]
    if failed:
        return Judgement(State.FAILED, "TestsFailed", "; ".join(shard.message for shard in failed))
    return Judgement(State.PASSED)


def _mismatch(evidence: Sequence[ShardEvidence]) -> str:
    """Shards that collected different tests may have left one out between them."""
    if len({(item.total, item.digest) for item in evidence}) > 1:
        seen = ", ".join(f"shard {item.shard} {item.total}" for item in evidence)
        return f"the shards collected different tests ({seen}): test ids must not depend on chance, time or the shard"
    total, shared = evidence[0].total or 0, sum(item.collected or 0 for item in evidence)
    if shared != total:
        return f"the shards ran {shared} tests of {total}: was a shard given arguments of its own?"
    return ""


def judge_run(suites: Sequence[tuple[str, Judgement]]) -> Judgement | None:
    """Judge the run by its suites; None while one has not ended. A question not asked outweighs one answered."""
    if not all(judgement.state.ended for _, judgement in suites):
        return None
    for state in (State.ERROR, State.CANCELLED, State.FAILED):
        found = [(name, judgement) for name, judgement in suites if judgement.state is state]
        if found:
            message = "; ".join(f"suite {name}: {judgement.message}" for name, judgement in found)
            return Judgement(state, found[0][1].reason, message)
    return Judgement(State.PASSED, "AllTestsPassed", "every collected test has passed, or failed as expected")


def _known(evidence: ShardEvidence) -> str:
    if evidence.collected is None:
        return "no test was collected"
    return f"{evidence.finals} of {evidence.collected} collected tests have an outcome"


def _failed(evidence: ShardEvidence, failed: int) -> str:
    first = evidence.failures[0]
    message = f": {first.message}" if first.message else ""
    return f"{failed} of {evidence.collected or evidence.finals} tests failed; the first is {first.id}{message}"


def _hung(evidence: ShardEvidence, end: End) -> str:
    """Which test was cut off, or where Python was when it had to be killed."""
    cut_off = [failure for failure in evidence.failures if failure.message.startswith("interrupted after")]
    if cut_off:
        return f"; the last is {cut_off[-1].id}: {cut_off[-1].message}"
    return _tail(end) if FATAL in end.stderr else ""


def _tail(end: End) -> str:
    """The last lines; of a crash that the fault handler describes, what it was and the innermost frames."""
    lines = [line.strip() for line in end.stderr.splitlines() if line.strip()]
    fatal = next((index for index, line in enumerate(lines) if line.startswith(FATAL)), None)
    if fatal is not None:
        first = next((index for index, line in enumerate(lines) if line.startswith("Current thread")), fatal)
        frames = [line for line in lines[first:] if line.startswith("File ")]
        return "; it said last: " + " | ".join([lines[fatal], *frames[:3]])[:400]
    return f"; it said last: {' | '.join(lines[-3:])[-400:]}" if lines else ""
