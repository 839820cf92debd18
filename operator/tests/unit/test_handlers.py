"""What the operator decides by itself at kopf's edge; the rest of it is seen end to end."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import kopf
import pytest

from seatrial import reconcile
from seatrial.handlers import (
    WATCHES,
    WEDGED_SECONDS,
    Operator,
    _Backoffs,
    _has_work,
    _ProgressInMemory,
    delete,
    probe_runs,
    probe_watches,
    wake_by_testrun,
)
from seatrial.inpod import read_inpod_files
from seatrial.naming import FINALIZER, finalizer_of
from seatrial.reconcile import Run, Tools
from seatrial.slots import Slots
from tests.builders import NAMESPACE, RUN, SETTINGS, body_of
from tests.fake_cluster import FakeCluster
from tests.simulation import Clock, Simulation

if TYPE_CHECKING:
    from seatrial.naming import RunId


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(reconcile, "time", clock)
    return clock


def conditions(finished: str, cleaned: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Finished", "status": finished}, {"type": "EnvironmentCleaned", "status": cleaned}]}


@pytest.mark.parametrize(("meta", "touched"), [({}, False), ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, True)])
def test_only_what_is_being_deleted_is_touched(*, meta: Any, touched: bool) -> None:
    """kopf asks for it whenever a daemon has not ended at once: it would change a run that is over."""
    patch = kopf.Patch()
    _ProgressInMemory().touch(body=kopf.Body({"metadata": meta}), patch=patch, value="now")
    assert bool(patch) == touched


@pytest.mark.parametrize(
    ("status", "meta", "has_work"),
    [
        ({}, {}, True),
        ({"observedGeneration": -1}, {}, True),
        (conditions("False", "False"), {}, True),
        (conditions("True", "False"), {}, True),
        (conditions("True", "True"), {}, False),
        ({}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_a_run_has_work_until_it_is_over_and_clean(status: Any, meta: Any, has_work: bool) -> None:  # noqa: FBT001
    assert _has_work(status=status, meta=meta, namespace="team-a", memo=operator("team-*")) is has_work


@pytest.mark.parametrize(
    ("namespaces", "looks_after"),
    [(("*",), True), (("team-a",), True), (("team-?", "x"), True), (("team-b", "a"), False), ((), False)],
)
def test_an_operator_leaves_the_runs_of_others_alone(namespaces: tuple[str, ...], looks_after: bool) -> None:  # noqa: FBT001
    memo = operator(*namespaces)
    assert memo.operator.looks_after("team-a") is looks_after
    assert _has_work(status={}, meta={}, namespace="team-a", memo=memo) is looks_after


async def test_an_environment_goes_with_its_run_though_somebody_took_the_finalizer_away(clock: Clock) -> None:
    sim = Simulation(clock)
    sim.node.idle = True
    sim.start(sim.add())
    await sim.until("Provisioning")
    namespace = sim.cluster.status(RUN)["namespace"]
    await sim.cluster.until(lambda: sim.cluster.namespace(namespace) is not None)
    memo = operator("*", runs=sim.runs, cluster=sim.cluster)
    body = kopf.Body(sim.cluster.body(RUN))
    await wake_by_testrun(
        body=body, uid=RUN.uid, namespace=RUN.namespace, type="DELETED", memo=memo, patch=kopf.Patch()
    )
    assert sim.cluster.namespace(namespace) is None
    await sim.stop()


async def test_an_environment_that_was_deleted_is_not_deleted_again(clock: Clock) -> None:
    sim = Simulation(clock)
    memo = operator("*", cluster=sim.cluster)
    memo.operator.deleted.add(RUN.uid)
    body = kopf.Body(body_of())
    await wake_by_testrun(
        body=body, uid=RUN.uid, namespace=RUN.namespace, type="DELETED", memo=memo, patch=kopf.Patch()
    )
    assert sim.cluster.writes == []
    assert memo.operator.deleted == set()


def operator(*namespaces: str, runs: dict[RunId, Run] | None = None, cluster: Any = None) -> Any:
    settings = SETTINGS.model_copy(update={"namespaces": namespaces})
    tools = Tools(cluster, settings, cluster, Slots(1), {})
    return SimpleNamespace(operator=Operator(tools, cluster, {run.uid: daemon for run, daemon in (runs or {}).items()}))


def test_suite_images_get_the_supervisor_and_the_plugin() -> None:
    files = read_inpod_files()
    assert set(files) == {"supervisor.py", "pytest_seatrial.py"}
    for name, source in files.items():
        compile(source, name, "exec")
    assert sum(len(source) for source in files.values()) < 1 << 20  # of a ConfigMap


async def test_the_probe_fails_when_a_run_is_not_looked_at() -> None:
    run = SimpleNamespace(id="team/orders", last_pass=time.monotonic())
    memo = SimpleNamespace(operator=SimpleNamespace(runs={"uid": run}))
    assert await probe_runs(memo=memo) == 1
    run.last_pass -= WEDGED_SECONDS + 1
    with pytest.raises(RuntimeError, match="team/orders"):
        await probe_runs(memo=memo)


@pytest.mark.parametrize(
    ("namespaces", "finalizer"),
    [(("*",), FINALIZER), (("team-a",), f"{FINALIZER}-96c2886c51"), (("b", "a"), f"{FINALIZER}-c8687a08aa")],
)
def test_operators_of_other_namespaces_have_other_finalizers(namespaces: tuple[str, ...], finalizer: str) -> None:
    assert finalizer_of(namespaces) == finalizer
    assert finalizer_of(namespaces[::-1]) == finalizer


@pytest.mark.parametrize(
    ("finalizers", "abandoned"),
    [
        ([f"{FINALIZER}-0123456789"], True),
        ([f"{FINALIZER}-0123456789", "foregroundDeletion"], True),
        ([f"{FINALIZER}-0123456789", FINALIZER], False),
        ([FINALIZER], False),
        (["foregroundDeletion"], False),
    ],
)
async def test_what_an_operator_with_other_settings_left_is_taken_away(
    finalizers: list[str],
    abandoned: bool,  # noqa: FBT001
) -> None:
    cluster = FakeCluster()
    memo, patch = operator("*", cluster=cluster), kopf.Patch()
    raw: Any = body_of(finalizers=finalizers, deletionTimestamp="2026-01-01T00:00:00Z")
    await wake_by_testrun(
        body=kopf.Body(raw), uid=RUN.uid, namespace=RUN.namespace, type="MODIFIED", memo=memo, patch=patch
    )
    assert [str(write) for write in cluster.writes] == ([f"delete Namespace {NAMESPACE}"] if abandoned else [])
    for change in patch.fns:
        change(raw)
    left = [name for name in finalizers if not (abandoned and name.startswith(FINALIZER))]
    assert raw["metadata"]["finalizers"] == left


async def test_the_probe_fails_when_a_watch_has_ended() -> None:
    """kopf ends a watch for good at an answer like 404; the process would live on and see nothing."""
    forever = asyncio.Event()
    tasks = [asyncio.create_task(forever.wait(), name=f"watcher for {number}") for number in range(WATCHES)]
    assert await probe_watches() == WATCHES
    tasks[0].cancel()
    with suppress(asyncio.CancelledError):
        await tasks[0]
    with pytest.raises(RuntimeError, match="3 of 4 watches are open"):
        await probe_watches()
    forever.set()
    await asyncio.gather(*tasks[1:])


def test_pauses_between_attempts_do_not_end() -> None:
    pauses = list(itertools.islice(_Backoffs(), 100))
    assert all(0.5 <= pause <= 7.5 for pause in pauses)


@pytest.mark.parametrize(("cleaned", "deletes"), [("True", 0), ("False", 1)])
async def test_an_environment_that_is_gone_is_not_deleted(cleaned: str, deletes: int) -> None:
    cluster = FakeCluster()
    raw: Any = {**body_of(), "status": conditions("True", cleaned)}
    await delete(body=kopf.Body(raw), uid=RUN.uid, memo=operator("*", cluster=cluster), patch=kopf.Patch())
    assert len(cluster.writes) == deletes
