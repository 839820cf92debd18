"""Waiting for a TestRun's end: whatever becomes of watches, servers, runs and operators, it is never missed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.cli import watching
from seatrial.cli.exits import CliError
from seatrial.cli.options import Where
from seatrial.cli.watching import Patience, wait_for_end
from seatrial.errors import ClusterError, ForbiddenError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Object = dict[str, Any]

OVER = {
    "phase": "Passed",
    "observedGeneration": 1,
    "conditions": [{"type": "Finished", "status": "True"}, {"type": "Succeeded", "status": "True"}],
}
RUNNING = {"phase": "Running", "observedGeneration": 1, "conditions": [{"type": "Finished", "status": "False"}]}


def run(status: Object | None = None, uid: str = "1", **metadata: Any) -> Object:
    """A TestRun; another status has another version."""
    number = f"{sorted(status.items()) if status else ''}"
    return {"metadata": {"name": "orders", "uid": uid, "resourceVersion": number, **metadata}, "status": status or {}}


def version(number: int, item: Object) -> Object:
    return {**item, "metadata": {**item["metadata"], "resourceVersion": str(number)}}


NEW = run({"observedGeneration": -1})
STALE = {"kind": "Status", "code": 410, "reason": "Expired"}


class Forever:
    """A watch that says nothing."""


@dataclass
class ScriptedCluster:
    """A cluster that answers one look after the other, and one watch after the other; the last look goes on."""

    looks: list[Object | ClusterError | None]
    watches: list[list[tuple[str, Object] | ClusterError | Forever]] = field(default_factory=list)
    namespace: str = "team"
    server: str = "https://cluster"
    where: Where = field(default_factory=Where)
    looked: int = 0

    async def look(self, name: str) -> tuple[Object | None, str]:
        assert name == "orders"
        await asyncio.sleep(0)
        answer = self.looks[min(self.looked, len(self.looks) - 1)]
        self.looked += 1
        if isinstance(answer, ClusterError):
            raise answer
        return answer, "1"

    async def watch(self, name: str, version: str, seconds: int) -> AsyncIterator[tuple[str, Object]]:
        assert (name, version, seconds) == ("orders", "1", watching.WATCH_SECONDS)
        for event in self.watches.pop(0) if self.watches else [Forever()]:
            if isinstance(event, ClusterError):
                raise event
            if isinstance(event, Forever):
                await asyncio.Event().wait()
            else:
                yield event

    def explain(self, error: ClusterError, what: str) -> CliError:
        return CliError(f"{what}: {error}")


class Shown:
    """What people have seen."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.said: list[str] = []

    def show(self, status: Mapping[str, Any]) -> None:
        self.phases.append(str(status.get("phase", "")))

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is with longer pauses and silences, in less time."""
    monkeypatch.setattr(watching, "PAUSES", (0.0,))
    monkeypatch.setattr(watching, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(watching, "GRACE_SECONDS", 0.0)


BREAKS: dict[str, ScriptedCluster] = {
    "over before it is looked at": ScriptedCluster([run(OVER)]),
    "told by the watch": ScriptedCluster([NEW], [[("MODIFIED", run(RUNNING)), ("MODIFIED", run(OVER))]]),
    "a watch that ends": ScriptedCluster([NEW, run(OVER)], [[]]),
    "many watches that end": ScriptedCluster([*[run(RUNNING)] * 9, run(OVER)], [[] for _ in range(9)]),
    "a connection that breaks": ScriptedCluster([NEW, run(OVER)], [[UnavailableError("reset by peer")]]),
    "a connection that breaks after an event": ScriptedCluster(
        [NEW, run(OVER)], [[("MODIFIED", run(RUNNING)), UnavailableError("reset by peer")]]
    ),
    "a version that is too old": ScriptedCluster([NEW, run(OVER)], [[("ERROR", STALE)]]),
    "410 as the answer": ScriptedCluster([NEW, run(OVER)], [[ClusterError("too old", reason="Expired")]]),
    "a connection that died without a word": ScriptedCluster([NEW, run(OVER)], [[Forever()]]),
    "a bookmark": ScriptedCluster(
        [NEW], [[("BOOKMARK", {"metadata": {"resourceVersion": "7"}}), ("MODIFIED", run(OVER))]]
    ),
    "a server that is away for a while": ScriptedCluster(
        [NEW, UnavailableError("503"), UnavailableError("503"), run(OVER)], [[UnavailableError("reset")]]
    ),
    "deleted, but after its end": ScriptedCluster([run(OVER, deletionTimestamp="2026-01-01T00:00:00Z")]),
}


@pytest.mark.parametrize("name", BREAKS)
async def test_the_end_is_never_missed(name: str) -> None:
    shown = Shown()
    async with asyncio.timeout(10):
        found = await wait_for_end(BREAKS[name], "orders", shown, Patience(untouched=5))
    assert found["status"] == OVER
    assert shown.phases[-1] == "Passed"


async def test_a_server_that_is_away_is_told() -> None:
    shown = Shown()
    cluster = ScriptedCluster([NEW, UnavailableError("503"), run(OVER)], [[]])
    await wait_for_end(cluster, "orders", shown, Patience())
    assert shown.said == ["the cluster at https://cluster does not answer; trying again, the run is not affected"]


async def test_a_state_is_shown_once() -> None:
    """A look after a broken watch shows what the watch has shown already."""
    running = version(2, run(RUNNING))
    cluster = ScriptedCluster([NEW, running, running, version(3, run(OVER))], [[("MODIFIED", running)], [], []])
    shown = Shown()
    await wait_for_end(cluster, "orders", shown, Patience())
    assert shown.phases == ["", "Running", "Passed"]


DELETED = run(RUNNING)
ENDS: dict[str, tuple[ScriptedCluster, Patience, tuple[str, ...]]] = {
    "no such run": (ScriptedCluster([None]), Patience(), ("there is no TestRun team/orders", "seatrial status -A")),
    "deleted under the watch": (
        ScriptedCluster([run(RUNNING)], [[("DELETED", DELETED)]]),
        Patience(),
        ("team/orders was deleted before it was over",),
    ),
    "deleted between two watches": (
        ScriptedCluster([run(RUNNING), None], [[]]),
        Patience(),
        ("team/orders was deleted before it was over",),
    ),
    "being deleted": (
        ScriptedCluster([run(RUNNING, deletionTimestamp="2026-01-01T00:00:00Z")]),
        Patience(),
        ("is being deleted",),
    ),
    "another one of its name": (
        ScriptedCluster([run(RUNNING), run(OVER, uid="2")], [[]]),
        Patience(),
        ("another one has its name",),
    ),
    "no operator": (
        ScriptedCluster([NEW]),
        Patience(untouched=0.2),
        ("no operator has taken up TestRun team/orders for 0.2 s", "kubectl get deployments -A"),
    ),
    "no operator, and no status at all": (
        ScriptedCluster([run()]),
        Patience(untouched=0.2),
        ("no operator has taken up",),
    ),
    "not over in time": (
        ScriptedCluster([run(RUNNING | {"message": "suite core"})]),
        Patience(total=0.2),
        ("was not over after 0.2 s (Running: suite core)", "seatrial wait orders", "seatrial cancel orders"),
    ),
    "neither an operator nor time": (ScriptedCluster([NEW]), Patience(total=0.2, untouched=60), ("for 0.2 s",)),
    "a server that stays away": (
        ScriptedCluster([run(RUNNING), UnavailableError("503")], [[]]),
        Patience(unavailable=0.1),
        ("503",),
    ),
    "a server that was never there": (ScriptedCluster([UnavailableError("refused")]), Patience(), ("refused",)),
    "no right to look": (
        ScriptedCluster([ForbiddenError("testruns is forbidden")]),
        Patience(),
        ("TestRun team/orders cannot be watched", "forbidden"),
    ),
    "no right to watch": (
        ScriptedCluster([run(RUNNING)], [[ForbiddenError("cannot watch")]]),
        Patience(),
        ("TestRun team/orders cannot be watched", "cannot watch"),
    ),
}


@pytest.mark.parametrize("name", ENDS)
async def test_no_verdict(name: str) -> None:
    cluster, patience, words = ENDS[name]
    async with asyncio.timeout(10):
        with pytest.raises(CliError) as caught:
            await wait_for_end(cluster, "orders", Shown(), patience)
    for word in words:
        assert word in caught.value.message


async def test_an_operator_that_comes_in_time() -> None:
    """From then on the run may take as long as it likes."""
    cluster = ScriptedCluster([NEW, version(2, run(RUNNING)), *[version(2, run(RUNNING))] * 5, version(3, run(OVER))])
    found = await wait_for_end(cluster, "orders", Shown(), Patience(untouched=0.15))
    assert found["status"] == OVER


async def test_the_commands_that_are_told_have_the_same_options() -> None:
    cluster = ScriptedCluster([run(RUNNING)], where=Where(namespace="team", context="kind"))
    with pytest.raises(CliError, match="seatrial wait orders --context kind -n team"):
        await wait_for_end(cluster, "orders", Shown(), Patience(total=0.1))
