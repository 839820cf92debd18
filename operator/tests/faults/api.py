"""The API server itself, past every proxy: for the test's own hands and eyes."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from kubernetes.aio import client, config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Object = dict[str, Any]

TESTRUNS = "/apis/seatrial.dev/v1alpha1/namespaces/{}/testruns"
SLICES = "/apis/seatrial.dev/v1alpha1/namespaces/{}/testresultslices"
REQUEST_SECONDS = 60.0


class ApiError(Exception):
    """The API server refused."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{status}: {what}")
        self.status = status


class Api:
    """A connection with the kubeconfig's credentials."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    @classmethod
    async def connect(cls, kubeconfig: str) -> Api:
        configuration = client.Configuration()
        await config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        # The certificates of throw-away clusters lack extensions that the strict mode of newer Pythons asks for.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        token = configuration.api_key.get("BearerToken")
        return cls(
            aiohttp.ClientSession(
                configuration.host,
                connector=aiohttp.TCPConnector(ssl=context, limit=0),
                headers={"Authorization": token} if token else None,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def call(
        self, method: str, path: str, body: Object | None = None, *, kind: str = "application/json", **query: str
    ) -> Object:
        """One request; its answer. Waits when the API server asks for that. Raises ApiError."""
        data = json.dumps(body) if body is not None else None
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        while True:
            async with self.session.request(
                method, path, params=query, data=data, headers={"Content-Type": kind}, timeout=timeout
            ) as response:
                text = await response.text()
                if response.status < 400:
                    return dict(json.loads(text))
                if response.status != 429:
                    raise ApiError(response.status, f"{method} {path}: {text[:400]}")
                await asyncio.sleep(float(response.headers.get("Retry-After") or 1))

    async def get(self, path: str) -> Object | None:
        """An object, or None."""
        try:
            return await self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def items(self, path: str, selector: str = "") -> list[Object]:
        return list((await self.call("GET", path, labelSelector=selector))["items"])

    async def apply(self, path: str, item: Object) -> Object:
        """Server-side apply; `path` is the collection's."""
        where = f"{path}/{item['metadata']['name']}"
        kind = "application/apply-patch+yaml"
        return await self.call("PATCH", where, item, kind=kind, fieldManager="seatrial-faults", force="true")

    async def merge(self, path: str, patch: Object) -> Object:
        return await self.call("PATCH", path, patch, kind="application/merge-patch+json")

    async def try_merge(self, path: str, patch: Object) -> int:
        """A merge patch that may be refused; its status."""
        try:
            await self.merge(path, patch)
        except ApiError as error:
            return error.status
        return 200

    async def delete(self, path: str) -> None:
        """Delete an object that may be gone already."""
        try:
            await self.call("DELETE", path, {"propagationPolicy": "Background"})
        except ApiError as error:
            if error.status != 404:
                raise

    async def watch(self, path: str, version: str, selector: str = "") -> AsyncIterator[Object]:
        """The events after a resourceVersion, until the API server ends the stream."""
        query = {"watch": "true", "resourceVersion": version, "labelSelector": selector}
        async with self.session.get(path, params=query, timeout=aiohttp.ClientTimeout(total=None)) as response:
            if response.status >= 400:
                raise ApiError(response.status, f"watch {path}: {await response.text()}")
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
