"""Where the time of one run goes: every step that can be seen from outside of the operator, in order.

`python -m bench.timeline` makes some runs and shows the one whose verdict came at the median. Times are seconds after
the API server accepted the TestRun. Steps in pods are told by their own clocks, which on one node are this program's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.cases import is_finished, test_run
from bench.observer import Change, Observer
from bench.runtime_events import RuntimeEvents
from bench.steps import Step, of_environment, of_relay, of_runtime, of_watches, uid_of
from bench.tables import table
from seatrial.naming import RUN_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.api import Api

SPEAKERS = frozenset({"environment", "relay"})
"""The containers whose logs are followed."""


@dataclass(frozen=True)
class Timeline:
    """One run: its name, the time zero in seconds since the epoch, and its steps."""

    name: str
    zero: float
    steps: tuple[Step, ...]

    @property
    def seconds(self) -> float:
        """Until the verdict was visible."""
        return next(step.at for step in self.steps if step.what.startswith("watch: verdict"))


class _Logs:
    """Follows the logs that speak of a run, while it lasts."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._lines: dict[tuple[str, str], list[bytes]] = {}

    def lines(self, namespace: str, container: str) -> list[bytes]:
        return self._lines.get((namespace, container), [])

    def on_change(self, change: Change) -> None:
        if change.kind != "Pod" or RUN_UID_LABEL not in (change.item["metadata"].get("labels") or {}):
            return
        status = change.item.get("status", {})
        for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            name = container["name"]
            key = (f"{change.namespace}/{change.name}", name)
            if name in SPEAKERS and key not in self._tasks and "running" in container["state"]:
                self._tasks[key] = asyncio.create_task(self._follow(change.namespace, change.name, name))

    async def close(self) -> None:
        """Wait for the logs' ends; they end with their pods."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _follow(self, namespace: str, pod: str, container: str) -> None:
        async for line in self._api.follow_log(namespace, pod, container):
            self._lines.setdefault((namespace, container), []).append(line)


async def record(api: Api, services: Mapping[str, Any], suite: str) -> Timeline:
    """Make one run and put its steps in order. Raises TimeoutError, ApiError."""
    observer, runtime, logs = Observer(api), RuntimeEvents(), _Logs(api)
    observer.on_change.append(logs.on_change)
    await observer.start()
    await runtime.start()
    try:
        run = test_run(services, suite)
        sent = time.time()
        created = await api.create(run)
        zero = time.time()
        name, uid = created["metadata"]["name"], created["metadata"]["uid"]
        await observer.wait("the verdict", lambda change: change.name == name and is_finished(change.item))
        namespace = next(
            change.name for change in observer.changes if change.kind == "Namespace" and uid_of(change.item) == uid
        )
        await observer.wait(
            "the end of the namespace",
            lambda change: change.kind == "Namespace" and change.name == namespace and change.type == "DELETED",
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await logs.close()
    finally:
        await observer.stop()
        await runtime.stop()
    mine = [
        change
        for change in observer.changes
        if change.name == name or namespace in (change.name, change.namespace) or uid_of(change.item) == uid
    ]
    steps = [
        Step(sent, "bench: POST of the TestRun sent"),
        Step(zero, "bench: POST accepted (zero)"),
        *of_watches(mine, name, namespace),
        *of_runtime(mine, namespace, runtime),
        *of_environment(logs.lines(namespace, "environment")),
        *of_relay(logs.lines(namespace, "relay")),
    ]
    ordered = sorted(steps, key=lambda step: step.at)
    return Timeline(name, zero, tuple(Step(round(step.at - zero, 4), step.what) for step in ordered))


async def median_of(api: Api, services: Mapping[str, Any], suite: str, runs: int) -> Timeline:
    """Of so many runs, after one to warm up, that with the median time to the verdict."""
    lines = [await record(api, services, suite) for _ in range(runs + 1)][1:]
    return sorted(lines, key=lambda line: line.seconds)[len(lines) // 2]


def as_table(steps: Iterable[tuple[float, str]]) -> str:
    rows = []
    before = 0.0
    for at, what in steps:
        rows.append([f"{at:.3f}", f"{at - before:+.3f}", what])
        before = at
    return table(["seconds", "since the last", "step"], rows)
