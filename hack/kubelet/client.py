"""Plain JSON to and from an API server, with the access of a kubeconfig."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
from kubernetes import client, config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
REQUEST_SECONDS = 30
WATCH_SECONDS = 290
RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0, 4.0)
CONNECTIONS = 40


class ApiError(Exception):
    """The API server said no, or nothing (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status


class Api:
    """One API server. A call that it cannot answer is repeated for some seconds: all of ours may be."""

    def __init__(self, kubeconfig: Path, connector: Callable[[ssl.SSLContext], aiohttp.TCPConnector]) -> None:
        access = client.Configuration()
        config.load_kube_config(config_file=str(kubeconfig), client_configuration=access)  # type: ignore[no-untyped-call]
        self._host: str = access.host
        context = ssl.create_default_context(cafile=access.ssl_ca_cert)
        if access.cert_file:
            context.load_cert_chain(access.cert_file, access.key_file)
        token = access.api_key.get("authorization")
        self._session = aiohttp.ClientSession(
            connector=connector(context), headers={"Authorization": token} if token else {}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Object:
        """One request and the JSON of its answer. Raises ApiError."""
        text = await self._text(method, path, body, content_type=content_type, query=query, headers=headers)
        return json.loads(text) if text else {}

    async def text(self, path: str, query: dict[str, str]) -> str:
        """Read what is no JSON, such as a log. Raises ApiError."""
        return await self._text("GET", path, query=query)

    async def _text(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": content_type, "Accept": "application/json"} | (headers or {})
        pauses = iter(RETRY_SECONDS)
        while True:
            try:
                timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
                async with self._session.request(
                    method, self._host + path, data=data, params=query, headers=sent, timeout=timeout
                ) as response:
                    text = await response.text()
                    if response.status < 400:  # noqa: PLR2004  (success)
                        return text
                    error = ApiError(response.status, f"{method} {path}: {_message(text)}")
            except (aiohttp.ClientError, TimeoutError, OSError) as problem:
                error = ApiError(0, f"{method} {path}: {problem!r}")
            pause = next(pauses, None)
            if pause is None or (error.status < 500 and error.status not in {0, 429}):  # noqa: PLR2004
                raise error
            await asyncio.sleep(pause)

    async def watch(self, path: str, query: dict[str, str]) -> AsyncIterator[tuple[str, Any]]:
        """All changes for ever: ("LISTED", the items) at first and after a gap, then (ADDED ..., the object)."""
        while True:
            listed = await self.call("GET", path, query=query)
            yield "LISTED", listed.get("items") or []
            version = listed["metadata"]["resourceVersion"]
            try:
                async for kind, item in self._changes(path, query | {"resourceVersion": version}):
                    yield kind, item
            except (aiohttp.ClientError, TimeoutError, OSError):
                continue

    async def _changes(self, path: str, query: dict[str, str]) -> AsyncIterator[tuple[str, Any]]:
        """Changes until the watch breaks or its version is too old."""
        more = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        while True:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=WATCH_SECONDS + 10)
            async with self._session.get(self._host + path, params=query | more, timeout=timeout) as response:
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            return
                        query["resourceVersion"] = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            yield event["type"], event["object"]
                if response.status != 200:  # noqa: PLR2004  (OK)
                    return


def _message(text: str) -> str:
    try:
        return str(json.loads(text).get("message") or text)
    except (ValueError, AttributeError):
        return text[:500]
