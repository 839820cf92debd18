"""Deleting what no TestRun owns any more, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seatrial import sweep as module
from seatrial.errors import UnavailableError
from seatrial.naming import RunId, run_labels, run_namespace
from seatrial.sweep import find_orphans, sweep, sweep_forever
from tests.builders import body_of
from tests.fake_cluster import FakeCluster, Write

LIVING, GONE = RunId("living", "team-a", "uid-1"), RunId("gone", "team-a", "uid-2")


def namespace(run: RunId, **metadata: Any) -> dict[str, Any]:
    return {
        "kind": "Namespace",
        "metadata": {"name": run_namespace(run), "labels": run_labels(run)} | metadata,
    }


def test_only_those_whose_run_is_gone() -> None:
    assert find_orphans([namespace(LIVING), namespace(GONE)], {LIVING.uid}) == [run_namespace(GONE)]


def test_not_those_that_are_being_deleted() -> None:
    assert find_orphans([namespace(GONE, deletionTimestamp="2025-10-09T08:53:20Z")], set()) == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "kube-system"},
        {"name": "seatrial-system"},
        {"name": run_namespace(LIVING)},
        {"name": "team-b-" + run_namespace(GONE).rpartition("-")[2]},
        {"labels": {}},
        {"labels": None},
    ],
)
def test_a_label_does_not_make_a_namespace_ours(metadata: dict[str, Any]) -> None:
    """Whoever may label a namespace must not have it deleted by the operator."""
    assert find_orphans([namespace(GONE, **metadata)], {LIVING.uid}) == []


def test_whatever_the_run_was_called() -> None:
    runs = [RunId(name, "team-a", f"uid-{n}") for n, name in enumerate(("a" * 253, "a.b.c", "x" * 60 + "." + "y" * 60))]
    assert find_orphans([namespace(run) for run in runs], set()) == [run_namespace(run) for run in runs]


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    for run in (LIVING, GONE):
        item = namespace(run)
        cluster.objects["Namespace", "", item["metadata"]["name"]] = item
        cluster.objects["Pod", item["metadata"]["name"], "redis"] = {"kind": "Pod", "metadata": {"name": "redis"}}
    cluster.objects["Namespace", "", "kube-system"] = {"kind": "Namespace", "metadata": {"name": "kube-system"}}
    cluster.objects["TestRun", "team-a", "living"] = body_of(run=LIVING)
    return cluster


async def test_orphans_are_deleted(cluster: FakeCluster) -> None:
    assert await sweep(cluster) == [run_namespace(GONE)]
    assert {key[2] for key in cluster.objects if key[0] == "Namespace"} == {run_namespace(LIVING), "kube-system"}
    assert await sweep(cluster) == []


async def test_a_run_that_is_created_meanwhile_is_no_orphan(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Namespaces are listed before TestRuns: a younger namespace is not in the first list."""
    asked: list[str] = []
    for name in ("list_environments", "list_run_uids"):
        real = getattr(cluster, name)

        async def spy(name: str = name, real: Any = real) -> Any:
            asked.append(name)
            return await real()

        monkeypatch.setattr(cluster, name, spy)
    await sweep(cluster)
    assert asked == ["list_environments", "list_run_uids"]


async def test_it_is_tried_again_after_a_failure(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)
    errors = iter([UnavailableError("503")])

    def before(_: int, write: Write) -> None:
        del write
        if (error := next(errors, None)) is not None:
            raise error

    cluster.before = before
    task = asyncio.create_task(sweep_forever(cluster, lambda _: None))
    await cluster.until(lambda: cluster.namespace(run_namespace(GONE)) is None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "the sweep for orphans failed: 503" in caplog.text


async def test_whoever_counts_runs_is_told_which_there_are(cluster: FakeCluster) -> None:
    told: list[set[str]] = []
    await sweep(cluster, told.append)
    assert told == [await cluster.list_run_uids()]
