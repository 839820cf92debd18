"""Many TestRuns at once: applied, watched to their verdicts and their clean-up, and deleted again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hack.kubelet.client import ApiError
from seatrial.naming import RUN_UID_LABEL

if TYPE_CHECKING:
    from hack.kubelet.client import Api, Object

GROUP = "/apis/seatrial.dev/v1alpha1"
NAMESPACES = "/api/v1/namespaces"
LABEL = "seatrial.dev/bench"
AT_ONCE = 20
"""Requests of ours: fewer than the operator's, so that applying does not crowd it out."""


@dataclass(frozen=True)
class Load:
    """What is applied."""

    name: str
    runs: dict[str, int]
    """How many, by a word for the namespace; applied in this order."""
    services: tuple[str, ...] = ("redis",)
    tests: int = 10
    test_seconds: float = 0.0
    max_active: int = 16
    shards: tuple[tuple[str, ...], ...] = ((),)
    """The namespaces of each operator, by the same words; none means all."""

    @property
    def total(self) -> int:
        return sum(self.runs.values())


@dataclass
class Seen:
    """What a watcher saw of one run, in seconds since the first was applied."""

    namespace: str
    applied: float = 0.0
    started: float | None = None
    finished: float | None = None
    cleaned: float | None = None
    phase: str = ""
    message: str = ""
    test_run: dict[str, Any] = field(default_factory=dict)

    @property
    def started_at(self) -> float:
        """By the operator's clock."""
        return datetime.fromisoformat(self.test_run["status"]["timings"]["started"]).timestamp()

    @property
    def active_seconds(self) -> float:
        """From start to verdict, by the operator's clock."""
        return datetime.fromisoformat(self.test_run["status"]["timings"]["finished"]).timestamp() - self.started_at


