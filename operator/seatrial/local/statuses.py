"""The status of a pod, out of the states of its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Object = dict[str, Any]


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, "message": message}}


def running() -> Object:
    return {"running": {}}


def terminated(code: int, reason: str = "", message: str = "") -> Object:
    return {
        "terminated": {"exitCode": code, "reason": reason or ("Error" if code else "Completed"), "message": message}
    }


def status_of(init: Sequence[Object], containers: Sequence[Object], states: Mapping[str, Object]) -> Object:
    """Phase, conditions and container statuses, as the kubelet writes them."""
    main = [states[item["name"]] for item in containers]
    ready = all("running" in state for state in main)
    return {
        "phase": _phase(init, containers, states),
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "True" if ready else "False"},
        ],
        "initContainerStatuses": [_container(item, states) for item in init],
        "containerStatuses": [_container(item, states) for item in containers],
    }


def _phase(init: Sequence[Object], containers: Sequence[Object], states: Mapping[str, Object]) -> str:
    once = [states[item["name"]] for item in init if item.get("restartPolicy") != "Always"]
    if any((state.get("terminated") or {}).get("exitCode") for state in once):
        return "Failed"
    main = [states[item["name"]] for item in containers]
    if all("terminated" in state for state in main):
        if any("running" in states[item["name"]] for item in init):
            return "Running"
        return "Failed" if any(state["terminated"]["exitCode"] for state in main) else "Succeeded"
    return "Running" if any("waiting" not in state for state in states.values()) else "Pending"


def _container(item: Object, states: Mapping[str, Object]) -> Object:
    state = states[item["name"]]
    return {
        "name": item["name"],
        "image": item["image"],
        "ready": "running" in state,
        "restartCount": 0,
        "state": state,
    }
