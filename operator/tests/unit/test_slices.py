"""The complete record of a run, which is also what a restarted operator goes on from."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial import slices
from seatrial.api.results import MAX_EVENT_CHARACTERS, MAX_SLICE_EVENTS, MAX_SLICE_TESTS, TestResultSlice
from seatrial.evidence import ShardEvidence
from seatrial.naming import RunId, slice_name
from seatrial.records import (
    OUTCOMES,
    Attempt,
    Collected,
    CollectError,
    CollectSkip,
    End,
    Finish,
    Garbage,
    Gate,
    JunitError,
    Record,
    Start,
    Unknown,
)
from seatrial.sizes import stored_size
from seatrial.slices import SliceWriter, restore
from seatrial.verdict import judge_shard
from tests.builders import RUN, collected, end, evidence_of, failed, finish, over_pod, passed, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

Object = dict[str, Any]
KEY = ("core", 0)
POD = "pod-uid"


class Store:
    """The slices as the API server has them."""

    def __init__(self) -> None:
        self.items: dict[str, Object] = {}
        self.writes: list[str] = []

    def apply(self, item: Object) -> None:
        name = item["metadata"]["name"]
        self.items[name] = copy.deepcopy(item)
        self.writes.append(name)

    def flush(self, writer: SliceWriter, refuse: Iterable[int] = ()) -> None:
        """Write what is pending, but for those whose position is in `refuse`."""
        for position, item in enumerate(writer.pending(POD)):
            if position not in refuse:
                self.apply(item)
                writer.mark_written(item)

    def restore(self) -> tuple[ShardEvidence, SliceWriter]:
        evidence, writers = restore(RUN, self.items.values())
        return evidence.get(KEY) or ShardEvidence(*KEY, POD), writers.get(KEY) or SliceWriter(RUN, *KEY)


def read(evidence: ShardEvidence, writer: SliceWriter, records: Iterable[tuple[int, Record]]) -> None:
    """Take in records as they come from the log."""
    for sequence, record in records:
        if evidence.fold(sequence, record):
            writer.add(sequence, record, POD)


def direct(records: Iterable[tuple[int, Record]]) -> ShardEvidence:
    evidence = ShardEvidence(*KEY, POD)
    for sequence, record in records:
        evidence.fold(sequence, record)
    return evidence


def numbered(records: Iterable[Record]) -> list[tuple[int, Record]]:
    return list(enumerate(records, 1))


def stored(records: Iterable[Record]) -> Store:
    """The slices of a shard that told these records."""
    store, writer = Store(), SliceWriter(RUN, *KEY)
    read(ShardEvidence(*KEY, POD), writer, numbered(records))
    store.flush(writer)
    return store


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)  # as `clip` leaves it
NUMBERS = st.floats(0, 1e12) | st.just(0.0)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(Start, NUMBERS, TEXT, st.integers(0, 9)),
    st.builds(Gate, NUMBERS, NUMBERS),
    st.builds(Collected, NUMBERS, st.integers(0, 9), st.integers(0, 9), TEXT, TEXT),
    st.builds(CollectError, TEXT, TEXT, TEXT),
    st.builds(CollectSkip, TEXT, TEXT, TEXT),
    st.builds(Finish, NUMBERS, st.none() | st.integers(0, 9), st.integers(0, 9)),
    st.builds(
        End,
        NUMBERS,
        st.none() | st.integers(0, 9),
        st.none() | TEXT,
        st.booleans(),
        st.booleans(),
        TEXT,
        st.none() | TEXT,
        st.none() | TEXT,
    ),
    st.builds(JunitError, TEXT),
    st.builds(Garbage, st.integers(0, 99), TEXT),
    st.builds(Unknown, st.just("later"), st.integers(0, 99)),
)
ATTEMPTS: st.SearchStrategy[Record] = st.builds(
    Attempt,
    st.sampled_from("abc"),
    st.sampled_from(OUTCOMES),
    st.integers(0, 3),
    NUMBERS,
    NUMBERS,
    TEXT,
    TEXT,
    TEXT,
    st.booleans(),
)
STREAMS = st.lists(ATTEMPTS | RECORDS, max_size=30)


@given(records=STREAMS, limits=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(300, 3000)))
def test_what_is_restored_is_what_was_told(records: list[Record], limits: tuple[int, int, int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        small(patch, *limits)
        restored, _ = stored(records).restore()
    expected = direct(numbered(records))
    assert restored == expected
    assert judge_shard(restored, None, shards=1, junit=False) == judge_shard(expected, None, shards=1, junit=False)


def small(patch: pytest.MonkeyPatch, tests: int, events: int, size: int) -> None:
    """Make slices so small that a few records fill several."""
    patch.setattr(slices, "MAX_SLICE_TESTS", tests)
    patch.setattr(slices, "MAX_SLICE_EVENTS", events)
    patch.setattr(slices, "MAX_SLICE_BYTES", slices.OVERHEAD_BYTES + size)


@given(
    records=STREAMS,
    cuts=st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(0, 3)), st.booleans()), max_size=6),
)
@example(records=[passed(str(n)) for n in range(9)], cuts=[(9, {0}, True)])
@example(records=[passed(str(n)) for n in range(9)], cuts=[(4, {1}, False), (9, set(), True)])
def test_nothing_is_lost_whenever_the_operator_dies(
    records: list[Record], cuts: list[tuple[int, set[int], bool]]
) -> None:
    """It reads so far, writes slices of which some fail, and may die: another one goes on, from the log's start."""
    log = numbered(records)
    store, evidence, writer = Store(), ShardEvidence(*KEY, POD), SliceWriter(RUN, *KEY)
    with pytest.MonkeyPatch.context() as patch:
        small(patch, 2, 2, 2000)
        for until, refused, dies in cuts:
            read(evidence, writer, log[:until])
            store.flush(writer, refused)
            if dies:
                evidence, writer = store.restore()
        read(evidence, writer, log)
        store.flush(writer)
        restored, _ = store.restore()
    assert evidence == restored == direct(log)
    tests = [test["id"] for item in in_order(store) for test in item["spec"]["tests"]]
    assert tests == [record.id for record in records if isinstance(record, Attempt)]  # each once


