"""TestResultSlices that somebody else has written with our label and our names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.results import TestResultSliceSpec
from seatrial.api.status import TestRunStatus
from seatrial.decide import Orders, Past, decide
from seatrial.naming import RUN_UID_LABEL, RunId, slice_name
from seatrial.records import OUTCOMES, Record
from seatrial.slices import restore
from seatrial.status import Moment, project
from seatrial.verdict import State
from tests.builders import RUN, T0, collected, end, failed, finish, over_pod, passed, plan_of, snapshot_of
from tests.property.conftest import few
from tests.property.openapi import problems, schema_of, valid
from tests.property.strategies import API_JSON, RECORD_OBJECTS, damaged

Object = dict[str, Any]

SPEC_SCHEMA = schema_of("TestResultSlice", "spec")
STATUS_SCHEMA = schema_of("TestRun", "status")
KEYS = st.tuples(st.sampled_from(["core", "other", "é"]), st.integers(0, 2))
EVENTS = RECORD_OBJECTS.map(lambda members: json.dumps(members)[:16_384]).filter(lambda text: text.isascii())


@st.composite
def slices(draw: st.DrawFn) -> Object:
    """A slice that the API server takes, under a name that the operator would look for, or nearly so."""
    spec = draw(valid(SPEC_SCHEMA))
    suite, shard = draw(KEYS)
    spec |= {"suite": suite, "shard": shard}
    if draw(st.booleans()):
        spec |= {"firstSequence": draw(st.integers(1, 4)), "lastSequence": draw(st.integers(0, 6))}
    if draw(st.booleans()):
        spec["events"] = draw(st.lists(EVENTS, max_size=4))
    for test in spec.get("tests") or ():
        test["outcome"] = draw(st.sampled_from(OUTCOMES))
    run = draw(st.sampled_from([RUN, RUN, RUN, RunId("orders", "team-b", "another-uid")]))
    number = draw(st.integers(0, 2))
    name = slice_name(RUN, suite, shard, number)
    name = draw(st.sampled_from([name, name, name, f"{name[:-1]}0{number}", f"{name}\u0663", "x", "x-" + "9" * 250]))
    return {"metadata": {"name": name, "labels": {RUN_UID_LABEL: run.uid}}, "spec": spec}


@given(slices())
def test_what_is_made_is_what_an_api_server_takes(item: Object) -> None:
    """Of the strategy itself: it must not be stricter than the CRD, nor less so."""
    assert not list(problems(SPEC_SCHEMA, item["spec"]))
    TestResultSliceSpec.model_validate(item["spec"])


OTHERS = slices().flatmap(lambda item: damaged(st.just(item["spec"])).map(lambda spec: item | {"spec": spec}))
"""Their metadata are as the API server has them, whatever the schema was when they were written."""


@few(25)
@given(st.lists(slices() | OTHERS, max_size=6), st.integers(1, 3))
def test_a_run_goes_on_whatever_lies_in_its_slices(items: list[Object], shards: int) -> None:
    """Nothing of it raises, makes a status that cannot be written, or a pass."""
    evidence, writers = restore(RUN, items)
    plan = plan_of({"suites": [{"name": "core", "shards": shards}]})
    pods = tuple(over_pod("core", index) for index in range(shards))
    snapshot = snapshot_of(plan, shards=evidence, pods=pods)
    decision = decide(plan, snapshot, Past(started_at=T0), Orders(), T0 + 9)
    status = project(plan, snapshot, decision, TestRunStatus(), Moment(T0 + 9, 1))
    stored = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert not list(problems(STATUS_SCHEMA, stored))
    json.dumps(stored, allow_nan=False).encode()
    for key, shard in evidence.items():
        assert shard.finals == sum(test.final for test in shard.tests.values())
        assert (shard.suite, shard.shard) == key
    for key, writer in writers.items():
        assert writer.last == evidence[key].sequence
        assert not writer.dirty
        told: list[Record] = [collected(1), passed("next"), failed("é" * 600), finish(), end()]
        for number, record in enumerate(told, 1):
            writer.add(writer.last + number, record, "pod")
        for item in writer.pending("pod"):
            assert not list(problems(SPEC_SCHEMA, item["spec"]))


@few(25)
@given(st.lists(slices(), max_size=5))
def test_foreign_slices_never_pass_a_suite_of_which_nothing_ran(items: list[Object]) -> None:
    evidence, _ = restore(RUN, items)
    for shard in evidence.values():
        if shard.end is not None and not shard.lost and shard.collected is not None:
            continue  # whoever may write slices may forge a whole shard, as the operator would have written it
        plan = plan_of({"suites": [{"name": shard.suite if shard.suite.isascii() else "core"}]})
        snapshot = snapshot_of(plan, shards={(shard.suite, 0): shard}, pods=(over_pod(shard.suite),))
        verdict = decide(plan, snapshot, Past(started_at=T0), Orders(), T0 + 9).verdict
        assert verdict is None or verdict.state is not State.PASSED


@pytest.mark.parametrize("spec", [None, [], {}, 5, "x", {"suite": "core"}])
def test_what_is_no_slice_is_passed_over(spec: Any) -> None:
    assert restore(
        RUN, [{"metadata": {"name": slice_name(RUN, "core", 0, 0), "labels": {RUN_UID_LABEL: RUN.uid}}, "spec": spec}]
    ) == ({}, {})


@given(API_JSON)
def test_any_spec_is_passed_over_or_read(spec: Any) -> None:
    name = slice_name(RUN, "core", 0, 0)
    evidence, _ = restore(RUN, [{"metadata": {"name": name, "labels": {RUN_UID_LABEL: RUN.uid}}, "spec": spec}])
    assert not evidence
