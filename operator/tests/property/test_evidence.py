"""Records on a bad way: lost, doubled, out of order, and read again by an operator that has been killed.

The model is what the suite itself has told. A run may be `Passed` only when all of it was taken in, once.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from seatrial import slices
from seatrial.api.status import Outcome
from seatrial.evidence import FAILING, ShardEvidence
from seatrial.lines import RecordError, decode, encode
from seatrial.records import OUTCOMES, Attempt, Record, dump_object, dump_record, parse_record
from seatrial.slices import SliceWriter, restore
from seatrial.status.parts import counts
from seatrial.verdict import State, judge_shard
from tests.builders import RUN, T0, collected, end, evidence_of, failed, finish, opening, over_pod, passed
from tests.property.conftest import profile
from tests.property.strategies import RECORD_OBJECTS

KEY = ("core", 0)
POD = "pod-uid"


@st.composite
def honest(draw: st.DrawFn) -> list[Record]:
    """What the plugin and the supervisor write of a session."""
    tests: list[Record] = []
    outcomes = draw(st.lists(st.sampled_from((*OUTCOMES, *OUTCOMES[:1] * 3)), max_size=6))
    for number, outcome in enumerate(outcomes):
        retries = draw(st.integers(0, 2))
        tests += [Attempt(f"t{number}", "failed", n + 1, 0.1, T0 + 5, "no", final=False) for n in range(retries)]
        tests.append(Attempt(f"t{number}", outcome, retries + 1, 0.1, T0 + 5, "", final=True))
    missing = draw(st.sampled_from([0, 0, 0, 1]))
    bad = any(outcome in {"failed", "error"} for outcome in outcomes)
    rc = draw(st.sampled_from([1 if bad else 0 if outcomes else 5, 1 if bad else 0 if outcomes else 5, 2, 0]))
    whole = [*opening(), collected(len(outcomes) + missing), *tests, finish(rc, len(outcomes)), end(rc)]
    cut = draw(st.sampled_from([len(whole), len(whole), len(whole), len(whole) - 1, len(whole) - 2]))
    return whole[:cut]


def may_pass(records: list[Record]) -> bool:
    """By the contract, over all that was told."""
    whole = evidence_of(records)
    finals = [record for record in records if isinstance(record, Attempt) and record.final]
    return (
        whole.end is not None
        and whole.end.rc == 0
        and whole.finish is not None
        and len(finals) == len({record.id for record in finals}) == whole.collected
        and bool(finals)
        and not any(record.outcome in {"failed", "error"} for record in finals)
    )


@given(honest(), st.integers(0, 3))
@example([*opening(), collected(2), passed("a"), finish(0, 1), end(0)], 0)
@example([*opening(), collected(1), passed("a"), finish(0, 1), end(0)], 1)
@example([*opening(), collected(1), failed("a"), finish(0, 1), end(0)], 0)
def test_a_shard_passes_just_when_all_of_it_did(records: list[Record], missing: int) -> None:
    """Told in full, and again with records taken from its end or its middle."""
    judged = judge_shard(evidence_of(records), over_pod(), shards=1, junit=False)
    assert (judged.state is State.PASSED) == may_pass(records)
    for left_out in range(len(records)):
        holed = ShardEvidence(*KEY, POD, drained=True)
        for sequence, record in enumerate(records, 1):
            if not left_out <= sequence - 1 < left_out + missing:
                holed.fold(sequence, record)
        if missing:
            assert judge_shard(holed, over_pod(), shards=1, junit=False).state is not State.PASSED
    again = [*records[:3], *records[2:]]  # what was collected, told twice, and then as less
    fewer = [collected(0) if index == 3 else record for index, record in enumerate(again)]
    assert evidence_of(fewer).collected in {None, evidence_of(records).collected}


class Transport(RuleBasedStateMachine):
    """A log that is followed, breaks off, loses lines, and an operator that dies."""

    @initialize(records=honest(), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=30), small=st.booleans())
    def start(self, records: list[Record], sizes: list[int], small: bool) -> None:  # noqa: FBT001
        self.patch = pytest.MonkeyPatch()
        if small:
            self.patch.setattr(slices, "MAX_SLICE_TESTS", 2)
            self.patch.setattr(slices, "MAX_SLICE_EVENTS", 2)
        self.records = records
        self.lines: list[bytes] = []
        at = 0
        while at < len(records):
            part = records[at : at + sizes[len(self.lines) % len(sizes)]]
            self.lines.append(encode(at + 1, [dump_record(record) for record in part]))
            at += len(part)
        self.store: dict[str, Any] = {}
        self.evidence, self.writer = ShardEvidence(*KEY, POD), SliceWriter(RUN, *KEY)
        self.before = counts([self.evidence])
        self.numbers: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()

    def _take(self, line: bytes) -> None:
        """As `logs.py` does."""
        try:
            batch = decode(line)
        except RecordError as error:
            self.evidence.lose(str(error))
            return
        for offset, record in enumerate(batch.records):
            sequence = batch.first + offset
            if self.evidence.fold(sequence, record):
                assert sequence not in self.numbers, "a record was folded twice"
                self.numbers.add(sequence)
                self.writer.add(sequence, record, POD)

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Any line, in any order, any number of times."""
        self._take(data.draw(st.sampled_from(self.lines)))

    @rule(data=st.data())
    def follow(self, data: st.DataObject) -> None:
        """The log from its start, as far as it goes this time."""
        for line in self.lines[: data.draw(st.integers(0, len(self.lines)))]:
            self._take(line)

    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        line = data.draw(st.sampled_from(self.lines))
        self._take(line[: data.draw(st.integers(0, len(line) - 2))])

    @rule(refused=st.sets(st.integers(0, 3)))
    def flush(self, refused: set[int]) -> None:
        for position, item in enumerate(self.writer.pending(POD)):
            if position not in refused:
                self.store[item["metadata"]["name"]] = item
                self.writer.mark_written(item)

    @rule()
    def restart(self) -> None:
        """Another operator: it knows what is in the slices."""
        evidence, writers = restore(RUN, self.store.values())
        self.evidence = evidence.get(KEY) or ShardEvidence(*KEY, POD)
        self.writer = writers.get(KEY) or SliceWriter(RUN, *KEY)
        self.numbers = {number for number in self.numbers if number <= self.evidence.sequence}
        self.before = counts([self.evidence])

    @invariant()
    def nothing_is_passed_that_was_not_told(self) -> None:
        if not hasattr(self, "evidence"):
            return
        self.evidence.drained = True
        judgement = judge_shard(self.evidence, over_pod(), shards=1, junit=False)
        assert judgement == judge_shard(self.evidence, over_pod(), shards=1, junit=False)
        if judgement.state is State.PASSED:
            assert may_pass(self.records)
            assert len(self.numbers) == len(self.records)
        if self.evidence.sequence == len(self.records) and not self.evidence.lost:
            assert len(self.numbers) == len(self.records), "a gap was not noticed"
            assert (judgement.state is State.PASSED) == may_pass(self.records)

    @invariant()
    def counts_do_not_go_backwards(self) -> None:
        if not hasattr(self, "evidence"):
            return
        now = counts([self.evidence])
        assert all(now[name] >= self.before[name] for name in now if name != "not_run"), (self.before, now)
        ended = now["passed"] + now["failed"] + now["errors"] + now["skipped"] + now["xfailed"] + now["xpassed"]
        assert ended + now["not_run"] >= now["total"]
        self.before = now


Transport.TestCase.settings = settings(settings.get_profile(profile()), stateful_step_count=15)
TestTransport = Transport.TestCase


@given(st.lists(RECORD_OBJECTS.map(lambda members: parse_record(dump_object(members))), max_size=20))
def test_a_hostile_suite_never_passes_with_a_test_that_has_not(records: list[Record]) -> None:
    """Whatever a suite says, the counts are sound, and nothing that it said itself to have failed is passed over."""
    evidence = ShardEvidence(*KEY, POD)
    before = counts([evidence])
    for sequence, record in enumerate(records, 1):
        evidence.fold(sequence, record)
        now = counts([evidence])
        assert all(now[name] >= before[name] for name in now if name != "not_run")
        before = now
    judgement = judge_shard(evidence, None, shards=1, junit=False)
    if judgement.state is State.PASSED:
        assert evidence.finals == evidence.collected
        assert not any(test.outcome in FAILING for test in evidence.tests.values() if test.final)
        assert not evidence.lost
    assert sum(evidence.count(outcome) for outcome in Outcome) == evidence.finals
