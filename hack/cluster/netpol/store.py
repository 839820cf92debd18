"""The enforcer's picture of the cluster: kept by list and watch, and by what the network plugin tells first."""

from __future__ import annotations

import dataclasses
import http.client
import threading
import time
from typing import TYPE_CHECKING, Any

from hack.cluster.errors import ClusterError
from hack.cluster.netpol.model import (
    Namespace,
    Pod,
    Policy,
    World,
    parse_namespace,
    parse_pod,
    parse_policy,
    takes_address,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hack.cluster.api import Api

PATHS = {
    "pods": "/api/v1/pods",
    "namespaces": "/api/v1/namespaces",
    "policies": "/apis/networking.k8s.io/v1/networkpolicies",
}
PARSERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "pods": lambda item: (parse_pod(item), takes_address(item)),
    "namespaces": parse_namespace,
    "policies": parse_policy,
}
WATCH_SECONDS = 300
RETRY_SECONDS = 0.5


class Store:
    """Objects by uid; thread-safe. Every change gets a number, so that one can wait until it has been acted on."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Any]] = {kind: {} for kind in PATHS}
        self._addresses: dict[str, str] = {}  # pod uid -> address that the network plugin gave it
        self._listed: set[str] = set()
        self._changed = threading.Condition()
        self._generation = 0
        self._applied = 0

    def replace(self, kind: str, items: list[dict[str, Any]]) -> None:
        with self._changed:
            self._objects[kind] = {item["metadata"]["uid"]: PARSERS[kind](item) for item in items}
            self._listed.add(kind)
            self._touch()

    def update(self, kind: str, event: str, item: dict[str, Any]) -> None:
        uid = item["metadata"]["uid"]
        with self._changed:
            old = self._objects[kind].get(uid)
            if event == "DELETED":
                self._objects[kind].pop(uid, None)
                new = None
            else:
                new = self._objects[kind][uid] = PARSERS[kind](item)
            if new != old:  # most updates change a status that no rule depends on
                self._touch()

    def give_address(self, uid: str, address: str, seconds: float) -> bool:
        """Note a new pod's address; True once rules that know both pod and address are in the kernel."""
        deadline = time.monotonic() + seconds
        with self._changed:
            if not self._changed.wait_for(lambda: uid in self._objects["pods"], seconds):
                return False
            self._addresses[uid] = address
            self._touch()
            mine = self._generation
            return self._changed.wait_for(lambda: self._applied >= mine, deadline - time.monotonic())

    def take_address(self, uid: str) -> None:
        with self._changed:
            if self._addresses.pop(uid, None):
                self._touch()

    def wait_for_change(self, since: int, seconds: float) -> None:
        """Return when there is something newer than `since` and everything was listed, or after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._generation > since and len(self._listed) == len(PATHS), seconds)

    @property
    def generation(self) -> int:
        with self._changed:
            return self._generation

    def complete(self) -> bool:
        with self._changed:
            return len(self._listed) == len(PATHS)

    def snapshot(self) -> tuple[int, World]:
        """The generation and the world as it is now."""
        with self._changed:
            pods: list[Pod] = [
                dataclasses.replace(pod, address=self._addresses.get(uid, pod.address)) if takes else pod
                for uid, (pod, takes) in self._objects["pods"].items()
            ]
            namespaces: list[Namespace] = list(self._objects["namespaces"].values())
            policies: list[Policy] = list(self._objects["policies"].values())
            return self._generation, World(tuple(pods), tuple(namespaces), tuple(policies))

    def applied(self, generation: int) -> None:
        """Tell those who wait that the rules of `generation` are in the kernel."""
        with self._changed:
            self._applied = generation
            self._changed.notify_all()

    def _touch(self) -> None:
        self._generation += 1
        self._changed.notify_all()


def follow(api: Api, kind: str, store: Store) -> None:
    """Keep one kind of the store up to date, for ever."""
    while True:
        try:
            listed = api.get(PATHS[kind])
            store.replace(kind, listed["items"])
            version = listed["metadata"]["resourceVersion"]
            for event in api.watch(PATHS[kind], version, WATCH_SECONDS):
                if event["type"] == "ERROR":
                    break
                if event["type"] != "BOOKMARK":
                    store.update(kind, event["type"], event["object"])
        except (OSError, http.client.HTTPException, ClusterError, ValueError) as error:
            print(f"watch of {kind}: {error!r}; starting it again", flush=True)
            time.sleep(RETRY_SECONDS)