def in_order(store: Store) -> list[Object]:
    return sorted(store.items.values(), key=lambda item: int(item["spec"]["firstSequence"]))


def test_a_gap_in_the_log_is_not_forgotten() -> None:
    log = numbered([collected(5), *(passed(str(n)) for n in range(5)), finish(0, 5), end(0)])
    holed = log[:3] + log[4:]
    store, writer, evidence = Store(), SliceWriter(RUN, *KEY), ShardEvidence(*KEY, POD)
    read(evidence, writer, holed)
    store.flush(writer)
    restored, _ = store.restore()
    assert evidence.lost == "records 4 to 4 are missing from the log"
    assert restored.lost == "the records between 1 and 8 have a gap"
    assert (restored.finals, restored.sequence) == (4, 8)


def test_a_slice_that_is_missing_is_read_again() -> None:
    records = whole(*(passed(f"t{n}") for n in range(1200)))
    store = stored(records)
    assert len(store.items) == 3
    del store.items[slice_name(RUN, *KEY, 1)]
    evidence, writer = store.restore()
    assert (evidence.sequence, evidence.lost, evidence.end) == (503, "", None)
    read(evidence, writer, numbered(records))
    store.flush(writer)
    assert store.restore()[0] == evidence == direct(numbered(records))


class TestFullSlices:
    def test_by_tests(self) -> None:
        store = stored(passed(f"t{n}") for n in range(2 * MAX_SLICE_TESTS + 1))
        assert [len(item["spec"]["tests"]) for item in in_order(store)] == [MAX_SLICE_TESTS, MAX_SLICE_TESTS, 1]
        assert [item["metadata"]["name"] for item in in_order(store)] == [slice_name(RUN, *KEY, n) for n in (0, 1, 2)]
        ranges = [(item["spec"]["firstSequence"], item["spec"]["lastSequence"]) for item in in_order(store)]
        assert ranges == [(1, 500), (501, 1000), (1001, 1001)]

    def test_by_events(self) -> None:
        store = stored(Garbage(n, "x") for n in range(MAX_SLICE_EVENTS + 1))
        assert [len(item["spec"]["events"]) for item in in_order(store)] == [MAX_SLICE_EVENTS, 1]

    def test_by_size(self) -> None:
        store = stored(failed(f"t{n}", text="x" * 8192) for n in range(100))
        assert len(store.items) == 3

    def test_a_full_slice_never_changes(self) -> None:
        store, writer, evidence = Store(), SliceWriter(RUN, *KEY), ShardEvidence(*KEY, POD)
        log = numbered(passed(f"t{n}") for n in range(1100))
        for until in range(100, 1101, 100):
            read(evidence, writer, log[:until])
            store.flush(writer)
        name = slice_name(RUN, *KEY, 0)
        assert store.writes.count(name) == 6  # five times growing, once full
        assert writer.pending(POD) == []
        assert not writer.dirty


