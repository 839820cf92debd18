"""Every way in which a suite can end, and what is said of it. Exit code 0 alone is no pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.evidence import ShardEvidence
from seatrial.records import Attempt, CollectError, CollectSkip, Garbage, JunitError, Record
from seatrial.verdict import ENDED, Judgement, State, judge_run, judge_shard, judge_suite
from tests.builders import (
    collected,
    end,
    evidence_of,
    failed,
    finish,
    opening,
    over_pod,
    passed,
    pod,
    running,
    suite_pod,
    waiting,
    whole,
)

if TYPE_CHECKING:
    from seatrial.observe import PodView

PASSED, FAILED, ERROR = State.PASSED, State.FAILED, State.ERROR


@dataclass(frozen=True)
class Ended:
    """One way to end: what was said, what is left of the pod, and the judgement."""

    name: str
    records: list[Record]
    state: State
    reason: str = ""
    message: str = ""
    """A part of the judgement's message."""
    pod: PodView | None = None
    shards: int = 1
    junit: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def cut_short(*tests: Record, of: int) -> list[Record]:
    """The records of a shard of which nothing came after some tests."""
    return [*opening(), collected(of), *tests]


CRASHED_AFTER_TWO = cut_short(passed("a"), passed("b"), of=5)
STACK = """\
Fatal Python error: Segmentation fault

Thread 0x1 (most recent call first):
  File "threading.py", line 982 in run

Current thread 0x2 (most recent call first):
  File "a.py", line 3 in test_two
  File "_pytest/python.py", line 166 in pytest_pyfunc_call
"""
KEPT = "2 of 5 collected tests have an outcome"

