from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from seatrial.agent.environment.gate_server import MAX_HEAD_BYTES, Gate, listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GET_GATE = b"GET /gate HTTP/1.1\r\nHost: environment:8377\r\n\r\n"


class Client:
    """One connection to the gate."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, str]:
        """Status and body of what is sent until the server closes."""
        async with asyncio.timeout(30):
            head, _, body = (await self.reader.read()).decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        assert lines[0].startswith("HTTP/1.1 ")
        assert f"Content-Length: {len(body.encode())}" in lines
        assert "Connection: close" in lines
        return int(lines[0].split()[1]), body


class Server:
    """A gate on a port of its own."""

    def __init__(self, gate: Gate, port: int) -> None:
        self.gate, self.port = gate, port

    @asynccontextmanager
    async def connect(self, request: bytes = b"") -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()

    async def ask(self, request: bytes) -> tuple[int, str]:
        async with self.connect(request) as client:
            return await client.answer()

    async def until_connections(self, number: int) -> None:
        async with asyncio.timeout(30):
            while self.gate.connections != number:  # noqa: ASYNC110  # a condition of the code under test
                await asyncio.sleep(0)


@asynccontextmanager
async def serving(gate: Gate) -> AsyncIterator[Server]:
    socket = listen(0)
    server = await gate.serve(socket)
    running = Server(gate, socket.getsockname()[1])
    try:
        yield running
        await running.until_connections(0)
    finally:
        server.close()


async def test_requests_are_held_until_the_gate_opens() -> None:
    async with serving(Gate()) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(server.connect(GET_GATE)) for _ in range(300)]
        await server.until_connections(300)
        assert await server.ask(b"GET /healthz HTTP/1.1\r\n\r\n") == (200, "ok")
        assert all(not client.reader.at_eof() for client in clients)
        server.gate.open()
        answers = await asyncio.gather(*(client.answer() for client in clients))
        assert set(answers) == {(200, "open")}
        assert await server.ask(GET_GATE) == (200, "open")


async def test_a_failed_environment_is_told_to_all_and_stays_failed() -> None:
    async with serving(Gate()) as server, server.connect(GET_GATE) as held:
        await server.until_connections(1)
        server.gate.fail("kafka ist nicht bereit: „nein“")
        server.gate.open()
        assert await held.answer() == (503, "kafka ist nicht bereit: „nein“")
        assert await server.ask(GET_GATE) == (503, "kafka ist nicht bereit: „nein“")


async def test_an_open_gate_stays_open() -> None:
    async with serving(Gate()) as server:
        server.gate.open()
        server.gate.fail("too late")
        assert await server.ask(GET_GATE) == (200, "open")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /gates HTTP/1.1\r\n\r\n", 404),
        (b"POST /gate HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"\x16\x03\x01 TLS? \r\n\r\n", 400),
        (b"GET /gate HTTP/2\r\n\r\n", 400),
        (b"GET /gate HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES * 2, 431),
        (b"GET /healthz?x=1 HTTP/1.0\r\n\r\n", 200),
    ],
)
async def test_other_requests_are_answered_at_once(request_: bytes, status: int) -> None:
    async with serving(Gate()) as server:
        assert (await server.ask(request_))[0] == status


async def test_a_client_that_leaves_is_forgotten() -> None:
    async with serving(Gate()) as server:
        async with server.connect(GET_GATE + b"more than a request"):
            await server.until_connections(1)
        await server.until_connections(0)


async def test_a_client_that_sends_no_request_is_dropped() -> None:
    async with serving(Gate(head_seconds=0.05)) as server, server.connect(b"GET /gate") as client:
        async with asyncio.timeout(30):
            assert await client.reader.read() == b""
        await server.until_connections(0)


async def test_there_is_a_limit_to_connections_and_room_again_after_it() -> None:
    async with serving(Gate(max_connections=2)) as server:
        async with server.connect(GET_GATE), server.connect(GET_GATE):
            await server.until_connections(2)
            status, message = await server.ask(GET_GATE)
            assert (status, message) == (429, "more than 2 connections wait at the gate: try again later")
        await server.until_connections(0)
        server.gate.open()
        assert await server.ask(GET_GATE) == (200, "open")


async def test_far_more_connections_than_that_are_cut() -> None:
    async with serving(Gate(max_connections=1)) as server, server.connect(GET_GATE), server.connect(b"GET"):
        await server.until_connections(2)
        async with server.connect() as third, asyncio.timeout(30):
            assert await third.reader.read() == b""
