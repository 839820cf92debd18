from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from seatrial.agent.environment.applications import application_attempt
from seatrial.agent.environment.input import Application, HttpReady, ResolvesReady, TcpReady
from seatrial.agent.environment.outcomes import NotReadyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@asynccontextmanager
async def application(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[int]:
    """A real HTTP server; its port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    try:
        yield listening.getsockname()[1]
    finally:
        await runner.cleanup()


def http(port: int, path: str = "/healthz") -> Application:
    return Application("127.0.0.1", HttpReady(path, port))


@pytest.mark.parametrize("status", [200, 204, 301, 399])
async def test_2xx_and_3xx_are_ready_and_redirects_not_followed(status: int) -> None:
    paths = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.raw_path)
        return web.Response(status=status, headers={"Location": "/other"})

    async with application(handler) as port:
        attempt, _ = application_attempt(http(port, "/ready%2Fnow?full=1&x=%C3%A4"))
        await attempt()
    assert paths == ["/ready%2Fnow?full=1&x=%C3%A4"]


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
async def test_other_answers_are_not(status: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text="loading\nthe model")

    async with application(handler) as port:
        attempt, expected = application_attempt(http(port))
        with pytest.raises(
            NotReadyError, match=f"GET http://127.0.0.1:{port}/healthz answered HTTP {status}: loading the"
        ):
            await attempt()
    assert expected == f"2xx or 3xx to GET http://127.0.0.1:{port}/healthz within 1 s"


async def test_an_answer_that_takes_too_long() -> None:
    released = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async with application(handler) as port:
        attempt, _ = application_attempt(http(port))
        with pytest.raises(NotReadyError, match=f"127.0.0.1:{port} did not answer GET /healthz within 1 s"):
            await attempt()
        released.set()


async def test_an_answer_that_is_not_http_or_none() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp ready\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        attempt, _ = application_attempt(http(port))
        with pytest.raises(NotReadyError, match=f"127.0.0.1:{port}: "):
            await attempt()
    with pytest.raises(NotReadyError, match=f"127.0.0.1:{port} refuses connections"):
        await attempt()


async def test_tcp_is_ready_when_a_connection_is_accepted() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        attempt, expected = application_attempt(Application("127.0.0.1", TcpReady(port)))
        with pytest.raises(NotReadyError, match="refuses connections"):
            await attempt()
        bound.listen()
        await attempt()
    assert expected == f"an accepted connection at 127.0.0.1:{port}"


async def test_resolves_is_ready_when_the_name_resolves() -> None:
    attempt, _ = application_attempt(Application("app.invalid", ResolvesReady()))
    with pytest.raises(NotReadyError, match=r"the name app\.invalid does not resolve yet"):
        await attempt()
    attempt, _ = application_attempt(Application("localhost", ResolvesReady()))
    await attempt()