PYTEST = (
    # --- complete evidence
    Ended("passes", whole(passed("a"), passed("b")), PASSED),
    Ended("passes with a skip, an expected failure and a surprise", whole(
        Attempt("a", "skipped"), Attempt("b", "xfailed"), Attempt("c", "xpassed"), passed("d")), PASSED),
    Ended("passes with a flaky test", whole(failed("a", final=False), passed("a", attempt=2)), PASSED),
    Ended("passes with a module that was skipped", [
        *opening(), CollectSkip("test_b.py", "no kafka"), collected(1), passed("a"), finish(0, 1), end(0)], PASSED),
    Ended("fails", whole(passed("a"), failed("b"), rc=1), FAILED, "TestsFailed",
          "1 of 2 tests failed; the first is b: assert 1 == 2"),
    Ended("fails in set-up", whole(Attempt("a", "error", message="no fixture"), rc=1), FAILED, "TestsFailed",
          "1 of 1 tests failed; the first is a: no fixture"),
    Ended("fails in several ways", whole(failed("a"), Attempt("b", "error"), passed("c"), rc=1), FAILED, "TestsFailed",
          "2 of 3 tests failed; the first is a"),
    Ended("fails without a word", whole(failed("b", message=""), rc=1), FAILED, "TestsFailed", "the first is b"),
    Ended("fails at the last attempt", whole(failed("a", final=False), failed("a", attempt=2), rc=1), FAILED,
          "TestsFailed"),
    Ended("sys.exit(0) in a test, which is a failure to pytest", whole(failed("a", message="SystemExit: 0"), rc=1),
          FAILED, "TestsFailed", "SystemExit: 0"),
    Ended("-x: stops at the first failure", [
        *cut_short(passed("a"), failed("b"), of=5), finish(1, 2), end(1)], FAILED, "TestsFailed",
        "1 of 5 tests failed"),
    Ended("-x with pytest-xdist, which calls it an interruption", [
        *cut_short(failed("a"), of=5), finish(2, 1), end(2)], FAILED, "TestsFailed", "1 of 5 tests failed"),
    Ended("a test raised KeyboardInterrupt", [
        *cut_short(Attempt("a", "error", message="interrupted after 1.0 s"), of=5), finish(2, 1), end(2)],
        ERROR, "Interrupted", "1 of 5"),
    Ended("a plugin turns a failure into exit code 0", [
        *cut_short(failed("a"), of=1), finish(0, 1), end(0)], FAILED, "TestsFailed"),
    Ended("exit code 1 though nothing failed (a coverage threshold)", [
        *cut_short(passed("a"), of=1), finish(1, 1), end(1, stderr="coverage 60 % < 80 %")],
        FAILED, "TestsFailed", "though no test failed; it said last: coverage 60 % < 80 %"),
    # --- exit code 0, and yet no pass
    Ended("exit code 0 without an end marker", [*cut_short(passed("a"), of=1), finish(0, 1)], ERROR, "Incomplete",
          "without an end marker; 1 of 1 collected tests have an outcome", pod=over_pod(code=0)),
    Ended("exit code 0 without a single record", [], ERROR, "Incomplete", "no test was collected",
          pod=over_pod(code=0)),
    Ended("os._exit(0)", [*CRASHED_AFTER_TWO, end(0)], ERROR, "Incomplete",
          f"the process ended with exit code 0 before pytest did; {KEPT}"),
    Ended("pytest.exit(returncode=0)", [*CRASHED_AFTER_TWO, finish(0, 2), end(0)], ERROR, "Incomplete",
          f"pytest ended early with exit code 0; {KEPT}"),
    Ended("more outcomes than collected tests", [
        *cut_short(passed("a"), passed("b"), of=1), finish(0, 2), end(0)], ERROR, "Incomplete",
        "more tests were told of than collected; 2 of 1"),
    Ended("no word of a collection", [*opening(), passed("a"), finish(0, 1), end(0)], ERROR, "Incomplete",
          "no test was collected"),
    Ended("--collect-only", [*cut_short(of=3), finish(0, 0), end(0)], ERROR, "Incomplete", "0 of 3"),
    Ended("a test that is tried again never ends", [
        *cut_short(failed("a", final=False), of=1), finish(0, 0), end(0)], ERROR, "Incomplete", "0 of 1"),
    Ended("a conftest turns 'no tests' into exit code 0", whole(), ERROR, "NoTestsCollected"),
    Ended("nothing but a module that was skipped", [
        *opening(), CollectSkip("test_b.py", "no kafka"), collected(0), finish(5), end(5)], ERROR, "NoTestsCollected"),
    # --- incomplete records
    Ended("a gap in the records", [Garbage(10, "not a JSON object"), *whole(passed("a"))], ERROR, "Incomplete",
          "10 bytes of the records cannot be read"),
    Ended("garbage in the records of a failed suite", [Garbage(10, "x"), *whole(failed("a"), rc=1)], ERROR,
          "Incomplete"),
    Ended("the log overflowed", whole(passed("a")), ERROR, "Incomplete", "printed too much; 1 of 1",
          more={"lost": "printed too much"}),
    Ended("the log overflowed and has no end", [*cut_short(passed("a"), of=2)], ERROR, "Incomplete",
          "printed too much; pod suite-core-0 ended", more={"lost": "printed too much"}, pod=over_pod(code=1)),
    # --- pytest's own exit codes
    Ended("exit code 2: a module cannot be collected", [
        *opening(), CollectError("test_a.py", "ImportError: kafka"), collected(0), finish(2), end(2)],
        ERROR, "CollectionError", "1 modules could not be collected; the first is test_a.py: ImportError: kafka"),
    Ended("--continue-on-collection-errors", [
        *opening(), CollectError("test_a.py", "ImportError"), collected(1), passed("a"), finish(1, 1), end(1)],
        ERROR, "CollectionError"),
    Ended("exit code 2: interrupted", [*CRASHED_AFTER_TWO, finish(2, 2), end(2, stderr="KeyboardInterrupt\n")],
          ERROR, "Interrupted", f"{KEPT}; it said last: KeyboardInterrupt"),
    Ended("exit code 3: internal error", [*opening(), end(3, stderr="INTERNALERROR> x")], ERROR, "PytestInternalError",
          "INTERNALERROR> x"),
    Ended("exit code 4: wrong arguments", [*opening(), end(4, stderr="ERROR: not found: tests/x.py")], ERROR,
          "UsageError",
          "ERROR: not found: tests/x.py"),
    Ended("exit code 5: no tests", whole(rc=5), ERROR, "NoTestsCollected",
          "check the suite's paths, markers and keyword"),
    Ended("an exit code that pytest does not have", [*whole(passed("a"))[:-1], end(42)], ERROR, "UnexpectedExit",
          "exit code 42; 1 of 1"),
    Ended("no exit code at all", [*whole(passed("a"))[:-1], end(None)], ERROR, "UnexpectedExit", "exit code None"),
    # --- killed
    Ended("segmentation fault", [*CRASHED_AFTER_TWO, end(None, signal="SIGSEGV", stderr="Fatal Python error\n")],
          ERROR, "SuiteCrashed", f"pytest was killed by SIGSEGV; {KEPT}; it said last: Fatal Python error"),
    Ended("segmentation fault with its stack", [*CRASHED_AFTER_TWO, end(None, signal="SIGSEGV", stderr=STACK)],
          ERROR, "SuiteCrashed", 'said last: Fatal Python error: Segmentation fault | File "a.py", line 3 in test_two'),
    Ended("killed because it did not react", [
        *CRASHED_AFTER_TWO, end(None, signal="SIGABRT", timeout=True, stderr=STACK, message="not done after 9 s")],
          ERROR, "SuiteTimeout", f"not done after 9 s; {KEPT}; it said last: Fatal Python error: Segmentation"),
    Ended("cut off in a test", [
        *cut_short(passed("a"), failed("b", message="interrupted after 9.0 s"), of=2), end(2, timeout=True)],
          ERROR, "SuiteTimeout", "2 of 2 collected tests have an outcome; the last is b: interrupted after 9"),
    Ended("segmentation fault after a failure", [
        *cut_short(failed("a"), of=5), end(None, signal="SIGSEGV")], ERROR, "SuiteCrashed", "1 of 5"),
    Ended("out of memory, told by the supervisor", [*CRASHED_AFTER_TWO, end(None, signal="SIGKILL", oom=True)],
          ERROR, "OOMKilled", f"the suite needed more memory than its limit; {KEPT}"),
    Ended("out of memory, told by the pod", CRASHED_AFTER_TWO, ERROR, "OOMKilled", KEPT,
          pod=over_pod(code=137, reason="OOMKilled")),
    Ended("killed from outside", CRASHED_AFTER_TWO, ERROR, "SuiteCrashed", "exit code 137; 2 of 5",
          pod=over_pod(code=137)),
    Ended("timeout", [
        *CRASHED_AFTER_TWO, finish(2, 2), end(2, timeout=True, reason="Timeout", message="not done after 600 s")],
        ERROR, "SuiteTimeout", f"not done after 600 s; {KEPT}"),
    Ended("timeout, and everything had passed", [*whole(passed("a"))[:-1], end(0, timeout=True, reason="Timeout")],
          ERROR, "SuiteTimeout"),
    Ended("SIGTERM", [*CRASHED_AFTER_TWO, end(143, reason="Terminated", message="SIGTERM came")], ERROR, "Terminated",
          f"SIGTERM came; {KEPT}"),
    Ended("a reason that is none of ours", [*whole(passed("a"))[:-1], end(0, reason="<script>")], ERROR,
          "UnexpectedEnd",
          "the suite was stopped"),
    # --- it never ran
    Ended("the gate did not open in time", [end(69, reason="GateTimeout", message="no gate after 330 s")],
          ERROR, "GateTimeout", "no gate after 330 s"),
    Ended("the environment failed", [end(69, reason="EnvironmentFailed", message="postgres is not ready")],
          ERROR, "EnvironmentFailed", "postgres is not ready"),
    Ended("there is no pytest in the image", [end(69, reason="NoPytest", message="No module named pytest")],
          ERROR, "NoPytest", "No module named pytest"),
    Ended("no pytest and a gap", [Garbage(1, "x"), end(69, reason="NoPytest")], ERROR, "NoPytest", "NoPytest"),
    Ended("evicted before it ran", [], ERROR, "Evicted", "The node was low on memory", pod=pod(
        "suite", "core", shard=0, phase="Failed", reason="Evicted", message="The node was low on memory")),
    Ended("evicted while it ran", CRASHED_AFTER_TWO, ERROR, "Evicted", KEPT, pod=pod(
        "suite", "core", running("suite"), shard=0, phase="Failed", reason="Evicted")),
    Ended("refused by the kubelet", [], ERROR, "UnexpectedAdmissionError", "no devices", pod=pod(
        "suite", "core", shard=0, phase="Failed", reason="UnexpectedAdmissionError", message="no devices")),
    Ended("stopped by the kubelet at its deadline", CRASHED_AFTER_TWO, ERROR, "SuiteTimeout", KEPT, pod=pod(
        "suite", "core", shard=0, phase="Failed", reason="DeadlineExceeded", message="Pod was active too long")),
    Ended("there is no python3 in the image", [], ERROR, "StartError", 'exec: "python3"', pod=over_pod(
        code=128, reason="StartError", terminated={"message": 'exec: "python3": not found'})),
    Ended("the container was gone before it said how it ended", [], ERROR, "Incomplete", "exit code None", pod=pod(
        "suite", "core", waiting("suite", "PodInitializing"), shard=0, phase="Failed")),
    Ended("the pod has no containers at all", [], ERROR, "Incomplete", "exit code None", pod=pod(
        "suite", "core", shard=0, phase="Failed")),
    Ended("a pytest exit code without an end marker", CRASHED_AFTER_TWO, ERROR, "Incomplete", "exit code 1",
          pod=over_pod(code=1)),
    Ended("an exit code without an end marker that is none of pytest's", CRASHED_AFTER_TWO, ERROR, "SuiteCrashed",
          "exit code 6; 2 of 5", pod=over_pod(code=6)),
    *(
        Ended(f"exit code {code} without an end marker", CRASHED_AFTER_TWO, ERROR, "Incomplete", f"exit code {code}",
              pod=over_pod(code=code))
        for code in (0, 2, 3, 4, 5)
    ),
    # --- shards
    Ended("the only shard without tests", whole(rc=5, total=3), ERROR, "NoTestsCollected"),
    Ended("a shard without tests", whole(rc=5, total=3), PASSED, shards=4),
    Ended("a shard without tests, and none in the others", whole(rc=5, total=0), ERROR, "NoTestsCollected", shards=4),
)  # fmt: skip


