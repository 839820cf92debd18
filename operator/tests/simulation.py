"""Whole runs against a cluster in memory: a node that starts what it is given, and an operator that can be killed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.lines import encode
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, RUN_UID_LABEL, RunId
from seatrial.reconcile import Run, Tools, adopt
from seatrial.records import End, Record, dump_record
from seatrial.slots import Slots
from seatrial.status import timestamp
from tests.builders import (
    INPOD_FILES,
    RUN,
    SETTINGS,
    T0,
    body_of,
    ended,
    event_line,
    passed,
    pod_object,
    running,
    whole,
)
from tests.fake_cluster import FakeCluster, Log

if TYPE_CHECKING:
    from seatrial.settings import Settings

Object = dict[str, Any]


@dataclass
class Clock:
    """Stands still unless a test advances it."""

    now: float = T0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@dataclass
class Node:
    """Starts every pod at once. What the containers say is up to the test."""

    cluster: FakeCluster
    records: dict[tuple[str, int], list[Record]] = field(default_factory=dict)
    """What a shard tells; a suite that is not here passes with one test."""
    told: dict[tuple[str, int], int] = field(default_factory=dict)
    """How many of its records a shard may tell; all, when it is not here."""
    environment: list[bytes] | None = None
    """The environment pod's lines, in the place of a healthy course."""
    idle: bool = False
    """Start nothing."""
    without: set[str] = field(default_factory=set)
    """Kinds whose pods are not started."""
    _open: set[str] = field(default_factory=set)
    _started: set[tuple[str, str]] = field(default_factory=set)
    """Namespace and name of the pods that were started."""
    _busy: bool = False
    _again: bool = False

    def __post_init__(self) -> None:
        self.cluster.on_change.append(self.react)

    def react(self) -> None:
        """Do what there is to do, until there is nothing left."""
        self._again = True
        while self._again and not self._busy and not self.idle:
            self._busy, self._again = True, False
            self._react()
            self._busy = False

    def _react(self) -> None:
        for item in self.cluster.of_kind("Job"):
            self._start_suite(item)
        for item in self.cluster.of_kind("Deployment"):
            if "Deployment" not in self.without:
                self._start_pod(item, "application")
        for item in self.cluster.of_kind("Pod"):
            if "status" not in item:
                self._start_pod(item, item["metadata"]["labels"][COMPONENT_LABEL])
        for key, log in list(self.cluster.logs.items()):
            if key[1:] == ("environment", "environment"):
                self._tell_environment(key[0], log)
        for (namespace, pod, container), log in list(self.cluster.logs.items()):
            if container == "relay" and namespace in self._open:
                self._tell_records(namespace, pod, log)

    def _start_pod(self, item: Object, component: str) -> None:
        metadata = item["metadata"]
        name, namespace, role = metadata["name"], metadata["namespace"], metadata["labels"][NAME_LABEL]
        self._run_pod(namespace, metadata, pod_object(component, role, running(name)))
        if component == "environment":
            self.cluster.logs.setdefault((namespace, name, name), Log())

    def _start_suite(self, job: Object) -> None:
        metadata = job["metadata"]
        namespace, suite = metadata["namespace"], metadata["labels"][NAME_LABEL]
        metadata.setdefault("creationTimestamp", timestamp(T0))
        for shard in range(job["spec"]["completions"]):
            pod = pod_object("suite", suite, running("suite"), running("relay"), shard=shard)
            name = pod["metadata"]["name"]
            if (namespace, name) not in self._started:
                self._run_pod(namespace, metadata, pod)
                self.cluster.logs[namespace, name, "relay"] = Log()

    def _run_pod(self, namespace: str, owner: Object, pod: Object) -> None:
        name = pod["metadata"]["name"]
        if (namespace, name) in self._started:
            return
        self._started.add((namespace, name))
        uid = owner["labels"][RUN_UID_LABEL]
        pod["metadata"] |= {"namespace": namespace, "uid": f"{namespace}/{name}"}
        pod["metadata"]["labels"][RUN_UID_LABEL] = uid
        self.cluster.objects["Pod", namespace, name] = pod
        self.cluster.touch()

    def _tell_environment(self, namespace: str, log: Log) -> None:
        lines = self._course(namespace) if self.environment is None else self.environment
        if len(log.lines) < len(lines):
            log.write(*lines[len(log.lines) :])
            self.cluster.changed.beat()
        if any(b'"open"' in line for line in log.lines) and namespace not in self._open:
            self._open.add(namespace)
            self._again = True

    def _course(self, namespace: str) -> list[bytes]:
        """What a healthy environment has said so far."""
        lines = [event_line("started", T0 + 1)]
        services, applications = (self._names(namespace, component) for component in ("service", "application"))
        wanted = self._spec(namespace)
        if len(services) < len(wanted.get("services") or ()):
            return lines
        for name in services:
            lines.append(event_line("ready", T0 + 2, kind="service", name=name, seconds=1.0))
            lines.append(event_line("seeded", T0 + 2, name=name))
        lines.append(event_line("servicesReady", T0 + 2))
        if len(applications) < len(wanted.get("applications") or ()):
            return lines
        lines += [event_line("ready", T0 + 3, kind="application", name=name, seconds=2.0) for name in applications]
        return [*lines, event_line("open", T0 + 3)]

    def _spec(self, namespace: str) -> Object:
        uid = self.cluster.objects["Namespace", "", namespace]["metadata"]["labels"][RUN_UID_LABEL]
        return next((item["spec"] for item in self.cluster.of_kind("TestRun") if item["metadata"]["uid"] == uid), {})

    def _names(self, namespace: str, component: str) -> list[str]:
        return [
            item["metadata"]["name"]
            for item in self.cluster.of_kind("Pod")
            if item["metadata"]["namespace"] == namespace and item["metadata"]["labels"][COMPONENT_LABEL] == component
        ]

    def _tell_records(self, namespace: str, name: str, log: Log) -> None:
        pod = self.cluster.objects.get(("Pod", namespace, name))
        if pod is None or log.closed:
            return
        labels = pod["metadata"]["labels"]
        key = (labels[NAME_LABEL], int(labels["batch.kubernetes.io/job-completion-index"]))
        records = self.records.get(key) or whole(passed(f"test_{key[0]}"))
        may_tell = records[: self.told.get(key, len(records))]
        for number in range(log.told, len(may_tell)):
            log.write(encode(number + 1, [dump_record(may_tell[number])]))
            log.told = number + 1
        if may_tell and isinstance(may_tell[-1], End) and len(may_tell) == len(records):
            self.end_pod(namespace, name, may_tell[-1].rc or 0)

    def end_pod(self, namespace: str, name: str, code: int, reason: str = "") -> None:
        """A suite's pod ends."""
        pod = self.cluster.objects["Pod", namespace, name]
        pod["status"] |= {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [ended("suite", code, reason)],
            "initContainerStatuses": [ended("relay", 0)],
        }
        self.cluster.logs[namespace, name, "relay"].close()
        self.cluster.touch()

    def tell(self, suite: str, number: int, shard: int = 0) -> None:
        """Let a shard tell so many of its records."""
        self.told[suite, shard] = number
        self.react()


