"""What the environment pod says, as somebody may say it in its place."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.status import TestRunStatus
from seatrial.decide import Orders, Past, decide
from seatrial.environment import FAILURES, MAX_NAMES, EnvironmentState, fold_environment
from seatrial.status import Moment, project
from seatrial.verdict import State
from tests.builders import T0, plan_of, run_spec, snapshot_of
from tests.property.openapi import problems, schema_of
from tests.property.strategies import RAW_JSON, RAW_TEXT, json_lines

Object = dict[str, Any]

STATUS_SCHEMA = schema_of("TestRun", "status")
PLAN = plan_of(run_spec(services={"redis": {}, "postgres": {}}, applications=[{"name": "app", "image": "app:1"}]))
KINDS = ["started", "waiting", "ready", "seeded", "servicesReady", "open", "failed"]
EVENTS: st.SearchStrategy[Object] = st.fixed_dictionaries(
    {"t": st.sampled_from(KINDS) | RAW_JSON},
    optional={
        "at": st.floats(0, 1e12) | RAW_JSON,
        "kind": st.sampled_from(["service", "application"]) | RAW_JSON,
        "name": st.sampled_from(["redis", "postgres", "app"]) | RAW_TEXT | RAW_JSON,
        "seconds": st.floats(0, 99) | RAW_JSON,
        "reason": st.sampled_from(sorted(FAILURES)) | RAW_JSON,
        "message": RAW_TEXT | RAW_TEXT.map(lambda text: text * 500) | RAW_JSON,
    },
)
LINES = json_lines(EVENTS) | EVENTS.map(lambda event: json.dumps(event).encode()) | st.binary(max_size=50)


def sound(state: EnvironmentState) -> None:
    for known in (state.services, state.applications):
        assert len(known) <= MAX_NAMES
        for name, component in known.items():
            assert len(name.encode()) <= 64
            assert len(component.message.encode()) <= 1024
            assert component.ready_after is None or 0 <= component.ready_after <= 1e12
    for at in (state.started_at, state.open_at):
        assert at is None or 0 <= at <= 1e12
    assert state.failed_reason in {"", "EnvironmentFailed", *FAILURES}
    assert len(state.failed_message.encode()) <= 1024


@given(st.lists(LINES, max_size=15))
def test_whatever_is_said_the_state_is_sound_and_goes_forward(lines: list[bytes]) -> None:
    state = EnvironmentState()
    for line in lines:
        before, state = state, fold_environment(state, line)
        sound(state)
        assert state.services_ready >= before.services_ready
        assert state.is_open >= before.is_open
        assert before.failed_reason in {"", state.failed_reason}
        for known, after in ((before.services, state.services), (before.applications, state.applications)):
            assert set(known) <= set(after)
            assert all(after[name].seeded >= item.seeded for name, item in known.items())
            assert all(
                after[name].ready_after is not None for name, item in known.items() if item.ready_after is not None
            )
        assert fold_environment(before, line) == state


@given(st.lists(LINES, max_size=10))
def test_no_word_of_the_environment_passes_a_run(lines: list[bytes]) -> None:
    state = EnvironmentState()
    for line in lines:
        state = fold_environment(state, line)
    snapshot = snapshot_of(PLAN, environment=state)
    for past in (Past(started_at=T0), Past()):
        decision = decide(PLAN, snapshot, past, Orders(), T0 + 9)
        assert decision.verdict is None or decision.verdict.state is State.ERROR
        status = project(PLAN, snapshot, decision, TestRunStatus(), Moment(T0 + 9, 1))
        stored = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert not list(problems(STATUS_SCHEMA, stored))
        json.dumps(stored, allow_nan=False).encode()


HOSTILE = {
    "a million lists": b'{"t":[' + b"[]," * 330_000 + b"[]]}",
    "a million objects": b'{"t":[' + b"{}," * 330_000 + b"{}]}",
    "as many as are read": b'{"t":[' + b"{}," * 21_000 + b"{}]}",
    "deep": b'{"t":' * 12_000,
    "a long text": b'{"t":"failed","message":"' + "𝄞".encode() * 250_000 + b'"}',
    "no line end": b"x" * 1_000_000,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_takes_bounded_memory(line: bytes) -> None:
    tracemalloc.start()
    try:
        state = fold_environment(EnvironmentState(), line)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    sound(state)
    assert peak <= 3 << 20, f"{peak} bytes"


def test_the_state_takes_bounded_memory_whatever_is_said() -> None:
    """As many lines as a log of 10 MiB holds, each about another name."""
    state = EnvironmentState()
    lines = [json.dumps({"t": "waiting", "name": f"n{n}", "message": "m" * 900}).encode() for n in range(10_000)]
    tracemalloc.start()
    try:
        for line in lines:
            state = fold_environment(state, line)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    sound(state)
    assert kept <= 1 << 20, f"{kept} bytes"