def told(*tests: Record, rc: int | None = None) -> list[Record]:
    """What the relay makes of a JUnit file."""
    return [collected(len(tests)), *tests, finish(rc, len(tests))]


JUNIT = (
    Ended("passes", told(passed("a"), Attempt("b", "skipped")), PASSED, pod=over_pod(code=0)),
    Ended("fails", told(passed("a"), failed("b")), FAILED, "TestsFailed", "1 of 2 tests failed; the first is b",
          pod=over_pod(code=1)),
    Ended("fails with an exit code of its own", told(failed("a")), FAILED, "TestsFailed", pod=over_pod(code=42)),
    Ended("fails in several ways", told(failed("a"), Attempt("b", "error"), passed("c")), FAILED, "TestsFailed",
          "2 of 3 tests failed; the first is a", pod=over_pod(code=1)),
    Ended("fails and says 0", told(failed("a")), FAILED, "TestsFailed", pod=over_pod(code=0)),
    Ended("a whole suite failed", [CollectError("suite", "boom"), *told(passed("a"))], FAILED, "TestsFailed",
          "suite: boom",
          pod=over_pod(code=1)),
    Ended("passes and says 1", told(passed("a")), ERROR, "UnexpectedExit", "exit code 1 though no test failed",
          pod=over_pod(code=1)),
    Ended("passes and nobody knows how it ended", told(passed("a")), ERROR, "UnexpectedExit", "exit code None", pod=pod(
        "suite", "core", shard=0, phase="Succeeded")),
    Ended("passes and is killed", told(passed("a")), ERROR, "UnexpectedExit", "exit code 139", pod=over_pod(code=139)),
    Ended("no file", [JunitError("no file /results/junit.xml")], ERROR, "ResultsInvalid",
          "no file /results/junit.xml (the suite ended with exit code 127)", pod=over_pod(code=127)),
    Ended("no results", [], ERROR, "ResultsMissing", "exit code 0", pod=over_pod(code=0)),
    Ended("results without a count", [passed("a"), finish(None, 1)], ERROR, "ResultsMissing", pod=over_pod(code=0)),
    Ended("results that break off", [collected(2), passed("a")], ERROR, "ResultsMissing", pod=over_pod(code=0)),
    Ended("an empty file", told(), ERROR, "NoTestsCollected", "holds no test", pod=over_pod(code=0)),
    Ended("fewer results than tests", [collected(2), passed("a"), finish(None, 1)], ERROR, "Incomplete", "1 of 2",
          pod=over_pod(code=0)),
    Ended("more results than tests", [collected(0), passed("a"), finish(None, 1)], ERROR, "Incomplete", "1 of 0",
          pod=over_pod(code=0)),
    Ended("garbage among the results", [Garbage(3, "x"), *told(passed("a"))], ERROR, "Incomplete", "3 bytes",
          pod=over_pod(code=0)),
    Ended("out of memory", told(passed("a")), ERROR, "OOMKilled", pod=over_pod(code=137, reason="OOMKilled")),
    Ended("evicted", told(passed("a")), ERROR, "Evicted", pod=pod(
        "suite", "core", shard=0, phase="Failed", reason="Evicted")),
    Ended("stopped by the kubelet at its deadline", told(passed("a")), ERROR, "SuiteTimeout", pod=pod(
        "suite", "core", shard=0, phase="Failed", reason="DeadlineExceeded")),
    Ended("its command is not in the image", [], ERROR, "StartError", "no such file", pod=over_pod(
        code=128, reason="StartError", terminated={"message": "no such file"})),
    Ended("its command is not in the image, as Docker says it", [], ERROR, "StartError", pod=over_pod(
        code=127, reason="ContainerCannotRun")),
)  # fmt: skip