LETTERS = {"ascii": "x", "control": "\x01", "markup": "<", "quotes": '"', "umlauts": "ä", "emoji": "\U0001f600"}


def clip(text: str, limit: int) -> str:
    return text.encode()[:limit].decode("utf-8", "ignore")


@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS.keys())
def test_no_slice_is_larger_than_etcd_takes(letter: str) -> None:
    """The longest texts that a record may have, in the letters that take most room."""
    text = {limit: clip(letter * limit, limit) for limit in (64, 256, 512, 1024, 8192, 16_384)}
    tests = [
        Attempt(clip(f"{n}{letter * 1024}", 1024), "failed", 1, 1.5, 1.5, text[512], text[256], text[8192])
        for n in range(150)
    ]
    events: list[Record] = [CollectError(clip(f"{n}{letter * 1024}", 1024), text[512], text[8192]) for n in range(70)]
    last = End(1.0, 3, text[64], timeout=False, oom=False, stderr=text[16_384], reason=text[64], message=text[8192])
    records = [collected(150), *events, *tests, last]
    store = stored(records)
    for item in store.items.values():
        assert stored_size(item) < 1 << 20
        TestResultSlice.model_validate({"spec": item["spec"]})  # the bounds of the CRD
        assert all(len(event) <= MAX_EVENT_CHARACTERS for event in item["spec"]["events"])
    restored, _ = store.restore()
    expected = direct(numbered(records))
    assert (restored.finals, restored.errors, restored.sequence) == (
        expected.finals,
        expected.errors,
        expected.sequence,
    )
    assert restored.failures[100].message == expected.failures[100].message
    judged = [judge_shard(item, None, shards=1, junit=False) for item in (restored, expected)]
    assert judged[0].state is judged[1].state
    assert judged[0].reason == judged[1].reason
    assert restored.end is not None
    assert restored.end.stderr
    assert text[16_384].endswith(restored.end.stderr)


def test_the_texts_of_many_failures_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MAX_SLICE_TESTS", 2)
    monkeypatch.setattr(slices, "DETAILED_SLICES", 2)
    store, writer = Store(), SliceWriter(RUN, *KEY)
    for number in range(1, 8):
        writer.add(number, failed(f"t{number}", text="long"), POD)
        store.flush(writer)
        writer = store.restore()[1]  # a restart does not begin anew
    tests = [test for item in in_order(store) for test in item["spec"]["tests"]]
    assert [test.get("details", "") for test in tests] == ["long"] * 4 + [""] * 3
    assert {test["message"] for test in tests} == {"assert 1 == 2"}


