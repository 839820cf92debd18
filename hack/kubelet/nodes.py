"""The Node objects: registered, kept alive by leases, and removed; other nodes are cordoned meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hack.kubelet.client import MERGE, ApiError

if TYPE_CHECKING:
    from hack.kubelet.client import Api, Object

NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
LABEL = "seatrial.dev/stand-in"
"""Its value is the name of the stand-in that plays the node."""
CORDONED = "seatrial.dev/cordoned-by-stand-in"
TAINT = {"key": LABEL, "value": "true", "effect": "NoSchedule"}
RENEW_SECONDS = 8
LEASE_SECONDS = 40


def now(*, micro: bool = False) -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds" if micro else "seconds").replace("+00:00", "Z")


class Nodes:
    """The stand-in's nodes."""

    def __init__(self, api: Api, owner: str, names: list[str], pods_per_node: int, taints: list[Object]) -> None:
        self.names = names
        self._owner = owner
        self._api = api
        self._pods = pods_per_node
        self._taints = taints

    async def register(self, address: str, port: int) -> None:
        """Create the nodes anew, whatever a killed stand-in has left, and wait until pods may be bound to them."""
        for name in self.names:
            await self._remove(name)
            await self._api.call("POST", NODES, self._body(name, address, port))
            await self._api.call("POST", LEASES, {**_lease(name), "kind": "Lease"})
            # Admission gives each new node this taint; the node lifecycle controller would take it away a little later.
            await self._api.call("PATCH", f"{NODES}/{name}", {"spec": {"taints": self._taints}}, content_type=MERGE)

    async def renew(self) -> None:
        """Keep the nodes Ready, for ever."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            for name in self.names:
                with contextlib.suppress(ApiError):
                    await self._api.call("PATCH", f"{LEASES}/{name}", _lease(name), content_type=MERGE)

    async def remove(self) -> None:
        for name in self.names:
            await self._remove(name)

    async def cordon_others(self) -> None:
        """Let no pod be bound to a node where containers run."""
        for node in (await self._api.call("GET", NODES))["items"]:
            if LABEL not in node["metadata"]["labels"] and not node["spec"].get("unschedulable"):
                patch = {"metadata": {"annotations": {CORDONED: "true"}}, "spec": {"unschedulable": True}}
                await self._api.call("PATCH", f"{NODES}/{node['metadata']['name']}", patch, content_type=MERGE)

    async def uncordon_others(self) -> None:
        """Undo it, also what a killed stand-in has cordoned."""
        for node in (await self._api.call("GET", NODES))["items"]:
            if CORDONED in (node["metadata"].get("annotations") or {}):
                patch = {"metadata": {"annotations": {CORDONED: None}}, "spec": {"unschedulable": None}}
                await self._api.call("PATCH", f"{NODES}/{node['metadata']['name']}", patch, content_type=MERGE)

    async def _remove(self, name: str) -> None:
        for path in (f"{NODES}/{name}", f"{LEASES}/{name}"):
            with contextlib.suppress(ApiError):
                await self._api.call("DELETE", path)

    def _body(self, name: str, address: str, port: int) -> Object:
        capacity = {"cpu": "10000", "memory": "64Ti", "ephemeral-storage": "64Ti", "pods": str(self._pods)}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {LABEL: self._owner, "kubernetes.io/hostname": name}},
            "status": {
                "capacity": capacity,
                "allocatable": capacity,
                "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
                "nodeInfo": dict.fromkeys(
                    (
                        "machineID",
                        "systemUUID",
                        "bootID",
                        "kernelVersion",
                        "osImage",
                        "containerRuntimeVersion",
                        "kubeletVersion",
                        "kubeProxyVersion",
                    ),
                    "stand-in",
                )
                | {"operatingSystem": "linux", "architecture": "amd64"},
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True",
                        "reason": "StandIn",
                        "message": "no container runs here",
                        "lastHeartbeatTime": now(),
                        "lastTransitionTime": now(),
                    }
                ],
            },
        }


def _lease(name: str) -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"name": name},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now(micro=True)},
    }