@pytest.mark.parametrize("case", PYTEST, ids=lambda case: case.name)
def test_how_pytest_can_end(case: Ended) -> None:
    check(case)


@pytest.mark.parametrize("case", JUNIT, ids=lambda case: case.name)
def test_how_a_suite_that_is_not_pytest_can_end(case: Ended) -> None:
    check(case, junit=True)


def check(case: Ended, *, junit: bool = False) -> None:
    evidence = evidence_of(case.records)
    for name, value in case.more.items():
        setattr(evidence, name, value)
    judgement = judge_shard(evidence, case.pod, shards=case.shards, junit=junit)
    assert (judgement.state, judgement.reason) == (case.state, case.reason)
    assert case.message in judgement.message
    assert judgement.message or case.state is PASSED
    if case.shards == 1:  # a suite of one shard is what its shard is
        assert judge_suite([judgement], [evidence]) == judgement


def test_only_complete_evidence_passes() -> None:
    """Take any one record out of a shard that passed, or cut it anywhere: it passes no more."""
    records = whole(passed("a"), passed("b"), passed("c"))
    assert judge(records).state is PASSED
    for index in range(2, len(records)):  # `start` and `gate` prove nothing
        assert judge(records[:index]).state is ERROR
        assert judge(records[:index] + records[index + 1 :]).state is ERROR


