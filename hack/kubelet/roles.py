"""What the pods of a run say and when: services that run, an environment that opens the gate, suites that report."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.lines import BATCH_RECORDS, encode
from seatrial.naming import ENVIRONMENT, RELAY_CONTAINER, SUITE_CONTAINER
from seatrial.records import Attempt, Collected, End, Finish, Gate, Record, Start, dump_object, dump_record

if TYPE_CHECKING:
    from hack.kubelet.client import Api, Object
    from hack.kubelet.pods import Pod

FLOOD = b"x" * 15_000


@dataclass
class Scene:
    """What the pods of one namespace know of each other."""

    ready: dict[tuple[str, str], asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    """By component and name."""
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the gate has opened, or never will."""
    refusal: str | None = None
    """Why it never will."""
    pods: int = 0


async def play(pod: Pod, scene: Scene, api: Api) -> None:
    """Everything that a pod does, from being bound to its end."""
    script = pod.script
    if script.pending:
        return
    if script.start_seconds:
        await asyncio.sleep(script.start_seconds)
    if script.waiting:
        await pod.wait_with(script.waiting.reason, script.waiting.message)
        return
    junit = pod.component == "suite" and pod.variable(RELAY_CONTAINER, "SEATRIAL_JUNIT") is not None
    if junit:
        await scene.decided.wait()  # the gate is an init container
    await pod.start()
    scene.ready[pod.component, pod.role].set()
    if script.exit:
        await asyncio.sleep(script.exit.seconds)
        scene.ready[pod.component, pod.role].clear()
        await pod.end(pod.main, script.exit.code, script.exit.reason, script.exit.message)
    elif pod.component == ENVIRONMENT:
        await _environment(pod, scene, api)
    elif pod.component == "suite":
        await _suite(pod, scene, junit=junit)


async def _environment(pod: Pod, scene: Scene, api: Api) -> None:
    path = f"/api/v1/namespaces/{pod.namespace}/configmaps/{ENVIRONMENT}"
    wanted: Object = json.loads((await api.call("GET", path))["data"]["environment.json"])
    begun = time.time()

    def say(event: str, **more: Any) -> None:
        pod.say(ENVIRONMENT, dump_object({"t": event, "at": time.time(), **more}))

    async def wait_for(kind: str, name: str) -> None:
        await scene.ready[kind, name].wait()
        say("ready", kind=kind, name=name, seconds=time.time() - begun)

    say("started", version="stand-in")
    if failed := pod.script.failed:
        say("failed", **failed.model_dump())
        scene.refusal = failed.message
        scene.decided.set()
        return
    for service in wanted.get("services") or ():
        await wait_for("service", service["name"])
        say("seeded", name=service["name"])
    say("servicesReady")
    for item in wanted.get("applications") or ():
        await wait_for("application", item["name"])
    say("open")
    scene.decided.set()


class _Relay:
    """Numbers records, and says them in the lines of the relay."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._next = 1
        self._pending: list[bytes] = []

    async def say(self, record: Record) -> None:
        if self._pod.held:
            self.flush()
            await self._pod.going()
        if self._next in self._pod.script.lost_records:
            self.flush()
            self._next += 1
            return
        self._pending.append(dump_record(record))
        self._next += 1
        if len(self._pending) == BATCH_RECORDS:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            self._pod.say(RELAY_CONTAINER, encode(self._next - len(self._pending), self._pending).rstrip(b"\n"))
            self._pending = []


async def _suite(pod: Pod, scene: Scene, *, junit: bool) -> None:
    script, relay, begun = pod.script, _Relay(pod), time.time()
    pod.say(RELAY_CONTAINER, *[FLOOD] * script.flood_lines)
    if not junit:
        await relay.say(Start(begun, "3.12", 7))
        relay.flush()
        await scene.decided.wait()
    if scene.refusal is not None:
        await relay.say(End(time.time(), reason="EnvironmentFailed", message=scene.refusal))
        relay.flush()
        await pod.end(SUITE_CONTAINER, 69)
        return
    if not junit:
        await relay.say(Gate(time.time(), time.time() - begun))
    ids = _test_ids(pod)
    await relay.say(_collected(pod, len(ids)))
    for number, test in enumerate(ids):
        if number in {script.exit_after, script.hang_after}:
            break
        if script.seconds:
            relay.flush()
            await asyncio.sleep(script.seconds)
        await relay.say(_attempt(test, failed=number in script.fail, seconds=script.seconds))
    relay.flush()
    if script.hang or script.hang_after is not None:
        return
    if script.exit_after is None and not script.oom:
        await relay.say(Finish(time.time(), None if junit else script.status, len(ids)))
        if not junit:
            await relay.say(End(time.time(), script.status))
        relay.flush()
    if script.oom:
        await pod.end(SUITE_CONTAINER, 137, "OOMKilled")
    else:
        await pod.end(SUITE_CONTAINER, script.status)


def _test_ids(pod: Pod) -> list[str]:
    """The ids of a shard's tests; the shards take turns."""
    return [f"test_stand_in.py::test_{number}" for number in range(pod.shard, _total(pod), _shards(pod))]


def _collected(pod: Pod, tests: int) -> Collected:
    ids = sorted(f"test_stand_in.py::test_{number}" for number in range(_total(pod)))
    return Collected(time.time(), tests, len(ids), hashlib.sha256("\n".join(ids).encode()).hexdigest(), "stand-in")


def _attempt(test: str, *, failed: bool, seconds: float) -> Attempt:
    at = time.time() - seconds
    if failed:
        text = "def test():\n>       assert 1 == 2\nE       assert 1 == 2"
        return Attempt(test, "failed", 1, seconds, at, "assert 1 == 2", "test_stand_in.py:2", text)
    return Attempt(test, "passed", 1, seconds, at)


def _shards(pod: Pod) -> int:
    return int(pod.variable(SUITE_CONTAINER, "SEATRIAL_SHARDS") or 1)


def _total(pod: Pod) -> int:
    return pod.script.tests * _shards(pod)
