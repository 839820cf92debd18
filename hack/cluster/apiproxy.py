"""Carries connections from a loopback port of the machine to the API server inside the node's network namespace.

A socket belongs to the namespace it was made in: the listening one is made outside and handed down, so this process
accepts connections from outside while it dials inside, and it dies with the node.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast


class Leg(asyncio.Protocol):
    """One side of a carried connection; reads from it only as fast as the other side takes it."""

    def __init__(self, peer: Leg | None = None) -> None:
        self.peer = peer
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.peer and self.peer.transport:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """Pass on the half-close, and keep the other direction open."""
        if self.peer and self.peer.transport and self.peer.transport.can_write_eof():
            self.peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.peer and self.peer.transport:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer and self.peer.transport:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self.peer and self.peer.transport:
            self.peer.transport.close()


class Front(Leg):
    """The side towards the client: dials the server before it reads anything."""

    def __init__(self, port: int, dials: set[asyncio.Task[None]]) -> None:
        super().__init__()
        self._port = port
        self._dials = dials

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.transport:
            self.transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._dial())
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    async def _dial(self) -> None:
        transport = self.transport
        if transport is None:
            return
        try:
            _, back = await asyncio.get_running_loop().create_connection(lambda: Leg(self), "127.0.0.1", self._port)
        except OSError:
            transport.abort()
            return
        self.peer = back
        if transport.is_closing():
            if back.transport:
                back.transport.close()
        else:
            transport.resume_reading()


async def serve(listener: socket.socket, port: int) -> None:
    """Carry connections until the process ends."""
    dials: set[asyncio.Task[None]] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Front(port, dials), sock=listener, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])))
