"""A proxy with a server in the place of the API server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from .api import Api
from .call import CUT
from .proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .fault import Fault

RUNS = "/apis/seatrial.dev/v1alpha1/namespaces/team/testruns"


class Server:
    """Counts what reaches it, and watches what it is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.events: list[bytes] = []
        """Each watch gets them all."""
        self._changed = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        self.queries.append(dict(request.query))
        if request.query.get("watch") != "true":
            return web.json_response({"kind": "Status"}, status=201 if request.method == "POST" else 200)
        response = web.StreamResponse()
        await response.prepare(request)
        sent = 0
        while True:
            for line in self.events[sent:]:
                await response.write(line)
                sent += 1
            await self._changed.wait()

    def tell(self, name: str, kind: str = "MODIFIED", **more: Any) -> None:
        item = {"kind": "Pod", "metadata": {"name": name, "namespace": "a"}, **more}
        self.events.append(json.dumps({"type": kind, "object": item}).encode() + b"\n")
        self._changed.set()
        self._changed = asyncio.Event()


class Bench:
    def __init__(self, server: Server, proxy: Proxy, client: aiohttp.ClientSession) -> None:
        self.server, self.proxy, self.client = server, proxy, client

    async def send(self, method: str = "POST", path: str = RUNS) -> int:
        """A request through the proxy; its status, or -1 when the connection was cut."""
        try:
            async with self.client.request(method, self.proxy.url + path) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return CUT

    async def watch(self, number: int) -> list[str]:
        """The first events of a watch: type and name."""
        seen: list[str] = []
        async with self.client.get(f"{self.proxy.url}/api/v1/pods", params={"watch": "true"}) as response:
            async for line in response.content:
                event = json.loads(line)
                name = event["object"].get("metadata", {}).get("name", event["object"].get("code"))
                seen.append(f"{event['type']} {name} {event['object'].get('at', '')}".strip())
                if len(seen) == number:
                    break
        return seen


@contextlib.asynccontextmanager
async def bench(*faults: Fault) -> AsyncIterator[Bench]:
    server = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with (
        Api(aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}")) as api,
        Proxy(api) as proxy,
        aiohttp.ClientSession() as client,
    ):
        proxy.reset(*faults)
        async with asyncio.timeout(20):
            yield Bench(server, proxy, client)
    await runner.cleanup()
