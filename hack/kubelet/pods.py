"""A pod whose containers do not exist: their states, and the status that follows from them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hack.kubelet.client import MERGE, ApiError
from hack.kubelet.logs import Log
from hack.kubelet.nodes import now
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, SHARD_LABEL, SUITE_CONTAINER

if TYPE_CHECKING:
    from hack.kubelet.client import Api, Object
    from hack.kubelet.script import Script

CREATING = {"waiting": {"reason": "ContainerCreating"}}


class Pod:
    """One pod. Its methods may be called at any moment; statuses are written in order."""

    def __init__(self, body: Object, api: Api, script: Script, address: str) -> None:
        metadata, spec = body["metadata"], body["spec"]
        labels: dict[str, str] = metadata.get("labels") or {}
        self.namespace: str = metadata["namespace"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.component = labels.get(COMPONENT_LABEL, "")
        self.role = labels.get(NAME_LABEL, "")
        self.shard = int(labels.get(SHARD_LABEL, "0"))
        self.body = body
        self.script = script
        self.containers: list[Object] = spec["containers"]
        self.init: list[Object] = spec.get("initContainers") or []
        self.sidecars = {item["name"] for item in self.init if item.get("restartPolicy") == "Always"}
        self.logs: dict[str, Log] = {}
        """By container; there is none before the container has started."""
        self.previous: dict[str, Log] = {}
        """Of containers that were started again."""
        self.deleted = False
        self._restarts = spec.get("restartPolicy", "Always") == "Always"
        self._api = api
        self._address = address
        self._started_at = now()
        self._states: dict[str, Object] = {item["name"]: CREATING for item in (*self.init, *self.containers)}
        self._last: dict[str, Object] = {}
        self._count = dict.fromkeys(self._states, 0)
        self._writing = asyncio.Lock()
        self._going = asyncio.Event()
        self._going.set()

    @property
    def main(self) -> str:
        """The container that the pod is there for."""
        wanted = SUITE_CONTAINER if self.component == "suite" else self.role
        names = [str(item["name"]) for item in self.containers]
        return wanted if wanted in names else names[0]

    @property
    def phase(self) -> str:
        states = [self._states[item["name"]] for item in self.containers]
        if all("terminated" in state for state in states):
            if any("terminated" not in self._states[name] for name in self.sidecars):
                return "Running"
            return "Failed" if any(state["terminated"]["exitCode"] for state in states) else "Succeeded"
        return "Running" if self.logs else "Pending"

    @property
    def ready(self) -> bool:
        return all("running" in self._states[item["name"]] for item in self.containers)

    def variable(self, container: str, name: str) -> str | None:
        """The value of a container's environment variable."""
        found = next(item for item in (*self.init, *self.containers) if item["name"] == container)
        return next((item.get("value", "") for item in found.get("env") or () if item["name"] == name), None)

    def say(self, container: str, *lines: bytes) -> None:
        """Append lines to a container's log."""
        self.logs[container].say(*lines)

    def rotate(self, container: str, keep: int) -> None:
        """Let only the last `keep` lines of a container's log be read from now on."""
        self.logs[container].rotate(keep)

    def hold(self) -> None:
        """Let a suite say no further record."""
        self._going.clear()

    def release(self) -> None:
        """Let it go on."""
        self._going.set()

    @property
    def held(self) -> bool:
        return not self._going.is_set()

    async def going(self) -> None:
        await self._going.wait()

    def begin(self, *containers: str) -> None:
        """Containers start; what they said before is over. Nothing is written yet."""
        for name in containers:
            self._states[name] = {"running": {"startedAt": now()}}
            self.logs[name] = Log(self.script.rotate_at if name in self.sidecars else None)

    async def start(self) -> None:
        """All containers start: init containers have ended well, sidecars and the others run."""
        once = [item["name"] for item in self.init if item["name"] not in self.sidecars]
        self._states |= dict.fromkeys(once, _terminated(0, "Completed", "", self._started_at))
        self.begin(*(name for name in self._states if name not in once))
        self.say(self.main, *(line.encode() for line in self.script.log))
        await self.write()

    async def wait_with(self, reason: str, message: str) -> None:
        """The main container does not start."""
        self._states[self.main] = {"waiting": {"reason": reason, "message": message}}
        await self.write()

    async def end(self, container: str, code: int = 0, reason: str = "", message: str = "") -> None:
        """A container ends; the sidecars end after the last one, as a kubelet has it."""
        started = (self._states[container].get("running") or {}).get("startedAt", self._started_at)
        ended = _terminated(code, reason or ("Error" if code else "Completed"), message, started)
        if container in self.logs:
            self.logs[container].close()
        if self._restarts:
            self._last[container] = ended
            self._count[container] += 1
            self._states[container] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting"}}
            self.previous[container] = self.logs[container]
        else:
            self._states[container] = ended
        await self.write()
        if all("terminated" in self._states[item["name"]] for item in self.containers) and self.sidecars:
            for name in self.sidecars:
                self.logs[name].close()
                self._states[name] = _terminated(0, "Completed", "", self._started_at)
            await self.write()

    def close(self) -> None:
        """The pod is going away: nothing more is said."""
        self.deleted = True
        for log in self.logs.values():
            log.close()

    async def write(self) -> None:
        """Patch the pod's status with the states as they are now."""
        async with self._writing:
            if self.deleted:
                return
            path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}/status"
            patch = {"metadata": {"uid": self.uid}, "status": self._status()}
            try:
                await self._api.call("PATCH", path, patch, content_type=MERGE)
            except ApiError as error:
                if error.status not in {404, 409}:  # it is gone, or another one has its name
                    raise

    def _status(self) -> Object:
        phase, ready = self.phase, self.ready
        kept = [
            item for item in (self.body.get("status") or {}).get("conditions") or () if item["type"] == "PodScheduled"
        ]
        truths = {"Initialized": phase != "Pending", "ContainersReady": ready, "Ready": ready}
        conditions = [
            {"type": kind, "status": str(truth), "lastTransitionTime": now()} for kind, truth in truths.items()
        ]
        status: Object = {
            "phase": phase,
            "startTime": self._started_at,
            "conditions": [*kept, *conditions],
            "initContainerStatuses": [self._container(item) for item in self.init],
            "containerStatuses": [self._container(item) for item in self.containers],
        }
        if phase != "Pending":
            status |= {"podIP": self._address, "podIPs": [{"ip": self._address}]}
        return status

    def _container(self, item: Object) -> Object:
        name = item["name"]
        state = self._states[name]
        runs = "running" in state
        status: dict[str, Any] = {
            "name": name,
            "image": item["image"],
            "imageID": "" if "waiting" in state else f"stand-in://{item['image']}",
            "ready": runs or ("terminated" in state and item in self.init and name not in self.sidecars),
            "started": runs,
            "restartCount": self._count[name],
            "state": state,
        }
        if "waiting" not in state:
            status["containerID"] = f"stand-in://{self.uid}/{name}"
        if name in self._last:
            status["lastState"] = self._last[name]
        return status


def _terminated(code: int, reason: str, message: str, started: str) -> Object:
    ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()}
    return {"terminated": ended | ({"message": message} if message else {})}