class Simulation:
    """An operator, a node, and the TestRuns that they share."""

    def __init__(self, clock: Clock, settings: Settings = SETTINGS) -> None:
        self.clock = clock
        self.settings = settings
        self.cluster = FakeCluster()
        self.node = Node(self.cluster)
        self.runs: dict[RunId, Run] = {}
        self.tasks: dict[RunId, asyncio.Task[None]] = {}
        self.cluster.on_change.append(self.wake)
        self._tools = self._new_tools()

    def _new_tools(self) -> Tools:
        slots = Slots(self.settings.max_active_runs)
        for body in self.cluster.of_kind("TestRun"):
            adopt(body, slots)
        return Tools(self.cluster, self.settings, self.cluster, slots, INPOD_FILES)

    def wake(self) -> None:
        for run in self.runs.values():
            run.wake.set()

    def add(self, spec: Object | None = None, run: RunId = RUN, **metadata: Any) -> RunId:
        """Create a TestRun; nobody has seen it yet."""
        self.cluster.objects["TestRun", run.namespace, run.name] = body_of(spec, run, **metadata)
        return run

    def change(self, run: RunId, **spec: Any) -> None:
        """Somebody edits the spec."""
        body = self.cluster.objects["TestRun", run.namespace, run.name]
        body["spec"] = body["spec"] | spec
        body["metadata"]["generation"] += 1
        body["metadata"]["resourceVersion"] = str(int(body["metadata"]["resourceVersion"]) + 1)
        self.cluster.touch()

    def start(self, run: RunId = RUN) -> Run:
        """Start a run's daemon."""
        daemon = Run(self.cluster.body(run), self._tools)
        self.runs[run] = daemon
        self.tasks[run] = asyncio.create_task(daemon.run(lambda: self.cluster.body(run)))
        self.tasks[run].add_done_callback(lambda _: self.cluster.changed.beat())
        return daemon

    async def stop(self) -> None:
        """The operator's process ends, without a word to anybody."""
        tasks, self.tasks, self.runs = list(self.tasks.values()), {}, {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tools = self._new_tools()

    def advance(self, seconds: float) -> None:
        self.clock.now += seconds
        self.wake()

    async def until(self, phase: str, run: RunId = RUN) -> Object:
        """Wait for a phase; returns the status."""
        await self.cluster.until(lambda: self.cluster.status(run).get("phase") == phase, f"phase {phase} of {run}")
        return self.cluster.status(run)

    async def until_over(self, run: RunId = RUN) -> Object:
        """Wait until a run's daemon has nothing left to do; returns the status."""
        await self.cluster.until(self.tasks[run].done, f"the end of {run}")
        self.tasks[run].result()
        return self.cluster.status(run)

    def condition(self, kind: str, run: RunId = RUN) -> Object:
        conditions = self.cluster.status(run).get("conditions") or ()
        return next((item for item in conditions if item["type"] == kind), {})
