"""Turns the objects of a run into pods of this machine, as controllers and the kubelet do."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from seatrial.local.containers import Surroundings
from seatrial.local.output import LineOutput
from seatrial.local.pods import LocalPod
from seatrial.naming import SHARD_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seatrial.local.addresses import LocalAddresses
    from seatrial.local.image_containers import DockerImages
    from seatrial.local.images import LocalMapping
    from seatrial.local.output import FileOutput
    from seatrial.local.servers_of_run import Servers
    from seatrial.local.store import Store

logger = logging.getLogger(__name__)

Object = dict[str, Any]


class Node:
    """Where the pods of a run are processes."""

    def __init__(  # noqa: PLR0917  (made in one place)
        self,
        store: Store,
        folder: Path,
        logs: Path,
        addresses: LocalAddresses,
        mapping: LocalMapping,
        servers: Servers,
        images: DockerImages,
    ) -> None:
        self._store = store
        self._folder = folder
        self._logs = logs
        self._addresses = addresses
        self._mapping = mapping
        self._servers = servers
        self._images = images
        self._pods: dict[str, LocalPod] = {}
        """By name; a node has one run."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def see(self, item: Object) -> None:
        """An object was created: start what it asks for, once."""
        match item["kind"]:
            case "Pod":
                self._start(item)
            case "Deployment":
                self._start_all([_pod_of(item, item["metadata"]["name"], {})])
            case "Job":
                self._start_all(list(_pods_of_job(item)))
            case _:
                pass

    def _start_all(self, pods: list[Object]) -> None:
        for pod in pods:
            if pod["metadata"]["name"] not in self._pods:
                self._start(self._store.put(pod))

    def _start(self, item: Object) -> None:
        name = item["metadata"]["name"]
        if name in self._pods:
            return
        namespace = item["metadata"]["namespace"]
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        around = Surroundings(
            read=lambda kind, wanted: self._store.get(kind, namespace, wanted),
            volumes={item["name"]: folder / item["name"] for item in item["spec"].get("volumes") or ()},
            ports=self._addresses.ports_of(item["metadata"]["labels"]["seatrial.dev/name"]),
            mapping=self._mapping,
            folder=folder,
        )
        for port in around.ports.values():
            if item["metadata"]["labels"]["seatrial.dev/component"] != "service":
                self._addresses.release(port)
        pod = LocalPod(item, self._store, around, self._logs, self._servers, self._images)
        self._pods[name] = pod
        self._tasks[name] = asyncio.create_task(pod.run(), name=f"pod {name}")
        self._tasks[name].add_done_callback(self._report)

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            logger.error("%s: %s", task.get_name(), error, exc_info=error)

    def output(self, pod: str, container: str) -> FileOutput | LineOutput | None:
        """What a container says; None before it has started."""
        found = self._pods.get(pod)
        return found.outputs.get(container) if found is not None else None

    def lines(self, pod: str, container: str) -> LineOutput | None:
        output = self.output(pod, container)
        return output if isinstance(output, LineOutput) else None

    async def stop(self, component: str | None = None) -> None:
        """End the pods of a component, or all, and forget them."""
        ending = {name: pod for name, pod in self._pods.items() if component in {None, pod.component}}
        tasks = [task for name in ending if (task := self._tasks.pop(name, None)) is not None]
        for task in tasks:  # first of all nothing more is started
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(pod.stop() for pod in ending.values()))
        for name, pod in ending.items():
            self._pods.pop(name, None)  # an earlier stop that was broken off may have gone so far
            self._store.delete("Pod", pod.namespace, name)


def _pod_of(owner: Object, name: str, labels: dict[str, str]) -> Object:
    """A pod by the template of its owner."""
    template = owner["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": {**template["metadata"]["labels"], **labels},
        },
        "spec": template["spec"],
    }


def _pods_of_job(job: Object) -> Iterator[Object]:
    """One pod for each index."""
    for index in range(job["spec"]["completions"]):
        yield _pod_of(job, f"{job['metadata']['name']}-{index}", {SHARD_LABEL: str(index)})
