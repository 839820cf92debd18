"""The gate: one small HTTP/1.1 server. `GET /gate` is held until the environment is open or has failed.

Made of asyncio's streams: one request per connection and two paths do not justify the 150 ms that importing an HTTP
server takes at the start of every run. Its clients are the pods of the run, which hold whatever a tenant put there, so
connections, sizes and times are bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

MAX_CONNECTIONS = 512
MAX_HEAD_BYTES = 8192
HEAD_SECONDS = 10.0
LINGER_SECONDS = 2.0

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


def listen(port: int) -> socket.socket:
    """A socket that accepts connections from now on, of both address families where there are two."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, backlog=MAX_CONNECTIONS, dualstack_ipv6=both)


class Gate:
    """Holds requests until it is opened or failed; the first of the two stays.

    Beyond `max_connections` a request is turned away, beyond twice as many a connection is cut.
    """

    def __init__(self, *, head_seconds: float = HEAD_SECONDS, max_connections: int = MAX_CONNECTIONS) -> None:
        self._answer: tuple[int, str] | None = None
        self._decided = asyncio.Event()
        self._head_seconds = head_seconds
        self._max_connections = max_connections
        self._connections = 0

    def open(self) -> None:
        self._decide(200, "open")

    def fail(self, message: str) -> None:
        """From now on the answer is 503 with this message."""
        self._decide(503, message)

    async def serve(self, listening: socket.socket) -> asyncio.Server:
        """Start to answer."""
        return await asyncio.start_server(self._connected, sock=listening, limit=MAX_HEAD_BYTES)

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._connections

    def _decide(self, status: int, body: str) -> None:
        if self._answer is None:
            self._answer = status, body
            self._decided.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= 2 * self._max_connections:
            writer.transport.abort()
            return
        self._connections += 1
        try:
            answer = await self._respond(reader)
            if answer:
                writer.write(_response(*answer))
                writer.write_eof()
                # Closing while there is something unread would reset the connection, and take the answer with it.
                async with asyncio.timeout(LINGER_SECONDS):
                    await _until_end(reader)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone, or sent no request in time
        finally:
            self._connections -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _respond(self, reader: asyncio.StreamReader) -> tuple[int, str] | None:
        if self._connections > self._max_connections:
            return 429, f"more than {self._max_connections} connections wait at the gate: try again later"
        try:
            async with asyncio.timeout(self._head_seconds):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return 431, f"the request's head is longer than {MAX_HEAD_BYTES} bytes"
        match head.split(b"\r\n", 1)[0].split(b" "):
            case [b"GET", target, b"HTTP/1.1" | b"HTTP/1.0"]:
                path = target.split(b"?", 1)[0]
            case [_, _, b"HTTP/1.1" | b"HTTP/1.0"]:
                return 405, "only GET is supported"
            case _:
                return 400, "not an HTTP/1.1 request"
        if path == b"/healthz":
            return 200, "ok"
        if path != b"/gate":
            return 404, "there are /gate and /healthz"
        return await self._hold(reader)

    async def _hold(self, reader: asyncio.StreamReader) -> tuple[int, str] | None:
        decided = asyncio.ensure_future(self._decided.wait())
        gone = asyncio.ensure_future(_until_end(reader))
        try:
            await asyncio.wait((decided, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            decided.cancel()
            gone.cancel()
            await asyncio.gather(decided, gone, return_exceptions=True)
        return self._answer


async def _until_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(MAX_HEAD_BYTES):
        pass  # whatever a client sends after its request is of no interest


def _response(status: int, body: str) -> bytes:
    content = body.encode("utf-8", "replace")
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + content
