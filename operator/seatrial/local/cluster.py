"""The seam of the runs, `seatrial.cluster`, on this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from seatrial.errors import AlreadyExistsError, ConflictError, ForbiddenError, NotFoundError
from seatrial.local.store import merge, run_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from seatrial.local.node import Node
    from seatrial.local.output import LineOutput
    from seatrial.local.servers_of_run import Servers
    from seatrial.local.store import Store
    from seatrial.naming import RunId

Object = dict[str, Any]

TESTRUN = "TestRun"


class LocalCluster:
    """Objects in memory and pods that are processes. Nothing here is beyond the one run that it is made for."""

    def __init__(self, store: Store, node: Node, servers: Servers) -> None:
        self._store = store
        self._node = node
        self._servers = servers

    # --- What is seen ----------------------------------------------------------------------------------------------

    def pods(self, uid: str) -> Iterable[Object]:
        return self._store.items("Pod", run=uid)

    def jobs(self, uid: str) -> Iterable[Object]:
        return self._store.items("Job", run=uid)

    def namespace(self, name: str) -> Object | None:
        return self._store.get("Namespace", "", name)

    # --- Objects ---------------------------------------------------------------------------------------------------

    async def apply(self, item: Object) -> None:
        self._refuse_without_namespace(item)
        self._node.see(self._store.put(item))

    async def create_once(self, item: Object) -> None:
        self._refuse_without_namespace(item)
        metadata = item["metadata"]
        there = self._store.get(item["kind"], metadata.get("namespace", ""), metadata["name"])
        if there is not None and run_of(there) != run_of(item):
            raise AlreadyExistsError(f"{item['kind']} {metadata['name']} already exists", reason="AlreadyExists")
        if there is None:
            self._node.see(self._store.put(item))

    def _refuse_without_namespace(self, item: Object) -> None:
        namespace = item["metadata"].get("namespace")
        if item["kind"] != "TestResultSlice" and namespace and self.namespace(namespace) is None:
            raise ForbiddenError(f"namespace {namespace} is gone", reason="NamespaceTerminating")

    async def read(self, kind: str, namespace: str, name: str) -> Object:
        return self._get(kind, namespace, name)

    def _get(self, kind: str, namespace: str, name: str) -> Object:
        item = self._store.get(kind, namespace, name)
        if item is None:
            raise NotFoundError(f"{kind} {namespace}/{name} not found", reason="NotFound")
        return item

    async def delete_environment(self, namespace: str) -> None:
        await self._node.stop()
        await self._servers.clean_up()
        self._store.delete_namespace(namespace)

    async def delete_suites(self, namespace: str) -> None:
        await self._node.stop("suite")
        for job in self._store.items("Job", namespace=namespace):
            self._store.delete("Job", namespace, job["metadata"]["name"])

    async def read_environment(self, namespace: str) -> tuple[Object | None, list[Object], list[Object]]:
        pods, jobs = (self._store.items(kind, namespace=namespace) for kind in ("Pod", "Job"))
        return self.namespace(namespace), pods, jobs

    # --- The TestRun -----------------------------------------------------------------------------------------------

    async def read_run(self, run: RunId) -> Object:
        return self._get(TESTRUN, run.namespace, run.name)

    async def patch_status(self, run: RunId, patch: Object, version: str) -> str:
        body = self._get(TESTRUN, run.namespace, run.name)
        if body["metadata"]["resourceVersion"] != version:
            raise ConflictError(f"TestRun {run} has changed", reason="Conflict")
        written = self._store.put({**body, "status": merge(body.get("status") or {}, patch)})
        return str(written["metadata"]["resourceVersion"])

    async def touch_run(self, run: RunId) -> None:
        """Nobody misses a change here."""

    async def list_slices(self, run: RunId) -> list[Object]:
        return self._store.items("TestResultSlice", run=run.uid)

    async def list_refusals(self, namespace: str) -> dict[str, str]:
        del namespace
        return {}

    async def record_event(self, run: RunId, *, warning: bool, reason: str, message: str, at: str) -> None:
        """Whoever is interested sees it in the status."""

    async def record_own_event(
        self, namespace: str, name: str, *, warning: bool, reason: str, message: str, at: str
    ) -> None:
        """There is no operator here."""

    async def list_environments(self) -> list[Object]:
        return self._store.items("Namespace")

    async def list_run_uids(self) -> set[str]:
        return {item["metadata"]["uid"] for item in self._store.items(TESTRUN)}

    async def list_unfinished_runs(self) -> list[Object]:
        return self._store.items(TESTRUN)

    # --- Logs ------------------------------------------------------------------------------------------------------

    async def follow_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        async for line in self._lines(namespace, pod, container).follow():
            yield line

    async def read_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        await asyncio.sleep(0)
        for line in self._lines(namespace, pod, container).lines:
            yield line

    def _lines(self, namespace: str, pod: str, container: str) -> LineOutput:
        output = self._node.lines(pod, container)
        if output is None:
            raise NotFoundError(f"container {container} of {namespace}/{pod} has no log", reason="NotFound")
        return output

    async def tail_log(self, namespace: str, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        output = None if previous else self._node.output(pod, container)
        if output is None:
            raise NotFoundError(f"container {container} of {namespace}/{pod} has no log", reason="NotFound")
        return output.tail(lines)
