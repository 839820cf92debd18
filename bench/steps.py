"""The steps of a run that can be seen from outside of the operator, out of what was observed."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bench.cases import is_finished
from seatrial.naming import COMPONENT_LABEL, RUN_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.api import Object
    from bench.observer import Change
    from bench.runtime_events import RuntimeEvents

CHILDREN = frozenset(
    {
        *("Pod", "Service", "ConfigMap", "Secret", "ServiceAccount", "ResourceQuota", "LimitRange"),
        *("NetworkPolicy", "Job"),
    }
)


@dataclass(frozen=True)
class Step:
    """One row of the timeline."""

    at: float
    what: str


def uid_of(item: Object) -> str:
    return str((item["metadata"].get("labels") or {}).get(RUN_UID_LABEL, ""))


def of_watches(changes: list[Change], name: str, namespace: str) -> Iterator[Step]:
    """Objects as they appear; children of one kind in one row each, pods in several."""
    writes = 0
    children = [change for change in changes if change.type == "ADDED" and change.kind in CHILDREN]
    ours = [change for change in children if uid_of(change.item)]
    last = max((change.at for change in ours if change.kind != "Pod" or _component(change.item) != "suite"), default=0)
    yield Step(last, f"watch: all children created ({len(ours)} with the suite's pods)")
    seen: set[tuple[str, str]] = set()
    for change in changes:
        item = change.item
        if change.kind == "TestRun" and change.name == name:
            if change.type == "MODIFIED":
                writes += 1
                yield Step(change.at, _describe_write(item, writes))
        elif change.kind == "Namespace" and change.name == namespace:
            state = "Terminating" if "deletionTimestamp" in item["metadata"] else "there"
            if ("namespace", change.type + state) not in seen:
                seen.add(("namespace", change.type + state))
                yield Step(change.at, f"watch: namespace {'gone' if change.type == 'DELETED' else state}")
        elif change.type == "ADDED" and change.kind in {"Pod", "Job", "Secret"}:
            yield Step(change.at, f"watch: {change.kind} {change.name} created")
        elif change.kind == "Pod" and change.type == "DELETED":
            yield Step(change.at, f"watch: Pod {change.name} gone")
        if change.kind == "Pod" and item["spec"].get("nodeName") and (change.name, "node") not in seen:
            seen.add((change.name, "node"))
            yield Step(change.at, f"watch: Pod {change.name} scheduled")
        if change.kind == "Pod":
            for container in _running(item):
                if (change.name, container) not in seen:
                    seen.add((change.name, container))
                    yield Step(change.at, f"watch: Pod {change.name}, container {container} reported running")


def _component(item: Object) -> str:
    return str((item["metadata"].get("labels") or {}).get(COMPONENT_LABEL, ""))


def _running(item: Object) -> list[str]:
    status = item.get("status", {})
    statuses = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    return [entry["name"] for entry in statuses if "running" in entry["state"]]


def _describe_write(item: Object, number: int) -> str:
    status = item.get("status", {})
    if is_finished(item):
        cleaned = any(
            entry["type"] == "EnvironmentCleaned" and entry["status"] == "True" for entry in status["conditions"]
        )
        what = "environment cleaned" if cleaned else "verdict"
    else:
        what = "change"
    phase = status.get("phase", "no status yet")
    return f"watch: {what} seen in the TestRun (version {number}: {phase}, {status.get('passed', '')})"


def of_runtime(changes: list[Change], namespace: str, runtime: RuntimeEvents) -> Iterator[Step]:
    names: dict[str, str] = {}
    for change in changes:
        if change.kind == "Pod":
            status = change.item.get("status", {})
            for entry in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
                if container := str(entry.get("containerID", "")).partition("://")[2]:
                    names[container] = f"{change.name}, container {entry['name']}"
    names |= {key: f"{pod}, sandbox" for key, (where, pod) in runtime.sandboxes.items() if where == namespace}
    for what, times in (("created", runtime.created), ("started", runtime.started), ("ended", runtime.ended)):
        for key, at in times.items():
            if key in names:
                yield Step(at, f"runtime: Pod {names[key]} {what}")


def of_environment(lines: Iterable[bytes]) -> Iterator[Step]:
    for line in lines:
        printed, _, text = line.decode().partition(" ")
        event = json.loads(text)
        if event["t"] == "waiting":
            continue
        about = " ".join(str(event[key]) for key in ("kind", "name", "seconds") if key in event)
        yield Step(event["at"], f"environment: {event['t']} {about}".rstrip())
        if event["t"] == "open":
            yield Step(_timestamp(printed), "environment: the event `open` in the log of the runtime")


def of_relay(lines: Iterable[bytes]) -> Iterator[Step]:
    """Steps of the suite's pod, out of the relay's records; they are decoded here by the contract alone."""
    last_test = 0.0
    tests = 0
    for line in lines:
        printed, _, text = line.decode().partition(" ")
        mark, *parts = text.split(" ")
        if mark != "S1" or len(parts) != 3:  # noqa: PLR2004  (number, count, data)
            continue
        for raw in zlib.decompress(base64.b64decode(parts[2])).splitlines():
            members = json.loads(raw)
            kind = members["t"]
            if kind == "test":
                tests += 1
                if tests == 1:
                    yield Step(members["at"], "suite: first test begins")
                last_test = max(last_test, members["at"] + members["d"])
            elif "at" in members:
                if kind == "finish":
                    yield Step(last_test, f"suite: last test of {tests} ends")
                yield Step(members["at"], f"suite: record {kind}")
            if kind == "end":
                yield Step(_timestamp(printed), "relay: record end in the log of the runtime")


def _timestamp(text: str) -> float:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
