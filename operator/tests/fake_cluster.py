"""A cluster in memory: the operator's Protocol on one side, and on the other a node that does what it is told.

It keeps objects, logs and every write, and can fail or kill the operator at any of them. What Kubernetes itself does is
not proven with it: that is what the end-to-end tests are for.
"""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.errors import AlreadyExistsError, ClusterError, ConflictError, ForbiddenError, NotFoundError
from seatrial.local.store import merge
from seatrial.naming import RUN_UID_LABEL, RunId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Object = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace, name."""

DEADLINE_SECONDS = 30


class Killed(BaseException):
    """The operator's process has died."""


@dataclass
class Pulse:
    """Wakes everybody who waits for something to change."""

    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def beat(self) -> None:
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        await future


@dataclass
class Log:
    """A container's log."""

    lines: list[bytes] = field(default_factory=list)
    told: int = 0
    """How many records are in it."""
    closed: bool = False
    is_stuck: bool = False
    """Whether whoever reads it waits for ever."""
    pulse: Pulse = field(default_factory=Pulse)

    def write(self, *lines: bytes) -> None:
        self.lines.extend(line.rstrip(b"\n") for line in lines)
        self.pulse.beat()

    def close(self) -> None:
        self.closed = True
        self.pulse.beat()

    async def follow(self) -> AsyncIterator[bytes]:
        read = 0
        while True:
            while read < len(self.lines) and not self.is_stuck:
                read += 1
                yield self.lines[read - 1]
            if self.closed:
                return
            await self.pulse.wait()


@dataclass(frozen=True)
class Write:
    """One request that changes something."""

    verb: str
    what: str

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


