"""The API server as a measuring program needs it: raw JSON from this process, and watches that stamp arrivals."""

from __future__ import annotations

import json
import ssl
import time
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from kubernetes.aio import client, config

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType

Object = dict[str, Any]

REQUEST_SECONDS = 60.0
OK = 200
NOT_FOUND = 404

TESTRUNS = "/apis/seatrial.dev/v1alpha1/namespaces/{ns}/testruns"
_PLURALS = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "Pod": "/api/v1/namespaces/{ns}/pods",
    "Secret": "/api/v1/namespaces/{ns}/secrets",
    "Service": "/api/v1/namespaces/{ns}/services",
    "ServiceAccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "Job": "/apis/batch/v1/namespaces/{ns}/jobs",
    "TestRun": TESTRUNS,
}


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """One connection pool to the API server of the kubeconfig."""

    def __init__(self, host: str, tls: ssl.SSLContext, headers: Mapping[str, str]) -> None:
        self._host = host
        self._tls = tls
        self._headers = dict(headers)
        self._session: aiohttp.ClientSession

    @classmethod
    async def from_kubeconfig(cls) -> Api:
        """Read $KUBECONFIG."""
        wanted = client.Configuration()
        await config.load_kube_config(client_configuration=wanted)  # type: ignore[no-untyped-call]
        tls = ssl.create_default_context(cafile=wanted.ssl_ca_cert, cadata=wanted.ca_cert_data or None)
        if wanted.cert_file:
            tls.load_cert_chain(wanted.cert_file, wanted.key_file)
        token = await wanted.get_api_key_with_prefix("BearerToken")
        return cls(wanted.host, tls, {"Authorization": token} if token else {})

    async def __aenter__(self) -> Self:
        # No limit: a watch holds its connection, and nothing that is timed may wait for one.
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0, keepalive_timeout=300)
        self._session = aiohttp.ClientSession(self._host, connector=connector, headers=self._headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def request(self, method: str, path: str, body: Object | None = None, **query: str) -> Object:
        """One request, its answer as an object. Raises ApiError."""
        text = await self.text(method, path, body, **query)
        return dict(json.loads(text)) if text else {}

    async def text(self, method: str, path: str, body: Object | None = None, **query: str) -> str:
        """One request, its answer as text. Raises ApiError."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        limit = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with self._session.request(
            method, path, json=body, params=query, headers={"Content-Type": kind}, timeout=limit
        ) as response:
            text = await response.text(errors="replace")
            if response.status >= 400:  # noqa: PLR2004  (no success)
                raise ApiError(response.status, f"{method} {path}: HTTP {response.status}: {text[:400]}")
            return text

    async def create(self, item: Object) -> Object:
        return await self.request("POST", path_of(item), item)

    async def delete(self, path: str) -> None:
        """Delete in the background; what is not there is deleted already."""
        try:
            options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
            await self.request("DELETE", path, options)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise

    async def items(self, path: str, **query: str) -> list[Object]:
        return list((await self.request("GET", path, None, **query)).get("items") or [])

    async def watch(
        self, path: str, connected: asyncio.Event, **query: str
    ) -> AsyncIterator[tuple[float, str, Object]]:
        """Changes from now on for ever: when they arrived here (seconds since the epoch), type, object.

        `connected` is set when none can be missed any more. Raises ApiError.
        """
        version = str((await self.request("GET", path, None, limit="1", **query))["metadata"]["resourceVersion"])
        # The list above is one page at most, and its version is that of the whole collection.
        while True:
            params = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true", **query}
            async with self._session.get(path, params=params, timeout=aiohttp.ClientTimeout(total=None)) as response:
                if response.status != OK:
                    raise ApiError(response.status, f"watch {path}: {(await response.text())[:400]}")
                connected.set()
                rest = b""
                async for chunk in response.content.iter_any():
                    now = time.time()
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        item = event["object"]
                        if event["type"] == "ERROR":
                            raise ApiError(int(item.get("code", 0)), f"watch {path}: {item.get('message')}")
                        version = item["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            yield now, event["type"], item

    async def follow_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        """Lines of a log until it ends, each behind the time at which the runtime got it; none when refused."""
        path = f"{_PLURALS['Pod'].format(ns=namespace)}/{pod}/log"
        params = {"container": container, "follow": "true", "timestamps": "true"}
        async with self._session.get(path, params=params, timeout=aiohttp.ClientTimeout(total=None)) as response:
            if response.status != OK:
                return
            async for line in response.content:
                yield line.rstrip(b"\n")


def path_of(item: Object) -> str:
    """The path of the collection that an object belongs to."""
    return _PLURALS[item["kind"]].format(ns=item["metadata"].get("namespace", ""))
