"""A TCP proxy that can be cut: a network between a client and a server that really fails."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

CHUNK = 1 << 16


class Proxy:
    """Forwards to a server from an event loop of its own, so that it lives as long as a test wants, and beyond a loop.

    `cut` resets every connection and refuses new ones, as a broker that died does. `partition` lets connections be and
    carries nothing any more, as a network that was split does: nobody is told. `heal` ends both; what was held up is
    carried then, as TCP would.
    """

    def __init__(self, host: str, port: int, listen: int = 0) -> None:
        self._upstream = host, port
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        with socket.socket() as free:
            free.bind(("127.0.0.1", listen))
            self.port: int = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.connections = 0
        self._call(self._listen())

    @classmethod
    def to(cls, address: str) -> Self:
        host, _, port = address.partition(",")[0].rpartition(":")
        return cls(host, int(port))

    def cut(self) -> None:
        self._call(self._refuse())

    def drop(self) -> None:
        """Reset every connection and accept new ones."""
        self._call(self._reset())

    def partition(self) -> None:
        self._loop.call_soon_threadsafe(self._open.clear)

    def heal(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)
        self._call(self._listen())

    def close(self) -> None:
        self._call(self._refuse())
        self._call(_ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self._reset()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        with suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
            self._writers.add(up_writer)
            await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
        self._writers -= {writer}
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """When one side ends, the other does."""
        try:
            while chunk := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            self._writers -= {writer}
            writer.transport.abort()


async def _ended() -> None:
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
