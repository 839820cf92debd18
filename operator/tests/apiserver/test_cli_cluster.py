"""What the command line asks of a cluster, asked of a real API server; the status is written by the test."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.cli import cluster as module
from seatrial.cli import watching
from seatrial.cli.cluster import RunCluster, connect
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.options import Where
from seatrial.cli.watching import Patience, wait_for_end
from tests.spec_cases import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.apiserver.conftest import Api, Object

pytestmark = pytest.mark.apiserver

SECONDS = 30


def condition(kind: str, status: str) -> Object:
    return {"type": kind, "status": status, "reason": "Because", "lastTransitionTime": "2026-01-02T03:04:05Z"}


RUNNING = {"phase": "Running", "observedGeneration": 1, "conditions": [condition("Finished", "False")]}
OVER = {"phase": "Passed", "conditions": [condition("Finished", "True"), condition("Succeeded", "True")]}


class Shown:
    """What people have seen, and a sign that they have."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.news = asyncio.Event()

    def show(self, status: Mapping[str, Any]) -> None:
        self.phases.append(str(status.get("phase") or ""))
        self.news.set()

    def say(self, text: str) -> None:
        raise AssertionError(text)

    async def until(self, phase: str) -> None:
        while phase not in self.phases:
            self.news.clear()
            await self.news.wait()


@pytest.fixture
def where(api: Api, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Where:
    """The options of a command that is about the tests' own kinds."""
    monkeypatch.setattr(module, "ours", lambda kind, _: api.path(f"{kind.lower()}s"))
    return Where(api.namespace, kubeconfig=kubeconfig)


@asynccontextmanager
async def waited_for(where: Where, name: str) -> AsyncIterator[tuple[asyncio.Task[Object], Shown]]:
    shown = Shown()
    async with asyncio.timeout(SECONDS), connect(where) as cluster:
        waiting = asyncio.create_task(wait_for_end(cluster, name, shown, Patience(untouched=SECONDS)))
        try:
            yield waiting, shown
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def test_the_end_is_told_by_the_watch(api: Api, where: Where) -> None:
    item = api.run(run())
    async with waited_for(where, item["metadata"]["name"]) as (waiting, shown):
        await shown.until("")
        await asyncio.to_thread(api.patch_status, item, **RUNNING)
        await shown.until("Running")
        await asyncio.to_thread(api.patch_status, item, **OVER)
        assert (await waiting)["status"]["phase"] == "Passed"
    assert shown.phases == ["", "Running", "Passed"]


async def test_the_end_is_told_after_watches_that_the_server_has_ended(
    api: Api, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_SECONDS", 1)
    looks = 0
    look = RunCluster.look

    async def counted(self: RunCluster, name: str) -> tuple[Object | None, str]:
        nonlocal looks
        looks += 1
        return await look(self, name)

    monkeypatch.setattr(RunCluster, "look", counted)
    item = api.run(run())
    async with waited_for(where, item["metadata"]["name"]) as (waiting, shown):
        await shown.until("")
        while looks < 3:  # noqa: ASYNC110  (of the code under test)
            await asyncio.sleep(0.05)
        await asyncio.to_thread(api.patch_status, item, **OVER)
        assert (await waiting)["status"]["phase"] == "Passed"
    assert shown.phases == ["", "Passed"], "what has not changed is not shown again"


async def test_deleted_while_it_is_waited_for(api: Api, where: Where) -> None:
    item = api.run(run())
    path = api.path("testruns", item["metadata"]["name"])
    async with waited_for(where, item["metadata"]["name"]) as (waiting, shown):
        await shown.until("")
        await asyncio.to_thread(api.request, "DELETE", path)
        with pytest.raises(CliError, match="was deleted before it was over"):
            await waiting


async def test_changes_and_deletions_are_about_this_very_run(api: Api, where: Where) -> None:
    item = api.run(run())
    other = {**item, "metadata": {**item["metadata"], "uid": "another"}}
    async with connect(where) as cluster:
        changed = await cluster.patch_spec(item, {"cancel": True})
        assert changed["spec"]["cancel"] is True
        with pytest.raises(CliError, match=r"TestRun object-.* cannot be changed"):
            await cluster.patch_spec(other, {"cancel": False})
        await cluster.delete(other)
        assert (await cluster.read_run(item["metadata"]["name"]))["spec"]["cancel"] is True
        await cluster.delete(item)
        with pytest.raises(CliError, match="there is no TestRun"):
            await cluster.read_run(item["metadata"]["name"])
        await cluster.delete(item)


async def test_a_generated_name_and_a_selector(api: Api, where: Where) -> None:
    metadata = {"generateName": "again-", "namespace": api.namespace, "labels": {"of": "this-test"}}
    manifest = {"apiVersion": f"{api.group}/v1alpha1", "kind": "TestRun", "metadata": metadata, "spec": run()}
    async with connect(where) as cluster:
        made = [await cluster.create(manifest) for _ in range(2)]
        assert len({item["metadata"]["name"] for item in made}) == 2
        assert all(item["metadata"]["name"].startswith("again-") for item in made)
        listed = await cluster.list_runs("of=this-test")
        assert {item["metadata"]["uid"] for item in listed} == {item["metadata"]["uid"] for item in made}


async def test_what_the_server_refuses(api: Api, where: Where) -> None:
    manifest = {
        "apiVersion": f"{api.group}/v1alpha1", "kind": "TestRun", "spec": {"suites": []},
        "metadata": {"name": "wrong", "namespace": api.namespace},
    }  # fmt: skip
    async with connect(where) as cluster:
        with pytest.raises(CliError, match=r"TestRun wrong cannot be created: .*spec\.suites") as caught:
            await cluster.create(manifest)
    assert caught.value.exit is Exit.USAGE
