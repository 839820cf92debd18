"""The fault proxy: between one operator and the API server. It passes on, keeps a record, and applies faults."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp import web

from seatrial.kube.requests import hang_up

from .call import CUT, Call, Record, parse_call
from .fault import Answer, Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from .api import Api

NOT_PASSED_ON = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "authorization"}
READ_SECONDS = 60.0
WATCHED = 4
"""Kinds of objects that an operator watches."""


class Proxy:
    """An HTTP endpoint on this machine. Its client needs no credentials: those of the kubeconfig go upstream.

    Writes are passed on one at a time, so that "after the n-th write" is one state of the cluster and no other.
    """

    def __init__(self, api: Api, identity: Mapping[str, str | list[str]] | None = None) -> None:
        self.records: list[Record] = []
        self.faults: list[Fault] = []
        self._api = api
        self._identity = dict(identity or {})
        """Impersonation headers: as whom the API server sees the client."""
        self._turn = asyncio.Lock()
        self._writes = 0
        self._age = 0
        self._port = 0
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        # Cancellation, since a watch that has nothing to say would never notice that its client has gone.
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def write_kubeconfig(self, path: Path) -> None:
        """Write a kubeconfig that points here."""
        named = {"clusters": {"cluster": {"server": self.url}}, "users": {"user": {"token": "unused"}}}
        config = {kind: [{"name": "proxy", **value}] for kind, value in named.items()}
        context = {"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}
        whole = {"apiVersion": "v1", "kind": "Config", **config, "contexts": [context], "current-context": "proxy"}
        path.write_text(json.dumps(whole))

    def reset(self, *faults: Fault) -> None:
        """Begin a new record, with these faults and no others."""
        self.records, self.faults, self._writes = [], list(faults), 0

    def forget_client(self) -> None:
        """Drop the requests that have arrived and were not passed on: their client is dead."""
        self._age += 1

    @property
    def written(self) -> int:
        """Number of writes so far."""
        return self._writes

    @property
    def writes(self) -> list[Record]:
        return [record for record in self.records if record.number]

    async def watched(self, seconds: float = 120) -> None:
        """Wait until the client has a watch of everything that it watches."""
        async with asyncio.timeout(seconds):
            while len({item.call.resource for item in self.records if item.call.verb == "watch"}) < WATCHED:
                await self.changed()

    async def changed(self) -> None:
        """Wait for the next request."""
        await self._changed.wait()

    def _take(self, record: Record) -> None:
        self.records.append(record)
        self._changed.set()
        self._changed = asyncio.Event()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = parse_call(request.method, request.path, request.query)
        record = Record(call, 0, at=asyncio.get_running_loop().time())
        body = await request.read()
        if call.is_write:
            # A write that was begun is seen to its end, whatever becomes of the client.
            answer = await asyncio.shield(asyncio.create_task(self._write(request, record, body, self._age)))
        else:
            self._take(record)
            early = await self._before(record)
            if early is None and call.streaming:
                return await self._stream(request, record)
            answer = early or await self._read(request, record, body)
        if answer.status == CUT:
            return _cut(request)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def _write(self, request: web.Request, record: Record, body: bytes, age: int) -> Answer:
        async with self._turn:
            if age != self._age:
                return Answer(CUT)
            self._writes += 1
            record.number = self._writes
            self._take(record)
            early = await self._before(record)
            if early is not None:
                return early
            return await self._read(request, record, body)

    async def _before(self, record: Record) -> Answer | None:
        for fault in self.faults:
            if (answer := await fault.before(record)) is not None:
                record.status, record.by_fault = answer.status, True
                return answer
        return None

    async def _read(self, request: web.Request, record: Record, body: bytes) -> Answer:
        """Pass a request on and take in the whole answer."""
        try:
            async with self._send(request, record.call, body, READ_SECONDS) as response:
                answer = Answer(response.status, await response.read(), _headers(response))
        except (aiohttp.ClientError, TimeoutError, OSError):
            answer = Answer(CUT)
        record.status = answer.status
        for fault in self.faults:
            answer = await fault.after(record) or answer
        return answer

    async def _stream(self, request: web.Request, record: Record) -> web.StreamResponse:
        """Pass a watch or a followed log on while it lasts."""
        call = record.call
        try:
            async with self._send(request, call, b"", None) as upstream:
                record.status = upstream.status
                response = web.StreamResponse(status=upstream.status, headers=_headers(upstream))
                await response.prepare(request)
                is_watch = call.verb == "watch" and upstream.status == 200
                chunks = _lines(upstream.content) if is_watch else upstream.content.iter_any()
                for fault in self.faults:
                    chunks = fault.events(call, chunks) if is_watch else fault.log(call, chunks)
                try:
                    async for chunk in chunks:
                        await response.write(chunk)
                finally:
                    hang_up(upstream)
                await response.write_eof()
                return response
        except (aiohttp.ClientError, ConnectionError):
            return _cut(request)

    def _send(
        self, request: web.Request, call: Call, body: bytes, seconds: float | None
    ) -> aiohttp.client._RequestContextManager:
        headers = [(key, value) for key, value in request.headers.items() if key.lower() not in NOT_PASSED_ON]
        for key, value in self._identity.items():
            headers += [(key, item) for item in ([value] if isinstance(value, str) else value)]
        query = dict(request.query)
        for fault in self.faults:
            query = fault.ask(call, query)
        timeout = aiohttp.ClientTimeout(total=seconds)
        return self._api.session.request(
            request.method, request.path, params=query, headers=headers, data=body or None, timeout=timeout
        )


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The events of a watch. An object can be longer than a reader's line limit."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {key: value for key, value in response.headers.items() if key in {"Content-Type", "Retry-After", "Warning"}}


def _cut(request: web.Request) -> web.StreamResponse:
    """Break the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
