"""What the environment pod says, folded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.environment import MAX_NAMES, MAX_TEXT, ComponentState, EnvironmentState, fold_environment
from tests.builders import T0, event_line

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KINDS = st.sampled_from(["started", "waiting", "ready", "seeded", "servicesReady", "open", "failed", "other"])
EVENTS = st.fixed_dictionaries(
    {"t": KINDS | JSON},
    optional=dict.fromkeys(("at", "kind", "name", "message", "seconds", "reason", "version"), JSON),
)


def fold(*lines: bytes, state: EnvironmentState | None = None) -> EnvironmentState:
    state = state or EnvironmentState()
    for line in lines:
        state = fold_environment(state, line)
    return state


def test_a_whole_life() -> None:
    state = fold(
        event_line("started", T0, version="0.1.0"),
        event_line("waiting", kind="service", name="redis", message="connection refused"),
        event_line("ready", kind="service", name="redis", seconds=1.25),
        event_line("waiting", kind="service", name="redis", message="a topic is not listed yet"),
        event_line("seeded", name="redis"),
        event_line("servicesReady"),
        event_line("waiting", kind="application", name="app", message="404"),
        event_line("ready", kind="application", name="app", seconds=2.5),
        event_line("open", T0 + 3),
    )
    assert state == EnvironmentState(
        started_at=T0,
        services={"redis": ComponentState(1.25, seeded=True)},
        applications={"app": ComponentState(2.5)},
        services_ready=True,
        open_at=T0 + 3,
    )
    assert state.is_open


def test_what_it_waits_for() -> None:
    state = fold(event_line("waiting", kind="service", name="redis", message="connection refused"))
    assert state.services["redis"] == ComponentState(message="connection refused")
    assert not state.is_open
    assert not state.services_ready


def test_a_log_that_is_read_again_changes_nothing() -> None:
    lines = [
        event_line("started", T0),
        event_line("waiting", kind="service", name="redis", message="connection refused"),
        event_line("ready", kind="service", name="redis", seconds=1.25),
        event_line("open", T0 + 3),
    ]
    assert fold(*lines, *lines) == fold(*lines)


def test_the_first_failure_counts() -> None:
    state = fold(
        event_line("failed", kind="service", name="postgres", reason="SeedFailed", message="syntax error"),
        event_line("failed", kind="service", name="redis", reason="ServiceNotReady", message="later"),
    )
    assert (state.failed_reason, state.failed_name, state.failed_message) == ("SeedFailed", "postgres", "syntax error")


@pytest.mark.parametrize("reason", [None, "", 7, "<b>", "Other", ["SeedFailed"]])
def test_a_reason_that_is_none_of_ours_is_not_passed_on(reason: Any) -> None:
    assert fold(event_line("failed", reason=reason)).failed_reason == "EnvironmentFailed"


def test_an_open_gate_without_a_time_is_open() -> None:
    assert fold(b'{"t": "open"}').is_open


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Traceback (most recent call last):",
        b"[1, 2]",
        b"null",
        b'"open"',
        b'{"t": "open"',
        b'{"t": ["open"]}',
        b'{"t": "unheard-of"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"t":' * 10_000,
        b'{"at": ' + b"9" * 5000 + b"}",
        b'{"t": "open", "x": "' + b"x" * 65_536 + b'"}',
    ],
    ids=lambda line: repr(line[:20]),
)
def test_what_is_no_event_is_ignored(line: bytes) -> None:
    assert fold(line) == EnvironmentState()


@pytest.mark.parametrize("number", ["-1", "NaN", "Infinity", "-Infinity", "true", '"1"', "null", "[]"])
def test_a_time_that_is_none_is_ignored(number: str) -> None:
    assert fold(f'{{"t": "started", "at": {number}}}'.encode()).started_at is None


@pytest.mark.parametrize("said", ['"seconds": 0', '"seconds": 0.0', '"seconds": "soon"', '"other": 1'])
def test_ready_at_once_is_ready(said: str) -> None:
    line = f'{{"t": "ready", "kind": "service", "name": "redis", {said}}}'
    assert fold(line.encode()).services["redis"].ready_after == 0.0


def test_a_time_is_bounded() -> None:
    line = b'{"t": "ready", "kind": "service", "name": "redis", "seconds": 1' + b"0" * 400 + b"}"
    assert fold(line).services["redis"].ready_after == 1e12


def test_texts_and_names_are_bounded() -> None:
    state = fold(*(event_line("waiting", kind="service", name=f"s{n}", message="ä" * 9999) for n in range(500)))
    assert len(state.services) == MAX_NAMES
    assert len(state.services["s0"].message.encode()) == MAX_TEXT
    known = fold(event_line("waiting", kind="service", name="s0", message="m"), state=state)
    assert known.services["s0"].message == "m"
    assert fold(event_line("waiting", kind="service", name="n" * 500, message="")).services == {
        "n" * 64: ComponentState()
    }


@given(events=st.lists(EVENTS, max_size=8))
@example(events=[{"t": "waiting", "kind": "service", "name": "\ud800", "message": "\0\udfff"}])
@example(events=[{"t": "open", "at": 10**400}])
def test_whatever_it_says_the_state_can_be_shown(events: list[dict[str, Any]]) -> None:
    state = fold(*(json.dumps(event).encode() for event in events))
    texts = [state.failed_reason, state.failed_message, state.failed_name]
    for known in (state.services, state.applications):
        assert len(known) <= MAX_NAMES
        texts += [*known, *(component.message for component in known.values())]
        times = [component.ready_after for component in known.values() if component.ready_after is not None]
        assert all(0 <= time <= 1e12 for time in times)
    for text in texts:
        assert len(text.encode()) <= MAX_TEXT  # encode: no lone surrogates
        assert "\0" not in text
