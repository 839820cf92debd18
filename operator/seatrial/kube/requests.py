"""HTTP requests to the API server: one attempt after the other while it cannot answer, and errors with names."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import client, config

from seatrial import metrics
from seatrial.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from seatrial.kube.paths import resource_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Object = dict[str, Any]

REQUEST_SECONDS = 15.0
CONNECTIONS = 32
"""For calls. Each takes a third of a megabyte with TLS, and more of them would only wait inside the API server."""
FOLLOW_SECONDS = 86_400.0
"""aiohttp would cut a followed log after its total timeout."""
RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0)
"""Pauses between attempts when the API server cannot answer; each is stretched by up to half, by chance."""
MAX_RETRY_AFTER_SECONDS = 60.0
"""A server that asks for more patience than this is asked again all the same: deadlines go on."""

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""To be accepted in the place of a list of whole objects."""


class Requests:
    """One connection pool, and what a request needs beside its path."""

    def __init__(self, access: client.Configuration, connections: int) -> None:
        self._access = access
        tls = client.ApiClient(access).rest_client.ssl_context
        # aiohttp would look up proxies and .netrc at each request.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=tls), trust_env=bool(getproxies())
        )

    async def close(self) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """One request; repeated, since each of ours may be, while the API server cannot answer. Raises ClusterError."""
        pauses = iter(RETRY_SECONDS)
        while True:
            wait = 0.0
            try:
                response = await self._send(
                    method, path, query=query, body=body, content_type=content_type, accept=accept
                )
                async with response:
                    text = await response.text()
                    if response.status < 400:  # noqa: PLR2004  (success)
                        return json.loads(text) if text else {}
                    error = error_of(response.status, text, f"{method} {path}")
                    wait = retry_after(response.headers.get("Retry-After"))
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
                error = UnavailableError(f"{method} {path}: {problem!r}")
            pause = next(pauses, None)
            if not isinstance(error, UnavailableError) or pause is None:
                raise error
            await asyncio.sleep(max(wait, pause * random.uniform(1, 1.5)))  # noqa: S311  (jitter, not a secret)

    async def list_all(
        self, path: str, selector: str = "", *, fields: str = "", accept: str = "application/json"
    ) -> list[Object]:
        """All objects of a collection, page by page, as they are now: not out of the server's watch cache."""
        items: list[Object] = []
        token = ""
        while True:
            wanted = (("labelSelector", selector), ("fieldSelector", fields), ("continue", token))
            query = [("limit", "500"), *(item for item in wanted if item[1])]
            answer = await self.call("GET", path, query=query, accept=accept)
            items += answer.get("items") or []
            token = (answer.get("metadata") or {}).get("continue") or ""
            if not token:
                return items

    async def read_text(self, path: str, query: list[tuple[str, str]], what: str) -> str:
        """The body of an answer that is no JSON. Raises ClusterError."""
        try:
            response = await self._send("GET", path, query=query)
            async with response:
                body = await response.text(errors="replace")
                if response.status != 200:  # noqa: PLR2004  (OK)
                    raise error_of(response.status, body, what)
                return body
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{what}: {error!r}") from error

    async def read_lines(self, path: str, query: list[tuple[str, str]], what: str) -> AsyncIterator[bytes]:
        """The lines of an answer that may go on for hours. Raises ClusterError."""
        try:
            response = await self._send("GET", path, query=query, seconds=FOLLOW_SECONDS)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{what}: {error!r}") from error
        try:
            if response.status != 200:  # noqa: PLR2004  (OK)
                refusal = error_of(response.status, await response.text(), what)
                await asyncio.sleep(retry_after(response.headers.get("Retry-After")))
                raise refusal  # whoever asks again does so after the pause that the server wishes for
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line
                if len(rest) > 1_000_000:  # noqa: PLR2004  (no line of ours is longer than 16 KiB)
                    rest = b""
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{what}: {error!r}") from error
        finally:
            hang_up(response)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        seconds: float = REQUEST_SECONDS,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "Content-Type": content_type}
        if token := await self._access.get_api_key_with_prefix("BearerToken"):
            headers["Authorization"] = token
        response = await self._session.request(
            method,
            self._access.host + path,
            params=query,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=REQUEST_SECONDS),
            server_hostname=self._access.tls_server_name,
        )
        metrics.API_REQUESTS.labels(method, resource_of(path), str(response.status)).inc()
        return response


async def connect() -> tuple[Requests, Requests]:
    """Two pools, with the pod's service account or else with the kubeconfig: one for calls, and one without a limit for
    followed logs, so that they never starve calls.
    """
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return Requests(configuration, CONNECTIONS), Requests(configuration, 0)


def hang_up(response: aiohttp.ClientResponse) -> None:
    """End an answer, read to its end or not.

    To close it would leave a connection with TLS open until the server has agreed, for 30 s at most, also after the
    session has been closed.
    """
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def retry_after(header: str | None) -> float:
    """Seconds of a Retry-After header; 0 for one that is missing, negative or a date."""
    try:
        seconds = float(header or 0)
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS) if seconds == seconds else 0.0  # noqa: PLR0124  (NaN)


def error_of(status: int, body: str, what: str) -> ClusterError:
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
        409: AlreadyExistsError if reason == "AlreadyExists" else ConflictError,
        422: InvalidError,
    }
    kind = by_status.get(status, UnavailableError if status in {408, 429} or status >= 500 else ClusterError)  # noqa: PLR2004
    return kind(f"{what}: {message}", reason=reason)
