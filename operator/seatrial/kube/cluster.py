"""The Protocol on a real cluster, in raw JSON: model classes cost CPU where objects are many."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION, GROUP
from seatrial.api.status import Phase
from seatrial.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from seatrial.kube.paths import NAMESPACES, TESTRUNS, collection, collection_of, ours
from seatrial.kube.requests import APPLY_PATCH, MERGE_PATCH, METADATA_ONLY, Requests, connect
from seatrial.naming import (
    COMPONENT_LABEL,
    FIELD_MANAGER,
    MANAGED_BY_LABEL,
    MANAGER,
    RUN_UID_LABEL,
    TOUCHED_ANNOTATION,
    RunId,
    event_name,
)
from seatrial.records import clip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Object = dict[str, Any]

BINDING_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
"""Pauses between questions whether a binding is in force."""
MAX_NOTE_BYTES = 1023
"""Of an Event; the API server refuses more than a kilobyte."""
_AS_OURS = [("fieldManager", FIELD_MANAGER)]


class KubernetesCluster:
    """The Protocol on a real cluster. Followed logs have connections of their own, so that they never starve calls."""

    def __init__(self, calls: Requests, logs: Requests) -> None:
        self._calls = calls
        self._logs = logs

    @classmethod
    async def connect(cls) -> KubernetesCluster:
        return cls(*await connect())

    async def close(self) -> None:
        await self._calls.close()
        await self._logs.close()

    async def apply(self, item: Object) -> None:
        path = f"{collection_of(item)}/{item['metadata']['name']}"
        query = [*_AS_OURS, ("force", "true")]
        await self._calls.call("PATCH", path, query=query, body=item, content_type=APPLY_PATCH)

    async def create_once(self, item: Object) -> None:
        await self._create_once(item)
        if item["kind"] == "RoleBinding":
            await self._await_binding(item)

    async def _await_binding(self, item: Object) -> None:
        """Return when a binding is in force: being allowed to read it is one of the rights that it gives."""
        for pause in BINDING_SECONDS:
            with contextlib.suppress(ForbiddenError):
                await self._calls.call("GET", f"{collection_of(item)}/{item['metadata']['name']}")
                return
            await asyncio.sleep(pause)

    async def _create_once(self, item: Object) -> None:
        path = collection_of(item)
        try:
            await self._calls.call("POST", path, query=_AS_OURS, body=item)
        except AlreadyExistsError:
            if item["kind"] in {"Secret", "RoleBinding"}:
                return  # may not be read (yet); it is in the run's own namespace, whose owner was checked before
            wanted = item["metadata"]["labels"][RUN_UID_LABEL]
            there = await self._calls.call("GET", f"{path}/{item['metadata']['name']}")
            if (there["metadata"].get("labels") or {}).get(RUN_UID_LABEL) != wanted:
                raise

    async def read(self, kind: str, namespace: str, name: str) -> Object:
        return await self._calls.call("GET", f"{collection('v1', kind, namespace)}/{name}")

    async def read_run(self, run: RunId) -> Object:
        return await self._calls.call("GET", f"{ours('TestRun', run.namespace)}/{run.name}")

    async def touch_run(self, run: RunId) -> None:
        annotations = {TOUCHED_ANNOTATION: str(time.time())}
        body = {"metadata": {"uid": run.uid, "annotations": annotations}}
        path = f"{ours('TestRun', run.namespace)}/{run.name}"
        with contextlib.suppress(NotFoundError):
            await self._calls.call("PATCH", path, query=_AS_OURS, body=body, content_type=MERGE_PATCH)

    async def read_environment(self, namespace: str) -> tuple[Object | None, list[Object], list[Object]]:
        there, pods, jobs = await asyncio.gather(
            self._read_namespace(namespace),
            self._calls.list_all(collection("v1", "Pod", namespace), RUN_UID_LABEL),
            self._calls.list_all(collection("batch/v1", "Job", namespace), RUN_UID_LABEL),
        )
        return there, pods, jobs

    async def _read_namespace(self, name: str) -> Object | None:
        with contextlib.suppress(NotFoundError):
            return await self._calls.call("GET", f"{NAMESPACES}/{name}")
        return None

    async def delete_environment(self, namespace: str) -> None:
        # Left to the namespace controller, pods go one after the other: with its doubling pauses that takes a minute.
        await asyncio.gather(
            self._empty(collection("v1", "Pod", namespace), grace_seconds=1),
            self._delete(f"{NAMESPACES}/{namespace}", NotFoundError),
        )

    async def delete_suites(self, namespace: str) -> None:
        selector = f"{COMPONENT_LABEL}=suite"
        await self._empty(collection("batch/v1", "Job", namespace), selector=selector)
        await self._empty(collection("v1", "Pod", namespace), selector=selector, grace_seconds=1)

    async def _empty(self, path: str, *, selector: str = "", grace_seconds: int | None = None) -> None:
        # In a namespace that is being deleted, the binding that gives the right may go before the objects.
        await self._delete(path, NotFoundError, ForbiddenError, selector=selector, grace_seconds=grace_seconds)

    async def _delete(
        self, path: str, *fine: type[Exception], selector: str = "", grace_seconds: int | None = None
    ) -> None:
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        query = [("labelSelector", selector)] if selector else None
        with contextlib.suppress(*fine):
            await self._calls.call("DELETE", path, query=query, body=options)

    async def patch_status(self, run: RunId, patch: Object, version: str) -> str:
        # The uid makes the server refuse the patch when another TestRun has taken the name.
        body = {"metadata": {"uid": run.uid, "resourceVersion": version}, "status": patch}
        path = f"{ours('TestRun', run.namespace)}/{run.name}/status"
        answer = await self._calls.call("PATCH", path, query=_AS_OURS, body=body, content_type=MERGE_PATCH)
        return str(answer["metadata"]["resourceVersion"])

    async def list_slices(self, run: RunId) -> list[Object]:
        return await self._calls.list_all(ours("TestResultSlice", run.namespace), f"{RUN_UID_LABEL}={run.uid}")

    async def list_refusals(self, namespace: str) -> dict[str, str]:
        query = [("fieldSelector", "reason=FailedCreate"), ("limit", "100")]
        try:
            answer = await self._calls.call("GET", collection("v1", "Event", namespace), query=query)
        except ForbiddenError:  # the right to read them goes with the namespace
            return {}
        return {item["involvedObject"]["name"]: item.get("message", "") for item in answer.get("items") or ()}

    async def record_event(self, run: RunId, *, warning: bool, reason: str, message: str, at: str) -> None:
        regarding = {
            "apiVersion": API_VERSION,
            "kind": "TestRun",
            "name": run.name,
            "namespace": run.namespace,
            "uid": run.uid,
        }
        # Each is told once: also when the answer was lost, or another operator has told it before.
        name = event_name(run, reason, message)
        await self._tell(name, regarding, warning=warning, reason=reason, message=message, at=at)

    async def record_own_event(
        self, namespace: str, name: str, *, warning: bool, reason: str, message: str, at: str
    ) -> None:
        regarding = {"apiVersion": "apps/v1", "kind": "Deployment", "name": MANAGER, "namespace": namespace}
        await self._tell(name, regarding, warning=warning, reason=reason, message=message, at=at)

    async def _tell(self, name: str, regarding: Object, *, warning: bool, reason: str, message: str, at: str) -> None:
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": regarding["namespace"]},
            "eventTime": at,
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "note": clip(message, MAX_NOTE_BYTES),
            "action": "Reconcile",
            "reportingController": f"{GROUP}/operator",
            "reportingInstance": MANAGER,
            "regarding": regarding,
        }
        with contextlib.suppress(AlreadyExistsError):
            await self._calls.call("POST", collection_of(event), body=event)

    async def list_environments(self) -> list[Object]:
        return await self._calls.list_all(NAMESPACES, f"{MANAGED_BY_LABEL}={MANAGER},{RUN_UID_LABEL}")

    async def list_run_uids(self) -> set[str]:
        # Without status: thousands of finished runs may be there.
        runs = await self._calls.list_all(TESTRUNS, accept=METADATA_ONLY)
        return {str(run["metadata"]["uid"]) for run in runs}

    async def list_unfinished_runs(self) -> list[Object]:
        unfinished = ",".join(
            f"status.phase!={phase}" for phase in (Phase.PASSED, Phase.FAILED, Phase.ERROR, Phase.CANCELLED)
        )
        return await self._calls.list_all(TESTRUNS, fields=unfinished)

    def follow_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        path = f"{collection('v1', 'Pod', namespace)}/{pod}/log"
        return self._logs.read_lines(path, [("container", container), ("follow", "true")], f"log of {namespace}/{pod}")

    def read_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        path = f"{collection('v1', 'Pod', namespace)}/{pod}/log"
        return self._logs.read_lines(path, [("container", container)], f"log of {namespace}/{pod}")

    async def tail_log(self, namespace: str, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        path = f"{collection('v1', 'Pod', namespace)}/{pod}/log"
        query = [("container", container), ("tailLines", str(lines)), ("limitBytes", "16384")]
        if previous:
            query.append(("previous", "true"))
        return await self._calls.read_text(path, query, f"log of {namespace}/{pod}")