def test_a_gap_in_the_numbers_is_no_pass() -> None:
    evidence = ShardEvidence("core", 0)
    for sequence, record in enumerate(whole(passed("a")), 1):
        evidence.fold(sequence + (sequence > 1), record)
    judgement = judge_shard(evidence, None, shards=1, junit=False)
    assert (judgement.state, judgement.reason) == (ERROR, "Incomplete")
    assert judgement.message.startswith("records 2 to 2 are missing from the log")


def judge(records: list[Record], pod: PodView | None = None) -> Judgement:
    return judge_shard(evidence_of(records), pod or over_pod(code=0), shards=1, junit=False)


def test_a_tail_is_short() -> None:
    message = judge([*opening(), end(3, stderr="\n\n".join(f"line {n} " + "x" * 300 for n in range(50)))]).message
    assert "line 49" in message
    assert "line 46" not in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("records", "pod", "drained", "state"),
    [
        ([], None, False, State.PENDING),
        ([], suite_pod(), False, State.WAITING),
        (
            [],
            pod("suite", "core", waiting("suite", "ContainerCreating"), shard=0, phase="Pending"),
            False,
            State.WAITING,
        ),
        (opening(), suite_pod(), False, State.RUNNING),
        ([collected(3)], suite_pod(), False, State.RUNNING),
        (CRASHED_AFTER_TWO, over_pod(code=137), False, State.RUNNING),  # its log is still being read
        ([], over_pod(code=0), False, State.WAITING),
        (whole(passed("a")), suite_pod(), False, State.PASSED),  # the end marker does not wait for the pod
        (whole(passed("a")), None, False, State.PASSED),
    ],
)
@pytest.mark.parametrize("junit", [False, True])
def test_how_far_a_shard_is(
    *, records: list[Record], pod: PodView | None, drained: bool, state: State, junit: bool
) -> None:
    evidence = evidence_of(records, drained=drained)
    assert judge_shard(evidence, pod, shards=1, junit=junit).state is state


# --- Suites ---------------------------------------------------------------------------------------------------


def shard(index: int, tests: int, total: int = 4, digest: str = "d0", rc: int | None = None) -> ShardEvidence:
    names = [passed(f"t{index}.{n}") for n in range(tests)]
    code = rc if rc is not None else (0 if tests else 5)
    return evidence_of(whole(*names, rc=code, total=total, digest=digest), shard=index)