class Driver:
    """Applies a load and watches what becomes of it."""

    def __init__(self, api: Api, watches: Api, load: Load) -> None:
        self.runs: dict[str, Seen] = {}
        """By `namespace/name`."""
        self.environments: dict[str, bool] = {}
        """Namespaces of runs -> whether they are being deleted."""
        self.most_terminating = 0
        self.id = uuid.uuid4().hex[:6]
        self._api = api
        self._watches = watches
        self._load = load
        self._began = 0.0
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def namespace(self, word: str) -> str:
        return f"bench-{self.id}-{word}"

    async def prepare(self) -> None:
        """Create the namespaces, and begin to watch."""
        for word in self._load.runs:
            labels = {LABEL: self.id}
            await self._api.call("POST", NAMESPACES, {"metadata": {"name": self.namespace(word), "labels": labels}})
        self._tasks = [asyncio.create_task(self._watch_runs()), asyncio.create_task(self._watch_environments())]

    async def apply(self) -> float:
        """Apply everything at once, oldest namespace first. Returns how long that took."""
        self._began = time.monotonic()
        limit = asyncio.Semaphore(AT_ONCE)

        async def create(word: str, number: int) -> None:
            async with limit:
                body = self._test_run(word, number)
                self.runs[f"{self.namespace(word)}/{body['metadata']['name']}"] = Seen(word, self._now())
                await self._api.call("POST", f"{GROUP}/namespaces/{self.namespace(word)}/testruns", body)

        await asyncio.gather(
            *(create(word, number) for word, count in self._load.runs.items() for number in range(count))
        )
        return self._now()

    async def until(self, state: str, seconds: float) -> None:
        """Wait until each run is `finished` or `cleaned`. Raises TimeoutError that says how far they are."""
        try:
            async with asyncio.timeout(seconds):
                while any(getattr(run, state) is None for run in self.runs.values()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"not all runs are {state} after {seconds:g} s: {self.counts()}") from None

    async def close(self) -> list[str]:
        """Delete what was applied. Returns what is left of it, which should be nothing."""
        for word in self._load.runs:
            await self._api.call("DELETE", f"{GROUP}/namespaces/{self.namespace(word)}/testruns")
        await self._gone(f"{GROUP}/testruns", {"labelSelector": f"{LABEL}={self.id}"})
        left = await self._gone(NAMESPACES, {"labelSelector": RUN_UID_LABEL})
        for word in self._load.runs:
            await self._api.call("DELETE", f"{NAMESPACES}/{self.namespace(word)}")
        left += await self._gone(NAMESPACES, {"labelSelector": f"{LABEL}={self.id}"})
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return left

    async def _gone(self, path: str, query: dict[str, str], seconds: float = 120) -> list[str]:
        """Wait until a list is empty. Returns the names of what is left."""
        there: set[str] = set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for kind, item in self._watches.watch(path, query):
                    names = {each["metadata"]["name"] for each in (item if kind == "LISTED" else [item])}
                    there = names if kind == "LISTED" else there - names if kind == "DELETED" else there | names
                    if not there:
                        break
        return sorted(there)

    def counts(self) -> dict[str, int]:
        """Runs and environments by state."""
        runs = self.runs.values()
        return {
            "queued": sum(run.started is None and run.finished is None for run in runs),
            "active": sum(run.started is not None and run.finished is None for run in runs),
            "finished": sum(run.finished is not None for run in runs),
            "cleaned": sum(run.cleaned is not None for run in runs),
            "environments": len(self.environments),
            "terminating": sum(self.environments.values()),
        }

    def _now(self) -> float:
        return time.monotonic() - self._began

    async def _watch_runs(self) -> None:
        async for kind, item in self._watches.watch(f"{GROUP}/testruns", {"labelSelector": f"{LABEL}={self.id}"}):
            for run in item if kind == "LISTED" else [item]:
                self._see(run)
            self._changed.set()

    def _see(self, body: Object) -> None:
        metadata, status = body["metadata"], body.get("status") or {}
        run = self.runs.get(f"{metadata['namespace']}/{metadata['name']}")
        if run is None or "deletionTimestamp" in metadata:
            return
        true = {item["type"] for item in status.get("conditions") or () if item["status"] == "True"}
        if run.started is None and (status.get("timings") or {}).get("started"):
            run.started = self._now()
        if run.finished is None and "Finished" in true:
            run.finished = self._now()
            run.phase, run.message, run.test_run = status["phase"], status.get("message", ""), body
        if run.cleaned is None and "EnvironmentCleaned" in true:
            run.cleaned = self._now()

    async def _watch_environments(self) -> None:
        async for kind, item in self._watches.watch(NAMESPACES, {"labelSelector": RUN_UID_LABEL}):
            if kind == "LISTED":
                self.environments.clear()
            for each in item if kind == "LISTED" else [item]:
                metadata = each["metadata"]
                if kind == "DELETED":
                    self.environments.pop(metadata["name"], None)
                else:
                    self.environments[metadata["name"]] = "deletionTimestamp" in metadata
            self.most_terminating = max(self.most_terminating, sum(self.environments.values()))

    def _test_run(self, word: str, number: int) -> Object:
        script = {"tests": self._load.tests, "seconds": self._load.test_seconds}
        return {
            "apiVersion": "seatrial.dev/v1alpha1",
            "kind": "TestRun",
            "metadata": {"name": f"{word}-{number:04}", "labels": {LABEL: self.id}},
            "spec": {
                "services": {name: {} for name in self._load.services},
                "suites": [{"name": "core", "env": [{"name": "STANDIN", "value": json.dumps(script)}]}],
            },
        }


async def api_server_writes(api: Api) -> dict[str, float]:
    """Writes that the API server has counted since its start, of all clients, by `verb resource`."""
    totals: dict[str, float] = {}
    with contextlib.suppress(ApiError):
        for line in (await api.text("/metrics", {})).splitlines():
            if line.startswith("apiserver_request_total{"):
                labels, _, value = line.rpartition(" ")
                found = dict(part.split("=", 1) for part in labels[labels.index("{") + 1 : -1].split(","))
                verb = found["verb"].strip('"')
                if verb in {"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}:
                    what = found["resource"].strip('"')
                    if found["subresource"] != '""':
                        what += "/" + found["subresource"].strip('"')
                    totals[f"{verb} {what}"] = totals.get(f"{verb} {what}", 0.0) + float(value)
    return totals
