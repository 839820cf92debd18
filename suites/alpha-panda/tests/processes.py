"""Services of the suite's own, as processes: those that a test kills, cuts off, or runs several of."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from ports import own_port
from services import ServiceClient

from seatrial_kit.waiting import deadline_seconds, eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path


class ServiceProcess:
    """`python -m alpha_panda` with an environment of its own."""

    def __init__(self, service: str, folder: Path, **settings: str) -> None:
        port = own_port()
        self.service = service
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"{service}-{port}.log"
        self._environment = os.environ | {"SERVICE": service, "HTTP_PORT": str(port), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "alpha_panda"], env=self._environment, stdout=log, stderr=log
            )

    async def wait_ready(self) -> ServiceClient:
        async with httpx.AsyncClient(base_url=self.url, timeout=5, trust_env=False) as client:
            service = ServiceClient(self.service, client)

            async def probe() -> bool:
                if self._process is None or self._process.poll() is not None:
                    pytest.fail(f"{self.service} ended; it said:\n{self.output()}", pytrace=False)
                status, body = await service.health()
                assert status == httpx.codes.OK, f"{status} {body}\n{self.output()}"
                return True

            awaited = f"{self.service} at {self.url} to be ready"
            await eventually_async(probe, awaited, seconds=2 * deadline_seconds())
        return service

    def kill(self) -> None:
        """kill -9: nothing is finished, nothing is said."""
        self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        process = self._process
        process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(process.wait, deadline_seconds())

    def output(self, characters: int = 4000) -> str:
        return self._log.read_text(errors="replace")[-characters:] if self._log.exists() else "nothing"

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(deadline_seconds())
            self._process = None


@asynccontextmanager
async def running(folder: Path, services: Iterable[str], **settings: str) -> AsyncIterator[dict[str, ServiceProcess]]:
    """One process of each service, ready."""
    processes = {service: ServiceProcess(service, folder, **settings) for service in services}
    try:
        for process in processes.values():
            process.start()
        for process in processes.values():
            await process.wait_ready()
        yield processes
    finally:
        for process in processes.values():
            process.kill()


@asynccontextmanager
async def clients(processes: Iterable[ServiceProcess]) -> AsyncIterator[dict[str, ServiceClient]]:
    async with AsyncExitStack() as stack:
        found = {}
        for process in processes:
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=process.url, timeout=5, trust_env=False)
            )
            found[process.service] = ServiceClient(process.service, client)
        yield found
