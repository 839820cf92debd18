"""TestRuns of any shape: a pass over one works or ends in InvalidSpec; it never raises and never passes the run."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial import report
from seatrial.api import parse_spec
from seatrial.api.applied import LAST_APPLIED
from seatrial.api.status import TestRunStatus
from seatrial.errors import SeatrialError, SpecError
from seatrial.report import parse_status
from seatrial.status import read_past
from tests.builders import RUN, T0, body_of, run_spec
from tests.property.openapi import problems, schema_of, valid
from tests.property.strategies import API_JSON, TEXT, damaged
from tests.simulation import Clock, Simulation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seatrial.reconcile import Run

Object = dict[str, Any]

SPEC_SCHEMA, STATUS_SCHEMA = schema_of("TestRun", "spec"), schema_of("TestRun", "status")
SPECS = valid(SPEC_SCHEMA, items=2)
STATUSES = valid(STATUS_SCHEMA, items=2)
ANY_STATUS = STATUSES | damaged(STATUSES) | st.dictionaries(TEXT, API_JSON, max_size=4)

LAST = st.one_of(
    API_JSON.map(json.dumps),
    TEXT,
    st.dictionaries(st.sampled_from(["redis", "kafka", "x", "é" * 2000]), API_JSON, max_size=3).map(
        lambda services: json.dumps({"spec": {"services": services}})
    ),
    st.sampled_from(
        ["[" * 100_000, '{"spec":' * 50_000, "NaN", '{"spec":{"services":null}}', '{"spec":[]}', "\ufeff{}"]
    ),
)
ANNOTATIONS = st.fixed_dictionaries(
    {}, optional={LAST_APPLIED: LAST, "seatrial.dev/reconcile": TEXT, "seatrial.dev/run-uid": TEXT, "é": TEXT}
)
METADATA = st.fixed_dictionaries(
    {"annotations": st.none() | ANNOTATIONS},
    optional={
        "labels": st.none() | st.dictionaries(TEXT, TEXT, max_size=2),
        "generation": st.integers(0, 2**62),
        "finalizers": st.lists(TEXT, max_size=2) | st.none(),
        "managedFields": st.just([{"manager": "kubectl"}]),
        "creationTimestamp": st.none() | st.just("2025-10-09T08:53:20Z"),
    },
)


class Watched:
    """A run of which every pass is counted, and what it raises is kept."""

    def __init__(self, run: Run) -> None:
        self.passes = 0
        self.raised: list[Exception] = []
        inner: Callable[[Object], Awaitable[float | None]] = run._pass

        async def watched(body: Object) -> float | None:
            try:
                return await inner(body)
            except SeatrialError:
                raise  # named: the API server has refused something
            except Exception as error:
                self.raised.append(error)
                raise
            finally:
                self.passes += 1

        run._pass = watched  # type: ignore[method-assign]


def ready(simulation: Simulation, watched: Watched, passes: int) -> bool:
    return watched.passes >= passes or simulation.tasks[RUN].done()


def reconcile(clock: Clock, body: Object, passes: int = 2) -> tuple[Object, Watched]:
    """Some passes over a TestRun in a cluster whose node starts nothing; its status, and what happened."""

    async def go() -> tuple[Object, Watched]:
        simulation = Simulation(clock)
        simulation.node.idle = True
        simulation.cluster.objects["TestRun", RUN.namespace, RUN.name] = body
        watched = Watched(simulation.start())
        for wanted in range(1, passes + 1):
            simulation.wake()
            await simulation.cluster.until(partial(ready, simulation, watched, wanted), "a pass")
        await simulation.stop()
        return simulation.cluster.status(RUN), watched

    return asyncio.run(go())


def sound(status: Any, watched: Watched) -> None:
    assert watched.passes
    if watched.raised:
        raise watched.raised[0]
    assert not list(problems(STATUS_SCHEMA, status))


@given(spec=damaged(SPECS) | API_JSON, metadata=METADATA)
def test_a_spec_of_any_shape_ends_as_invalid_or_is_taken(clock: Clock, spec: Any, metadata: Object) -> None:
    status, watched = reconcile(clock, body_of(spec, **metadata) | {"spec": spec})
    try:
        parse_spec(spec or {})
    except SpecError:
        sound(status, watched)
        assert (status["phase"], status["reason"]) == ("Error", "InvalidSpec")
        assert status["message"].startswith("spec")
        return
    assert status.get("phase") != "Passed"
    if status != {"observedGeneration": -1}:  # what has no finalizer of ours yet waits for it
        sound(status, watched)


@given(spec=SPECS, metadata=METADATA)
def test_what_the_api_server_takes_works_or_is_refused(clock: Clock, spec: Object, metadata: Object) -> None:
    status, watched = reconcile(clock, body_of(spec, **metadata))
    assert not watched.raised, watched.raised
    assert status.get("phase", "") in {"", "Queued", "Pending", "Provisioning", "Error", "Cancelled"}


@given(status=ANY_STATUS, cancel=st.booleans())
def test_a_status_of_any_shape_can_be_gone_on_from(clock: Clock, status: Any, cancel: bool) -> None:  # noqa: FBT001
    body = body_of(run_spec(services={"redis": {}}, cancel=cancel))
    known = parse_status(status)
    suites = read_past(known).suites
    after, watched = reconcile(clock, body | {"status": status})
    assert not watched.raised, watched.raised
    if after.get("phase") == "Passed":
        said = suites.get("core")
        assert known.phase == "Passed" or (said is not None and said.judgement.state == "Passed")


@given(ANY_STATUS)
def test_a_status_of_any_shape_can_be_read(status: Any) -> None:
    """When the operator starts it reads every one of them: one that raises would keep all runs from going on."""
    known = parse_status(status)
    past = read_past(known)
    assert past.started_at is None or past.started_at < 1e12
    stored = known.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert parse_status(stored) == known


@given(STATUSES)
def test_a_status_that_the_api_server_takes_loses_nothing(status: Object) -> None:
    assert not list(problems(STATUS_SCHEMA, status))
    known = parse_status(status).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert known == status


@pytest.mark.parametrize("bad", [10, 300])
def test_reading_a_status_takes_few_rounds(bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as what is wrong is deep, not as many as there are bad members."""
    rounds = 0

    def counting(status: Any, **more: Any) -> TestRunStatus:
        nonlocal rounds
        rounds += 1
        return TestRunStatus.model_validate(status, **more)

    monkeypatch.setattr(report, "TestRunStatus", SimpleNamespace(model_validate=counting))
    tests = [{"suite": "core", "id": "a", "outcome": "passed", "later": n} for n in range(bad)]
    status = parse_status({"tests": tests, "timings": {"started": "2025-10-09T08:53:20Z", "later": 1}})
    assert (len(status.tests), read_past(status).started_at) == (bad, T0)
    assert rounds <= 5
