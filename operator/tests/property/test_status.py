"""A status of any evidence is valid by its own schema, small, and the same for the same input."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.api.status import TestRunStatus
from seatrial.decide import Decision, Orders, Past, SuiteDecision, decide
from seatrial.environment import ComponentState, EnvironmentState
from seatrial.evidence import ShardEvidence
from seatrial.local.store import merge
from seatrial.records import (
    ID_BYTES,
    LOCATION_BYTES,
    MAX_COUNT,
    MESSAGE_BYTES,
    OUTCOMES,
    Attempt,
    Collected,
    CollectError,
    CollectSkip,
    Outcome,
    clip,
)
from seatrial.sizes import stored_size
from seatrial.status import Moment, fitting, merge_patch, project, read_past
from seatrial.verdict import Judgement, State
from tests.builders import T0, end, finish, over_pod, plan_of, run_spec, snapshot_of
from tests.property.conftest import few
from tests.property.openapi import problems, schema_of
from tests.property.strategies import API_JSON

Object = dict[str, Any]

STATUS_SCHEMA = schema_of("TestRun", "status")
MAX_BYTES = 100 * 1024
LETTERS = st.sampled_from(["a", "\x01", "<", '"', "é", "\u2028", "𝄞", "\\", "\x7f"])
NAME = "n" * 40


def spec(suites: int, shards: int, applications: int) -> Object:
    def name(number: int) -> str:
        return f"{NAME[: 40 - len(str(number))]}{number}"

    return run_spec(
        services={"redis": {}, "postgres": {}, "kafka": {}, "influxdb": {}},
        applications=[{"name": name(n), "image": "i" * 512} for n in range(applications)],
        suites=[{"name": name(n), "shards": shards} for n in range(suites)],
    )


SIZES = st.sampled_from([(1, 1, 0), (1, 32, 1), (3, 2, 2), (32, 1, 16), (32, 32, 16), (8, 8, 3)])


def shard_of(suite: str, index: int, letter: str, tests: int, outcome: Outcome) -> ShardEvidence:
    """As many tests as asked for, and the longest texts that records may have."""
    evidence = ShardEvidence(suite, index, "pod-uid")
    text = {limit: clip(letter * limit, limit) for limit in (MESSAGE_BYTES, LOCATION_BYTES)}
    records: list[Any] = [Collected(T0, MAX_COUNT, MAX_COUNT, "d" * 64, "8.4.2")]
    for n in range(tests):
        name = clip(f"{n}{letter * ID_BYTES}", ID_BYTES)
        records.append(Attempt(name, outcome, 1, 1e12, 1e12, text[MESSAGE_BYTES], text[LOCATION_BYTES]))
        records.append(CollectError(name, text[MESSAGE_BYTES]))
        records.append(CollectSkip(name, text[MESSAGE_BYTES], text[LOCATION_BYTES]))
    for number, record in enumerate([*records, finish(1), end(1)], 1):
        evidence.fold(number, record)
    return evidence


Case = tuple[tuple[int, int, int], str, str, int, Outcome, bool]
CASES: st.SearchStrategy[Case] = st.tuples(
    SIZES, LETTERS, LETTERS, st.sampled_from([0, 1, 3, 60]), st.sampled_from(OUTCOMES), st.booleans()
)


@few(8)
@given(CASES)
@example(((32, 32, 16), "\x01", "\x01", 60, "failed", True))
@example(((32, 32, 16), "<", "<", 60, "error", False))
@example(((1, 1, 0), "\u2028", "\u2028", 60, "passed", False))
@example(((32, 1, 16), "<", "\x01", 3, "failed", True))
def test_no_status_is_larger_than_100_kib(case: Case) -> None:
    sizes, letter, other, tests, outcome, queued = case
    plan = plan_of(spec(*sizes))
    shards = {
        (suite.name, index): shard_of(suite.name, index, letter, tests if index < 2 else 0, outcome)
        for suite in plan.suites[:3]
        for index in range(suite.shards)
    }
    pods = tuple(over_pod(suite, index, 1) for suite, index in shards)
    message = clip(other * 1024, 1024)
    state = EnvironmentState(
        started_at=T0,
        services={item.name: ComponentState(message=message) for item in plan.services},
        applications={item.name: ComponentState(message=message) for item in plan.applications},
    )
    snapshot = snapshot_of(plan, shards=shards, pods=pods, environment=state)
    judgement = Judgement(State.ERROR, "r" * 64, other * 5000)
    decision = Decision(
        verdict=None if queued else judgement,
        held=judgement if queued else None,
        suites={suite.name: SuiteDecision(judgement, (judgement,) * suite.shards) for suite in plan.suites},
    )
    status = project(plan, snapshot, decision, TestRunStatus(), Moment(T0 + 60, 2**62))
    stored = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    json.dumps(stored, allow_nan=False).encode()
    assert stored_size(stored) <= MAX_BYTES
    assert not list(problems(STATUS_SCHEMA, stored))
    again = project(plan, snapshot, decision, status, Moment(T0 + 60, 2**62))
    assert stored_size(again.model_dump(mode="json", by_alias=True, exclude_none=True)) <= MAX_BYTES
    assert status == project(plan, snapshot, decision, TestRunStatus(), Moment(T0 + 60, 2**62))


@few(20)
@given(CASES, st.floats(0, 1e12))
def test_the_verdict_follows_from_what_is_known_alone(case: Case, now: float) -> None:
    (_, shards, _), letter, _, tests, outcome, held = case
    plan = plan_of(spec(1, shards, 0))
    (suite,) = plan.suites
    known = {(suite.name, n): shard_of(suite.name, n, letter, min(tests, 3), outcome) for n in range(shards)}
    snapshot = snapshot_of(plan, shards=known, pods=tuple(over_pod(suite.name, n, 1) for n in range(shards)))
    orders = Orders(suspend=held)
    past = Past(started_at=T0)
    first = decide(plan, snapshot, past, orders, now)
    assert first == decide(plan, snapshot, past, orders, now)
    assert first.verdict is None or first.verdict.state is not State.PASSED  # far more was collected than told of
    status = project(plan, snapshot, first, TestRunStatus(), Moment(now, 1))
    if first.verdict is not None:
        assert decide(plan, snapshot, read_past(status), orders, now + 1e6).verdict is None  # it is final


def test_fitting_measures_a_status_a_few_times(monkeypatch: Any) -> None:
    """And not once for each test that it leaves out: each time takes milliseconds."""
    whole = 0
    inner = stored_size

    def counting(value: Any) -> int:
        nonlocal whole
        whole += isinstance(value, dict) and "conditions" in value
        return inner(value)

    monkeypatch.setattr(fitting, "stored_size", counting)
    plan = plan_of(spec(32, 1, 16))
    shards = {(suite.name, 0): shard_of(suite.name, 0, "<", 20, "failed") for suite in plan.suites}
    decision = decide(plan, snapshot_of(plan, shards=shards), Past(started_at=T0), Orders(), T0 + 9)
    project(plan, snapshot_of(plan, shards=shards), decision, TestRunStatus(), Moment(T0 + 9, 1))
    assert 1 <= whole <= 10


OBJECTS = st.dictionaries(st.sampled_from("abc"), API_JSON.filter(lambda value: value is not None), max_size=3)


def without_nulls(value: Any) -> Any:
    """A status never has nulls: they are left out when it is written."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@given(OBJECTS.map(without_nulls), OBJECTS.map(without_nulls))
def test_a_patch_makes_one_status_of_the_other(before: Object, wanted: Object) -> None:
    patch = merge_patch(before, wanted)
    assert merge(before, patch) == wanted
    assert not merge_patch(wanted, wanted)