class FakeCluster:
    """The Protocol of `seatrial.cluster`, in memory."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.created: Counter[Key] = Counter()
        """How often an object came into being."""
        self.writes: list[Write] = []
        self.statuses: list[Object] = []
        """Every status as it was after a patch."""
        self.events: list[tuple[str, str]] = []
        """Reason and message."""
        self.own_events: list[tuple[str, str, bool]] = []
        """Namespace, reason, and whether it is a warning."""
        self.logs: dict[tuple[str, str, str], Log] = {}
        self.tails: dict[str, str] = {}
        """Pod -> the log of its container."""
        self.previous_tails: dict[str, str] = {}
        """Pod -> the log of the container before, if it was started anew."""
        self.refusals: dict[str, str] = {}
        self.stuck: set[str] = set()
        """Namespaces that stay though they are being deleted."""
        self.changed = Pulse()
        self.on_change: list[Callable[[], None]] = []
        self.before: Callable[[int, Write], None] = lambda *_: None
        """Asked before each write, with its number from 1: what it raises is the answer, and nothing is done."""
        self.after: Callable[[int, Write], None] = lambda *_: None
        """Asked after each write: what it raises is the answer, though it is done."""
        self.read_error: ClusterError | None = None
        self.hold: asyncio.Event | None = None
        """While it is not set, writes wait."""

    # --- For the tests -----------------------------------------------------------------------------------------

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait for a condition."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not condition():
                    with suppress(TimeoutError):  # not all that can be waited for is a change of the cluster
                        async with asyncio.timeout(0.02):
                            await self.changed.wait()
        except TimeoutError:
            last = self.statuses[-1] if self.statuses else None
            raise AssertionError(f"not within {DEADLINE_SECONDS} s: {what}; status: {last}") from None

    def touch(self) -> None:
        """Something has changed: tell the watches."""
        self.changed.beat()
        for callback in self.on_change:
            callback()

    def body(self, run: RunId) -> Object:
        """The TestRun as the API server has it."""
        return copy.deepcopy(self.objects["TestRun", run.namespace, run.name])

    def status(self, run: RunId) -> Object:
        status: Object = self.body(run)["status"]
        return status

    def of_kind(self, kind: str) -> list[Object]:
        return [item for key, item in self.objects.items() if key[0] == kind]

    def in_namespace(self, kind: str, namespace: str) -> list[Object]:
        return [item for key, item in self.objects.items() if key[:2] == (kind, namespace)]

    # --- World -------------------------------------------------------------------------------------------------

    def pods(self, uid: str) -> list[Object]:
        return [copy.deepcopy(item) for item in self.of_kind("Pod") if _uid(item) == uid]

    def jobs(self, uid: str) -> list[Object]:
        return [copy.deepcopy(item) for item in self.of_kind("Job") if _uid(item) == uid]

    def namespace(self, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get(("Namespace", "", name)))

    # --- Protocol ----------------------------------------------------------------------------------------------

    async def apply(self, item: Object) -> None:
        await self._write(Write("apply", _what(item)), lambda: self._put(item))

    async def create_once(self, item: Object) -> None:
        def create() -> None:
            there = self.objects.get(_key(item))
            if there is None:
                self._put(item)
            elif _uid(there) != _uid(item):
                raise AlreadyExistsError(f"{_what(item)} already exists", reason="AlreadyExists")

        await self._write(Write("create", _what(item)), create)

    async def read(self, kind: str, namespace: str, name: str) -> Object:
        await asyncio.sleep(0)
        if self.read_error is not None:
            raise self.read_error
        with suppress(KeyError):
            return copy.deepcopy(self.objects[kind, namespace, name])
        raise NotFoundError(f"{kind} {namespace}/{name} not found")

    async def delete_environment(self, namespace: str) -> None:
        def delete() -> None:
            for key in [key for key in self.objects if key[1] == namespace and key[0] == "Pod"]:
                self._remove(key)
            there = self.objects.get(("Namespace", "", namespace))
            if there is not None:
                there["metadata"]["deletionTimestamp"] = "2025-10-09T09:00:00Z"
                if namespace not in self.stuck:
                    self.finalize(namespace)

        await self._write(Write("delete", f"Namespace {namespace}"), delete)

    async def delete_suites(self, namespace: str) -> None:
        def delete() -> None:
            for kind, space, name in list(self.objects):
                labels = self.objects[kind, space, name]["metadata"].get("labels") or {}
                if space == namespace and kind in {"Job", "Pod"} and labels.get("seatrial.dev/component") == "suite":
                    self._remove((kind, space, name))

        await self._write(Write("delete", f"suites of {namespace}"), delete)

    async def read_run(self, run: RunId) -> Object:
        return await self.read("TestRun", run.namespace, run.name)

    async def touch_run(self, run: RunId) -> None:
        await self._write(Write("touch", str(run)), lambda: None)

    async def read_environment(self, namespace: str) -> tuple[Object | None, list[Object], list[Object]]:
        await asyncio.sleep(0)
        pods, jobs = ([copy.deepcopy(item) for item in self.in_namespace(kind, namespace)] for kind in ("Pod", "Job"))
        return copy.deepcopy(self.objects.get(("Namespace", "", namespace))), pods, jobs

    async def patch_status(self, run: RunId, patch: Object, version: str) -> str:
        def write() -> None:
            body = self.objects.get(("TestRun", run.namespace, run.name))
            if body is None:
                raise NotFoundError(f"TestRun {run} not found")
            metadata = body["metadata"]
            if metadata["uid"] != run.uid or metadata["resourceVersion"] != version:
                raise ConflictError(f"TestRun {run} has changed", reason="Conflict")
            body["status"] = merge(body.get("status") or {}, copy.deepcopy(patch))
            metadata["resourceVersion"] = str(int(version) + 1)
            self.statuses.append(copy.deepcopy(body["status"]))

        await self._write(Write("patch", f"status of {run}"), write)
        return str(int(version) + 1)

    async def list_slices(self, run: RunId) -> list[Object]:
        await asyncio.sleep(0)
        return [copy.deepcopy(item) for item in self.of_kind("TestResultSlice") if _uid(item) == run.uid]

    async def list_refusals(self, namespace: str) -> dict[str, str]:
        del namespace
        await asyncio.sleep(0)
        return dict(self.refusals)

    async def record_event(self, run: RunId, *, warning: bool, reason: str, message: str, at: str) -> None:
        del warning, at
        await self._write(Write("event", f"{reason} of {run}"), lambda: self.events.append((reason, message)))

    async def record_own_event(
        self, namespace: str, name: str, *, warning: bool, reason: str, message: str, at: str
    ) -> None:
        del name, message, at
        told = (namespace, reason, warning)
        await self._write(Write("event", f"{reason} in {namespace}"), lambda: self.own_events.append(told))

    async def list_environments(self) -> list[Object]:
        await asyncio.sleep(0)
        return [copy.deepcopy(item) for item in self.of_kind("Namespace") if _uid(item) is not None]

    async def list_unfinished_runs(self) -> list[Object]:
        await asyncio.sleep(0)
        return [copy.deepcopy(item) for item in self.of_kind("TestRun")]

    async def list_run_uids(self) -> set[str]:
        await asyncio.sleep(0)
        return {item["metadata"]["uid"] for item in self.of_kind("TestRun")}

    async def follow_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        log = self.logs.get((namespace, pod, container))
        if log is None:
            raise NotFoundError(f"log of {namespace}/{pod} not found")
        async for line in log.follow():
            yield line

    async def read_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        log = self.logs.get((namespace, pod, container))
        if log is None:
            raise NotFoundError(f"log of {namespace}/{pod} not found")
        if log.is_stuck:
            await asyncio.Event().wait()
        for line in tuple(log.lines):
            yield line

    async def tail_log(self, namespace: str, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        del namespace, container, lines
        await asyncio.sleep(0)
        tails = self.previous_tails if previous else self.tails
        if pod not in tails:
            raise NotFoundError(f"log of {pod} not found")
        return tails[pod]

    # --- Inside ------------------------------------------------------------------------------------------------

    async def _write(self, write: Write, commit: Callable[[], None]) -> None:
        await asyncio.sleep(0)
        self.writes.append(write)
        number = len(self.writes)
        self.changed.beat()
        if self.hold is not None:
            await self.hold.wait()
        self.before(number, write)
        commit()
        self.touch()
        self.after(number, write)
        await asyncio.sleep(0)

    def _put(self, item: Object) -> None:
        key = _key(item)
        namespace = key[1]
        space = self.objects.get(("Namespace", "", namespace))
        if namespace.startswith("seatrial-"):
            if space is None:
                raise NotFoundError(f"namespaces {namespace!r} not found")
            if "deletionTimestamp" in space["metadata"]:
                raise ForbiddenError(f"{namespace} is being terminated", reason="NamespaceTerminating")
        there = self.objects.get(key)
        if there is None:
            self.created[key] += 1
        self.objects[key] = (there or {}) | copy.deepcopy(item)

    def finalize(self, namespace: str) -> None:
        """All that was in a namespace is gone, and so is the namespace."""
        for key in [key for key in self.objects if key[1] == namespace]:
            self._remove(key)
        self.objects.pop(("Namespace", "", namespace), None)
        self.touch()

    def _remove(self, key: Key) -> None:
        del self.objects[key]
        for log in [log for log in self.logs if key[0] == "Pod" and log[:2] == key[1:]]:
            self.logs.pop(log).close()


def _key(item: Object) -> Key:
    return item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _what(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def _uid(item: Object) -> str | None:
    return (item["metadata"].get("labels") or {}).get(RUN_UID_LABEL)
