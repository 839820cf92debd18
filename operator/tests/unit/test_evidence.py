"""What a suite's pods say about their tests, folded record by record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial import evidence as module
from seatrial.api.status import Outcome
from seatrial.evidence import ShardEvidence, TestState
from seatrial.records import (
    OUTCOMES,
    Attempt,
    Collected,
    CollectError,
    CollectSkip,
    Garbage,
    Gate,
    JunitError,
    Record,
    Start,
    Unknown,
    Unreachable,
    dump_object,
    parse_record,
)
from tests.builders import T0, collected, end, evidence_of, failed, finish, passed, whole


def test_a_whole_shard() -> None:
    tests = [passed("a"), failed("b"), *(Attempt(outcome, outcome) for outcome in OUTCOMES)]
    evidence = evidence_of(whole(*tests, rc=1))
    assert (evidence.collected, evidence.total, evidence.digest) == (8, 8, "d0")
    assert evidence.finals == 8
    assert evidence.not_run == 0
    assert {outcome: evidence.count(outcome) for outcome in Outcome} == {
        Outcome.PASSED: 2,
        Outcome.FAILED: 2,
        Outcome.ERROR: 1,
        Outcome.SKIPPED: 1,
        Outcome.XFAILED: 1,
        Outcome.XPASSED: 1,
    }
    assert (evidence.first_test, evidence.last_test) == (T0 + 5, T0 + 5.5)
    assert evidence.gate_at == T0 + 3
    assert evidence.finished
    assert evidence.end == end(1)
    assert [test.id for test in evidence.failures] == ["b", "failed", "error"]
    assert evidence.lost == ""


def test_a_test_counts_once_by_its_last_attempt() -> None:
    evidence = evidence_of(
        [
            collected(2),
            failed("flaky", attempt=1, final=False, location="t.py:3"),
            passed("flaky", attempt=2),
            failed("steady", attempt=1, final=False),
            failed("steady", attempt=2, message="again", location="t.py:9"),
        ]
    )
    assert (evidence.finals, evidence.flaky, evidence.errors, evidence.not_run) == (2, 1, 0, 0)
    assert evidence.tests["flaky"].attempts == 2
    assert evidence.tests["flaky"].flaky
    (failure,) = evidence.failures
    assert (failure.id, failure.attempts, failure.message, failure.location) == ("steady", 2, "again", "t.py:9")
    assert not failure.flaky


def test_a_pass_at_the_first_attempt_is_not_flaky() -> None:
    assert evidence_of([collected(1), passed("a")]).flaky == 0


def test_a_skip_after_a_failure_is_not_flaky() -> None:
    skipped = Attempt("a", "skipped", attempt=2)
    assert evidence_of([collected(1), failed("a", final=False), skipped]).flaky == 0


def test_a_test_that_is_tried_again_has_not_run_to_its_end() -> None:
    evidence = evidence_of([collected(2), passed("a"), failed("b", final=False)])
    assert (evidence.finals, evidence.not_run, evidence.failures) == (1, 1, [])


def test_a_record_that_was_read_before_is_ignored() -> None:
    evidence = ShardEvidence("core", 0)
    assert evidence.fold(1, collected(1))
    assert evidence.fold(2, passed("a"))
    assert not evidence.fold(2, failed("a"))
    assert not evidence.fold(1, collected(9))
    assert (evidence.collected, evidence.finals, evidence.failures) == (1, 1, [])
    assert evidence.lost == ""


@pytest.mark.parametrize(("numbers", "missing"), [([1, 2, 4], "3 to 3"), ([2], "1 to 1"), ([1, 9], "2 to 8")])
def test_a_gap_is_noticed(numbers: list[int], missing: str) -> None:
    evidence = ShardEvidence("core", 0)
    for number in numbers:
        evidence.fold(number, passed(f"t{number}"))
    assert evidence.lost == f"records {missing} are missing from the log"
    assert evidence.sequence == numbers[-1]
    assert evidence.finals == len(numbers)


def test_the_first_loss_counts() -> None:
    evidence = evidence_of([Garbage(17, "not a JSON object"), Garbage(3, "no type")])
    assert evidence.lost == "17 bytes of the records cannot be read (not a JSON object)"


def test_modules_are_told_apart_from_tests() -> None:
    evidence = evidence_of(
        [
            CollectError("tests/test_a.py", "ImportError: x", "long"),
            CollectError("tests/test_a.py", "ImportError: x", "long"),
            CollectSkip("tests/test_b.py", "no kafka", "tests/test_b.py:1"),
            collected(1),
            passed("tests/test_c.py::test"),
        ]
    )
    assert list(evidence.collect_errors) == ["tests/test_a.py"]
    assert list(evidence.module_skips) == ["tests/test_b.py"]
    assert list(evidence.tests) == ["tests/test_c.py::test"]
    assert evidence.errors == 1
    assert [failure.message for failure in evidence.failures] == ["ImportError: x"]
    assert evidence.count(Outcome.SKIPPED) == 0


def test_a_module_is_shown_like_a_test() -> None:
    evidence = evidence_of([CollectError("a.py", "boom"), CollectSkip("b.py", "no kafka", "b.py:1")])
    assert evidence.collect_errors["a.py"] == TestState(
        "a.py", Outcome.ERROR, attempts=1, duration=0.0, flaky=False, final=True, message="boom"
    )
    assert evidence.module_skips["b.py"] == TestState(
        "b.py",
        Outcome.SKIPPED,
        attempts=1,
        duration=0.0,
        flaky=False,
        final=True,
        message="no kafka",
        location="b.py:1",
    )


def test_attempts_count_from_one() -> None:
    assert evidence_of([passed("a", attempt=0)]).tests["a"].attempts == 1


def test_a_second_end_is_none() -> None:
    evidence = evidence_of([*whole(passed("a")), end()])
    assert evidence.lost == "there is a second end marker"


def test_the_same_name_twice_is_two_tests() -> None:
    evidence = evidence_of([collected(3), passed("a"), failed("a"), passed("a")])
    assert list(evidence.tests) == ["a", "a#2", "a#3"]
    assert (evidence.finals, evidence.count(Outcome.FAILED)) == (3, 1)


def test_a_repeated_test_may_be_tried_again() -> None:
    evidence = evidence_of([collected(2), passed("a"), failed("a", final=False), passed("a", attempt=2)])
    assert list(evidence.tests) == ["a", "a#2"]
    assert evidence.flaky == 1


def test_a_number_never_takes_the_place_of_a_test() -> None:
    evidence = evidence_of([passed("a#2"), passed("a"), failed("a")])
    assert {name: test.outcome for name, test in evidence.tests.items()} == {
        "a#2": Outcome.PASSED,
        "a": Outcome.PASSED,
        "a#3": Outcome.FAILED,
    }


def test_one_name_a_hundred_thousand_times_costs_no_more_than_as_many_names() -> None:
    evidence = ShardEvidence("core", 0)
    for number in range(1, 20_001):
        evidence.fold(number, passed("a" * 1024))
    assert evidence.finals == 20_000
    assert max(len(name) for name in evidence.tests) == 1024 + len("#20000")


def test_only_failures_keep_their_texts() -> None:
    evidence = evidence_of([Attempt("a", "skipped", message="why", location="t.py:1"), failed("b", location="t.py:2")])
    assert (evidence.tests["a"].message, evidence.tests["a"].location) == ("", "")
    assert (evidence.tests["b"].message, evidence.tests["b"].location) == ("assert 1 == 2", "t.py:2")


def test_more_tests_than_are_taken_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TESTS", 2)
    evidence = evidence_of([collected(3), passed("a"), failed("b", final=False), passed("b"), passed("c")])
    assert evidence.lost == "there are more than 2 tests in one shard: split the suite"
    assert list(evidence.tests) == ["a", "b"]
    modules = evidence_of([CollectError(str(n)) for n in range(5)] + [CollectSkip(str(n)) for n in range(5)])
    assert (len(modules.collect_errors), len(modules.module_skips)) == (2, 2)


def test_what_was_collected_does_not_become_less() -> None:
    again = evidence_of([collected(3), collected(3), passed("a")])
    assert (again.collected, again.lost) == (3, "")
    fewer = evidence_of([collected(3), passed("a"), collected(1)])
    assert (fewer.collected, fewer.total) == (3, 3)
    assert fewer.lost == "1 tests were collected after 3 had been"
    assert evidence_of([collected(3), collected(3, digest="d1")]).lost
    assert evidence_of([collected(3), collected(3, total=4)]).lost


@pytest.mark.parametrize(
    ("records", "kept"),
    [
        ([passed("a" * 900) for _ in range(20)], 10),
        ([passed("a", message="b" * 400, location="c" * 500) for _ in range(20)], 9),
        ([Unknown("later", 9) for _ in range(20)], 9),
        ([CollectSkip("a" * 500, "b" * 500) for _ in range(20)], 5),
    ],
)
def test_records_beyond_what_a_shard_may_take_are_lost(
    records: list[Record], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_VOLUME", 10_000)
    evidence = ShardEvidence("core", 0)
    assert [evidence.fold(number, record) for number, record in enumerate(records, 1)].count(True) == kept
    assert evidence.lost == "its records take more than 0 MiB: split the suite"
    assert not evidence.fold(21, end())
    assert evidence.end == end()  # the run must come to its end all the same
    assert evidence.sequence == 21


def test_texts_of_more_failures_than_anybody_reads_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_TEXTS", 20)
    evidence = evidence_of([failed(name, message="m" * 9, location="l") for name in "abc"])
    assert [(failure.id, failure.message) for failure in evidence.failures] == [
        ("a", "m" * 9),
        ("b", "m" * 9),
        ("c", ""),
    ]


def test_the_gate_is_dated_once() -> None:
    assert evidence_of([Gate(T0), Gate(T0 + 9)]).gate_at == T0


def test_why_a_junit_file_cannot_be_read() -> None:
    assert evidence_of([JunitError("no such file")]).junit_error == "no such file"
    assert evidence_of([JunitError("")]).junit_error
    assert evidence_of([Unreachable("redis", "refused")]).unreachable == {"redis": "refused"}


def test_what_tells_nothing_changes_nothing() -> None:
    evidence = evidence_of([Start(T0), Unknown("later", 20)])
    assert evidence == ShardEvidence("core", 0, "pod-uid", sequence=2, drained=True)


def test_tests_without_a_time_have_none() -> None:
    evidence = evidence_of([Attempt("a", "passed")])
    assert (evidence.first_test, evidence.last_test) == (None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
KINDS = ("start", "gate", "collected", "collectError", "collectSkip", "test", "finish", "end", "junitError", "garbage")
HOSTILE = st.fixed_dictionaries(
    {"t": st.sampled_from(KINDS) | JSON},
    optional={
        "id": st.text(st.characters(), max_size=3) | JSON,
        "o": st.sampled_from(OUTCOMES) | JSON,
        "final": st.booleans() | JSON,
        "n": st.integers(0, 9) | JSON,
        "total": st.integers(0, 9) | JSON,
        "digest": st.text(max_size=3) | JSON,
        "rc": st.none() | st.integers(0, 9) | JSON,
    }
    | dict.fromkeys(("at", "a", "d", "m", "l", "x", "signal", "timeout", "oom", "stderr", "reason", "message"), JSON),
)


@given(lines=st.lists(HOSTILE, max_size=20))
def test_whatever_a_suite_says_the_numbers_are_sound(lines: list[dict[str, Any]]) -> None:
    records: list[Record] = [parse_record(dump_object(line)) for line in lines]
    evidence = evidence_of(records)
    assert evidence.sequence == len(records)
    assert sum(evidence.count(outcome) for outcome in Outcome) == evidence.finals
    assert evidence.finals == sum(test.final for test in evidence.tests.values())
    assert 0 <= evidence.not_run <= (evidence.collected or 0)
    assert 0 <= evidence.flaky <= evidence.count(Outcome.PASSED)
    assert len(evidence.failures) == evidence.errors + evidence.count(Outcome.FAILED)
    if evidence.first_test is not None:
        assert evidence.last_test is not None
        assert evidence.first_test <= evidence.last_test


@given(
    records=st.lists(
        st.sampled_from([passed("a"), failed("a", final=False), failed("b"), collected(3), finish(), end()])
    ),
    cuts=st.lists(st.integers(0, 10), max_size=5),
)
def test_reading_again_from_the_start_changes_nothing(records: list[Record], cuts: list[int]) -> None:
    evidence = ShardEvidence("core", 0, "pod-uid", drained=True)
    for cut in [*cuts, len(records)]:  # the log breaks off, and is followed again from its start
        for sequence, record in enumerate(records[:cut], 1):
            evidence.fold(sequence, record)
    assert evidence == evidence_of(records)
    assert isinstance(evidence.collected, int) == any(isinstance(record, Collected) for record in records)