def test_a_slice_says_whose_it_is() -> None:
    (item,) = stored(whole(failed("a", location="t.py:3", text="long"), rc=1)).items.values()
    assert item["kind"] == "TestResultSlice"
    assert item["metadata"]["namespace"] == "team-a"
    assert item["metadata"]["labels"]["seatrial.dev/run-uid"] == RUN.uid
    (owner,) = item["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("TestRun", "orders", RUN.uid)
    spec = TestResultSlice.model_validate({"spec": item["spec"]}).spec
    assert (spec.run, spec.suite, spec.shard, spec.pod_uid) == ("orders", "core", 0, POD)
    assert spec.tests[0].model_dump(exclude_defaults=True) == {
        "id": "a",
        "outcome": "failed",
        "started_at": 1_760_000_005.0,
        "duration_seconds": 0.5,
        "message": "assert 1 == 2",
        "location": "t.py:3",
        "details": "long",
    }
    assert item["spec"]["tests"][0].keys() == {
        "id",
        "outcome",
        "startedAt",
        "durationSeconds",
        "message",
        "location",
        "details",
    }


def test_shards_and_suites_are_kept_apart() -> None:
    store = Store()
    for suite, shard in (("core", 0), ("core", 1), ("slow", 0)):
        writer = SliceWriter(RUN, suite, shard)
        writer.add(1, passed(f"{suite}-{shard}"), f"pod-{suite}-{shard}")
        for item in writer.pending(f"pod-{suite}-{shard}"):
            store.apply(item)
    evidence, writers = restore(RUN, store.items.values())
    assert {key: list(item.tests) for key, item in evidence.items()} == {
        ("core", 0): ["core-0"],
        ("core", 1): ["core-1"],
        ("slow", 0): ["slow-0"],
    }
    assert {item.pod_uid for item in evidence.values()} == {"pod-core-0", "pod-core-1", "pod-slow-0"}
    assert writers.keys() == evidence.keys()


class TestForeignSlices:
    """Whoever may create slices in the TestRun's namespace can put anything there."""

    def forged(self, **changes: Any) -> Object:
        item = copy.deepcopy(next(iter(stored([collected(1), passed("forged")]).items.values())))
        item["metadata"] |= changes.pop("metadata", {})
        item["spec"] |= changes
        return item

    @pytest.mark.parametrize(
        "metadata",
        [
            {"labels": {"seatrial.dev/run-uid": "another"}},
            {"labels": None},
            {"name": "whatever"},
            {"name": "whatever-0"},
            {"name": slice_name(RunId("orders", "team-a", "another"), *KEY, 0)},
            {"name": slice_name(RUN, *KEY, 0) + "x"},
            {"name": slice_name(RUN, "core", 1, 0)},
        ],
    )
    def test_those_are_not_read(self, metadata: dict[str, Any]) -> None:
        assert restore(RUN, [self.forged(metadata=metadata)]) == ({}, {})

    def test_a_part_that_cannot_be_read_ends_what_is_known(self) -> None:
        bad = self.forged(tests=[{"id": "x", "outcome": "exploded"}])
        evidence, writers = restore(RUN, [bad])
        assert (evidence[KEY].sequence, evidence[KEY].tests) == (0, {})
        assert writers == {}

    @pytest.mark.parametrize(
        "changes",
        [{"firstSequence": 0}, {"shard": -1}, {"tests": [{"outcome": "passed"}]}, {"later": 1}, {"events": 5}],
    )
    def test_what_is_no_slice_is_not_read(self, changes: dict[str, Any]) -> None:
        assert restore(RUN, [self.forged(**changes)]) == ({}, {})

    def test_a_slice_that_ends_before_it_begins_is_not_taken_in(self) -> None:
        evidence, writers = restore(RUN, [self.forged(lastSequence=0)])
        assert (evidence[KEY].sequence, evidence[KEY].finals, writers) == (0, 0, {})

    def test_results_have_the_bounds_of_records(self) -> None:
        """More than records hold would be more than a status holds, which could then never be written."""
        test = {"id": "é" * 1200, "outcome": "failed", "message": "é" * 512, "location": "é" * 512, "attempt": 2**60}
        bad = self.forged(events=[], tests=[test | {"startedAt": 1e308, "durationSeconds": 1e308}], lastSequence=1)
        evidence, _ = restore(RUN, [bad])
        (state,) = evidence[KEY].tests.values()
        assert (state.id, state.message, state.location) == ("é" * 512, "é" * 256, "é" * 128)
        assert (state.attempts, state.duration, evidence[KEY].last_test) == (10_000_000, 1e12, 2e12)

    def test_events_that_are_garbage_make_the_evidence_incomplete(self) -> None:
        evidence, _ = restore(RUN, [self.forged(events=["{}"])])
        assert evidence[KEY].lost

    def test_a_slice_out_of_order_is_not_taken_for_the_next(self) -> None:
        evidence, _ = restore(RUN, [self.forged(firstSequence=7, lastSequence=8)])
        assert evidence[KEY].sequence == 0


def test_growing_while_it_is_written() -> None:
    """Records that come between the writing of a slice and its answer are written the next time."""
    store, writer, evidence = Store(), SliceWriter(RUN, *KEY), ShardEvidence(*KEY, POD)
    log = numbered(passed(f"t{n}") for n in range(700))
    read(evidence, writer, log[:400])
    (pending,) = writer.pending(POD)
    read(evidence, writer, log)  # meanwhile it became full, and another one grows
    store.apply(pending)
    writer.mark_written(pending)
    assert writer.dirty
    store.flush(writer)
    assert store.restore()[0] == direct(log)
    assert not writer.dirty


def test_nothing_is_pending_where_nothing_was_told() -> None:
    assert SliceWriter(RUN, *KEY).pending(POD) == []


def test_restored_writers_have_nothing_to_write() -> None:
    _, writer = stored(whole(passed("a"))).restore()
    assert not writer.dirty
    assert writer.pending(POD) == []


def test_the_builders_evidence_is_what_a_log_gives() -> None:
    assert evidence_of(whole(passed("a")), drained=False) == direct(numbered(whole(passed("a"))))
    assert over_pod().terminated
