"""The operator as a process of its own, which can be killed, stopped for a while, and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from tests.integration.agent_process import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

STOP_SECONDS = 20.0
SKEWED = "tests.faults.skewed"
SOURCE = Path(__file__).parents[2]
"""The operator of this checkout, whichever is installed."""


class OperatorProcess:
    """`python -m seatrial` with a kubeconfig and a configuration of its own. Whenever it ends it is started anew."""

    def __init__(self, folder: Path, config: Mapping[str, Any], name: str) -> None:
        self.kubeconfig = folder / f"{name}.kubeconfig"
        self.starts = 0
        self.skew = 0.0
        """Seconds by which its clock is wrong from its next start on."""
        self._config = folder / f"{name}.yaml"
        self._config.write_text(json.dumps(config))  # JSON is YAML
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._port = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def start(self) -> None:
        """Start it, and again whenever it ends, until it is stopped. Does nothing when it runs."""
        self._wanted.set()
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            self.starts += 1
            self._port = free_port()
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "PYTHONPATH": str(SOURCE),
                "KUBECONFIG": str(self.kubeconfig),
                "SEATRIAL_CONFIG": str(self._config),
                "SEATRIAL_HEALTH_PORT": str(self._port),
            }
            command = ["-m", SKEWED, str(self.skew)] if self.skew else ["-m", "seatrial"]
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, *command, env=environment, stdout=log, stderr=log, cwd=self._log.parent
                )
            await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if there is anybody to get it."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def kill(self, *, again: bool = True) -> None:
        """SIGKILL: no word to anybody. `again` says whether it is started anew."""
        if not again:
            self._wanted.clear()
        self.signal(signal.SIGKILL)

    async def ended(self) -> int:
        """Wait for the process that runs now to end; its exit status."""
        return 0 if self._process is None else await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL when that does not help. Returns the exit status; it is not started anew."""
        self._wanted.clear()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await self.ended()
        except TimeoutError:
            self.kill()
            return await self.ended()

    async def health(self) -> int:
        """The status that the kubelet's liveness probe gets; 0 when nobody answers."""
        url = f"http://127.0.0.1:{self._port}/healthz"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as response:
                return response.status
        except aiohttp.ClientConnectionError:
            return 0

    def log(self, lines: int = 40) -> str:
        """What the operator has logged last."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