def suite(*shards: ShardEvidence) -> Judgement:
    judged = [judge_shard(item, None, shards=len(shards), junit=False) for item in shards]
    return judge_suite(judged, shards)


@pytest.mark.parametrize(
    ("shards", "state", "reason", "message"),
    [
        ([shard(0, 2), shard(1, 2)], PASSED, "", ""),
        ([shard(0, 4), shard(1, 0), shard(2, 0)], PASSED, "", ""),
        ([shard(0, 2), shard(1, 2, total=5)], ERROR, "ShardMismatch", "(shard 0 4, shard 1 5)"),
        ([shard(0, 2), shard(1, 2, digest="d1")], ERROR, "ShardMismatch", "must not depend on chance"),
        ([shard(0, 2), shard(1, 1)], ERROR, "ShardMismatch", "the shards ran 3 tests of 4"),
        ([shard(0, 3), shard(1, 2)], ERROR, "ShardMismatch", "the shards ran 5 tests of 4"),
        ([shard(0, 0, total=0), shard(1, 0, total=0)], ERROR, "NoTestsCollected", "shard 0"),
        ([shard(0, 2), shard(1, 2, rc=3)], ERROR, "PytestInternalError", "shard 1: "),
    ],
)
def test_shards_make_a_suite(shards: list[ShardEvidence], state: State, reason: str, message: str) -> None:
    judgement = suite(*shards)
    assert (judgement.state, judgement.reason) == (state, reason)
    assert message in judgement.message


def test_a_shard_that_failed_fails_the_suite() -> None:
    broken = evidence_of(whole(failed("x"), passed("y"), rc=1, total=4), shard=1)
    judgement = suite(shard(0, 2), broken)
    assert (judgement.state, judgement.reason) == (FAILED, "TestsFailed")
    assert judgement.message == "1 of 2 tests failed; the first is x: assert 1 == 2"


def test_a_question_not_asked_outweighs_one_answered() -> None:
    broken = evidence_of(whole(failed("x"), passed("y"), rc=1, total=4), shard=0)
    crashed = evidence_of([*opening(), collected(2, 4), end(None, signal="SIGSEGV")], shard=1)
    assert suite(broken, crashed).reason == "SuiteCrashed"
    assert suite(broken, shard(1, 2, digest="other")).reason == "ShardMismatch"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([State.PENDING, State.PENDING], State.PENDING),
        ([State.PENDING, State.WAITING], State.WAITING),
        ([State.WAITING, State.RUNNING], State.RUNNING),
        ([State.PASSED, State.PENDING], State.RUNNING),
        ([State.FAILED, State.WAITING], State.RUNNING),
        ([State.ERROR, State.WAITING], State.RUNNING),
        ([State.PASSED, State.CANCELLED], State.CANCELLED),
    ],
)
def test_how_far_a_suite_is(states: list[State], expected: State) -> None:
    evidence = [ShardEvidence("core", index) for index in range(len(states))]
    assert judge_suite([Judgement(state) for state in states], evidence).state is expected


# --- Runs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suites", "state", "reason", "message"),
    [
        ([("a", PASSED), ("b", PASSED)], PASSED, "AllTestsPassed", "every collected test"),
        ([("a", PASSED), ("b", FAILED)], FAILED, "why-b", "suite b: how b"),
        ([("a", FAILED), ("b", FAILED)], FAILED, "why-a", "suite a: how a; suite b: how b"),
        ([("a", FAILED), ("b", ERROR)], ERROR, "why-b", "suite b: how b"),
        ([("a", State.CANCELLED), ("b", ERROR)], ERROR, "why-b", "suite b: how b"),
        ([("a", State.CANCELLED), ("b", FAILED)], State.CANCELLED, "why-a", "suite a: how a"),
    ],
)
def test_suites_make_a_run(suites: list[tuple[str, State]], state: State, reason: str, message: str) -> None:
    judgement = judge_run([(name, Judgement(how, f"why-{name}", f"how {name}")) for name, how in suites])
    assert judgement is not None
    assert (judgement.state, judgement.reason) == (state, reason)
    assert message in judgement.message


@pytest.mark.parametrize("state", sorted(set(State) - ENDED))
def test_a_run_waits_for_all_its_suites(state: State) -> None:
    assert judge_run([("a", Judgement(ERROR)), ("b", Judgement(state))]) is None
