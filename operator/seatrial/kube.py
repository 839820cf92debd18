"""The cluster for real, and the only module that speaks to Kubernetes.

Fixed REST paths and raw JSON: discovery costs 0.6 s at start, and model classes cost CPU where objects are many.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from typing import TYPE_CHECKING, Any

import aiohttp
from kubernetes.aio import client, config

from seatrial.api import GROUP, VERSION
from seatrial.errors import (
    AlreadyExistsError,
    ClusterError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from seatrial.naming import COMPONENT_LABEL, FIELD_MANAGER, MANAGED_BY_LABEL, MANAGER, RUN_UID_LABEL, RunId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Object = dict[str, Any]

REQUEST_SECONDS = 15.0
FOLLOW_SECONDS = 86_400.0
"""aiohttp would cut a followed log after its total timeout."""
RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0)
"""Pauses between attempts when the API server cannot answer; each is stretched by up to half, by chance."""

_PATHS = {
    ("v1", "Namespace"): "/api/v1/namespaces",
    ("v1", "ConfigMap"): "/api/v1/namespaces/{ns}/configmaps",
    ("v1", "Event"): "/api/v1/namespaces/{ns}/events",
    ("v1", "LimitRange"): "/api/v1/namespaces/{ns}/limitranges",
    ("v1", "Pod"): "/api/v1/namespaces/{ns}/pods",
    ("v1", "ResourceQuota"): "/api/v1/namespaces/{ns}/resourcequotas",
    ("v1", "Secret"): "/api/v1/namespaces/{ns}/secrets",
    ("v1", "Service"): "/api/v1/namespaces/{ns}/services",
    ("v1", "ServiceAccount"): "/api/v1/namespaces/{ns}/serviceaccounts",
    ("apps/v1", "Deployment"): "/apis/apps/v1/namespaces/{ns}/deployments",
    ("batch/v1", "Job"): "/apis/batch/v1/namespaces/{ns}/jobs",
    ("events.k8s.io/v1", "Event"): "/apis/events.k8s.io/v1/namespaces/{ns}/events",
    ("networking.k8s.io/v1", "NetworkPolicy"): "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
    (f"{GROUP}/{VERSION}", "TestRun"): f"/apis/{GROUP}/{VERSION}/namespaces/{{ns}}/testruns",
    (f"{GROUP}/{VERSION}", "TestResultSlice"): f"/apis/{GROUP}/{VERSION}/namespaces/{{ns}}/testresultslices",
}


class KubernetesCluster:
    """The Protocol on a real cluster. Followed logs have connections of their own, so that they never starve calls."""

    def __init__(self, calls: client.ApiClient, logs: client.ApiClient) -> None:
        self._calls = calls
        self._logs = logs

    @classmethod
    async def connect(cls) -> KubernetesCluster:
        """Connect with the pod's service account, or else with the kubeconfig."""
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        unlimited = client.Configuration()
        unlimited.__dict__.update(configuration.__dict__)
        unlimited.connection_pool_maxsize = 0
        return cls(client.ApiClient(configuration), client.ApiClient(unlimited))

    async def close(self) -> None:
        await self._calls.close()  # type: ignore[no-untyped-call]
        await self._logs.close()  # type: ignore[no-untyped-call]

    async def apply(self, item: Object) -> None:
        await self._call(
            "PATCH",
            f"{_path(item)}/{item['metadata']['name']}",
            query=[("fieldManager", FIELD_MANAGER), ("force", "true")],
            body=item,
            content_type="application/apply-patch+yaml",
        )

    async def create_once(self, item: Object) -> None:
        try:
            await self._call("POST", _path(item), query=[("fieldManager", FIELD_MANAGER)], body=item)
        except AlreadyExistsError:
            if item["kind"] == "Secret":
                return  # may not be read; it is in the run's own namespace, whose owner was checked before
            wanted = item["metadata"]["labels"][RUN_UID_LABEL]
            there = await self._call("GET", f"{_path(item)}/{item['metadata']['name']}")
            if (there["metadata"].get("labels") or {}).get(RUN_UID_LABEL) != wanted:
                raise

    async def read(self, kind: str, namespace: str, name: str) -> Object:
        path = _PATHS["v1", kind].format(ns=namespace)
        return await self._call("GET", f"{path}/{name}")

    async def delete_environment(self, namespace: str) -> None:
        # Left to the namespace controller, pods go one after the other: with its doubling pauses that takes a minute.
        await asyncio.gather(
            self._delete(_PATHS["v1", "Pod"].format(ns=namespace), grace_seconds=1),
            self._delete(f"/api/v1/namespaces/{namespace}"),
        )

    async def delete_suites(self, namespace: str) -> None:
        selector = f"{COMPONENT_LABEL}=suite"
        await self._delete(_PATHS["batch/v1", "Job"].format(ns=namespace), selector=selector)
        await self._delete(_PATHS["v1", "Pod"].format(ns=namespace), selector=selector, grace_seconds=1)

    async def _delete(self, path: str, *, selector: str = "", grace_seconds: int | None = None) -> None:
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        query = [("labelSelector", selector)] if selector else None
        with contextlib.suppress(NotFoundError):
            await self._call("DELETE", path, query=query, body=options)

    async def patch_status(self, run: RunId, patch: Object) -> None:
        path = _PATHS[f"{GROUP}/{VERSION}", "TestRun"].format(ns=run.namespace)
        # The uid in the patch makes the server refuse it when another TestRun has taken the name.
        await self._call(
            "PATCH",
            f"{path}/{run.name}/status",
            query=[("fieldManager", FIELD_MANAGER)],
            body={"metadata": {"uid": run.uid}, "status": patch},
            content_type="application/merge-patch+json",
        )

    async def list_slices(self, run: RunId) -> list[Object]:
        path = _PATHS[f"{GROUP}/{VERSION}", "TestResultSlice"].format(ns=run.namespace)
        return await self._list(path, f"{RUN_UID_LABEL}={run.uid}")

    async def list_refusals(self, namespace: str) -> dict[str, str]:
        path = _PATHS["v1", "Event"].format(ns=namespace)
        answer = await self._call("GET", path, query=[("fieldSelector", "reason=FailedCreate"), ("limit", "100")])
        return {item["involvedObject"]["name"]: item.get("message", "") for item in answer.get("items") or ()}

    async def record_event(self, run: RunId, *, warning: bool, reason: str, message: str, at: str) -> None:
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"generateName": f"{run.name[:40]}-", "namespace": run.namespace},
            "eventTime": at,
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "note": message[:1024],
            "action": "Reconcile",
            "reportingController": f"{GROUP}/operator",
            "reportingInstance": MANAGER,
            "regarding": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "TestRun",
                "name": run.name,
                "namespace": run.namespace,
                "uid": run.uid,
            },
        }
        await self._call("POST", _path(event), body=event)

    async def list_environments(self) -> list[Object]:
        return await self._list("/api/v1/namespaces", f"{MANAGED_BY_LABEL}={MANAGER},{RUN_UID_LABEL}")

    async def list_run_uids(self) -> set[str]:
        runs = await self._list(f"/apis/{GROUP}/{VERSION}/testruns", "")
        return {str(run["metadata"]["uid"]) for run in runs}

    async def follow_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        path = f"{_PATHS['v1', 'Pod'].format(ns=namespace)}/{pod}/log"
        response = await self._send(
            self._logs, "GET", path, query=[("container", container), ("follow", "true")], seconds=FOLLOW_SECONDS
        )
        try:
            if response.status != 200:  # noqa: PLR2004  (OK)
                raise _error(response.status, await response.text(), f"log of {namespace}/{pod}")
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line
                if len(rest) > 1_000_000:  # noqa: PLR2004  (no line of ours is longer than 16 KiB)
                    rest = b""
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"log of {namespace}/{pod}: {error!r}") from error
        finally:
            response.close()

    async def tail_log(self, namespace: str, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        path = f"{_PATHS['v1', 'Pod'].format(ns=namespace)}/{pod}/log"
        query = [("container", container), ("tailLines", str(lines)), ("limitBytes", "16384")]
        if previous:
            query.append(("previous", "true"))
        response = await self._send(self._calls, "GET", path, query=query)
        async with response:
            body = await response.text(errors="replace")
            if response.status != 200:  # noqa: PLR2004  (OK)
                raise _error(response.status, body, f"log of {namespace}/{pod}")
            return body

    async def _list(self, path: str, selector: str) -> list[Object]:
        items: list[Object] = []
        token = ""
        while True:
            query = [("labelSelector", selector), ("limit", "500"), *([("continue", token)] if token else [])]
            answer = await self._call("GET", path, query=query)
            items += answer.get("items") or []
            token = (answer.get("metadata") or {}).get("continue") or ""
            if not token:
                return items

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """One request; repeated, since each of ours may be, while the API server cannot answer."""
        pauses = iter(RETRY_SECONDS)
        while True:
            try:
                response = await self._send(
                    self._calls, method, path, query=query, body=body, content_type=content_type
                )
                async with response:
                    text = await response.text()
                    if response.status < 400:  # noqa: PLR2004  (success)
                        return json.loads(text) if text else {}
                    error = _error(response.status, text, f"{method} {path}")
                    wait = float(response.headers.get("Retry-After") or 0)
            except (aiohttp.ClientError, TimeoutError, OSError) as problem:
                error, wait = UnavailableError(f"{method} {path}: {problem!r}"), 0.0
            pause = next(pauses, None)
            if not isinstance(error, UnavailableError) or pause is None:
                raise error
            await asyncio.sleep(max(wait, pause * random.uniform(1, 1.5)))  # noqa: S311  (jitter, not a secret)

    async def _send(
        self,
        api: client.ApiClient,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        request = await api.param_serialize(
            method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=REQUEST_SECONDS)
        answer = await api.call_api(*request, _request_timeout=limit)
        response: aiohttp.ClientResponse = answer.response
        return response


def _path(item: Object) -> str:
    return _PATHS[item["apiVersion"], item["kind"]].format(ns=item["metadata"].get("namespace", ""))


def _error(status: int, body: str, what: str) -> ClusterError:
    """The API server's Status object, or whatever came instead of it, as a named error."""
    try:
        answer = json.loads(body)
        message, reason = str(answer.get("message") or body), str(answer.get("reason") or "")
        causes = {item.get("reason") for item in (answer.get("details") or {}).get("causes") or ()}
    except (ValueError, AttributeError):
        message, reason, causes = body[:500], "", set()
    if "NamespaceTerminating" in causes:
        reason = "NamespaceTerminating"
    by_status: dict[int, type[ClusterError]] = {
        400: InvalidError,
        403: ForbiddenError,
        404: NotFoundError,
        409: AlreadyExistsError,
        422: InvalidError,
    }
    kind = by_status.get(status, UnavailableError if status in {408, 429} or status >= 500 else ClusterError)  # noqa: PLR2004
    return kind(f"{what}: {message}", reason=reason)
