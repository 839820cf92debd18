"""Requests to a real API server, over its real TLS, through a pipe that a test can stop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from kubernetes.aio import client, config

from seatrial.kube.requests import Requests
from tests.apiserver.conftest import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.apiserver

SECONDS = 15
"""Less than the 30 s for which asyncio waits for the other end to agree that a TLS connection is over."""


class Pipe:
    """Another address of the API server."""

    def __init__(self, host: str, port: int) -> None:
        self.silent = asyncio.Event()
        """Set by the test: the server is heard no more."""
        self.left = asyncio.Event()
        """The client has ended its connection."""
        self._upstream = (host, port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection(*self._upstream)
        answering = asyncio.create_task(self._answer(answers, writer))
        try:
            with suppress(ConnectionError):
                while data := await reader.read(65536):
                    questions.write(data)
            self.left.set()
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            for end in (questions, writer):
                end.transport.abort()

    async def _answer(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await answers.read(65536):
            if not self.silent.is_set():
                writer.write(data)


@asynccontextmanager
async def piped(kubeconfig: Path) -> AsyncIterator[tuple[Requests, Pipe]]:
    access = client.Configuration()
    path = str(kubeconfig)
    await config.load_kube_config(config_file=path, client_configuration=access)  # type: ignore[no-untyped-call]
    server = urlsplit(access.host)
    pipe = Pipe(str(server.hostname), server.port or 443)
    async with await asyncio.start_server(pipe.serve, "127.0.0.1", 0) as listener:
        access.host = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        access.tls_server_name = access.tls_server_name or server.hostname
        requests = Requests(access, 1)
        try:
            yield requests, pipe
        finally:
            await requests.close()


async def test_whoever_stops_to_follow_hangs_up_at_once(kubeconfig: Path) -> None:
    """The loop of a command may end right after: it does not stay for a server that is slow to agree."""
    async with asyncio.timeout(SECONDS), piped(kubeconfig) as (requests, pipe):
        lines = requests.read_lines(NAMESPACES, [("watch", "1")], "watch of namespaces")
        assert b'"ADDED"' in await anext(lines)
        pipe.silent.set()
        await lines.aclose()
        await pipe.left.wait()
