"""The applications of a run: each is asked in the way that its specification names.

Their names do not exist for a while: they are created once the services are ready.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from seatrial.agent.environment.input import Application, HttpReady, ResolvesReady, TcpReady
from seatrial.agent.environment.network import Reachability, resolve
from seatrial.agent.environment.outcomes import NotReadyError

if TYPE_CHECKING:
    from seatrial.agent.environment.attempts import Attempt

HTTP_SECONDS = 1.0
_READY = range(200, 400)


class _Resolves:
    """Whether a name has resolved for some seconds on end; an answer that is missing in between starts them anew.

    Where names are not set up, a file that is there says the same.
    """

    def __init__(self, name: str, seconds: float, file: str) -> None:
        self._name = name
        self._seconds = seconds
        self._file = file
        self._since: float | None = None

    async def __call__(self) -> None:
        try:
            await self._look()
        except NotReadyError:
            self._since = None
            raise
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        if now - self._since < self._seconds:
            raise NotReadyError(f"it is ready; waiting whether it stays so for {self._seconds:g} s")

    async def _look(self) -> None:
        if not self._file:
            await resolve(self._name)
        elif not os.path.exists(self._file):  # noqa: ASYNC240, PTH110  (of a folder in memory; pathlib takes milliseconds to import)
            raise NotReadyError("it is not ready yet")


def application_attempt(application: Application) -> tuple[Attempt, str]:
    """The check, which raises NotReadyError, and what it expects to see."""
    name, host = application.name, application.host or application.name
    match application.ready:
        case HttpReady(path, port):
            # Here and not above: see http_client.
            from seatrial.agent.environment.http_client import request  # noqa: PLC0415

            url = f"http://{host}:{port}{path}"
            reachable = Reachability(host, port)

            async def check() -> None:
                await reachable.check()
                answer = await request("GET", url, seconds=HTTP_SECONDS)
                if answer.status not in _READY:
                    raise NotReadyError(f"GET {url} answered HTTP {answer.status}: {answer.text}")

            return check, f"2xx or 3xx to GET {url} within {HTTP_SECONDS:g} s"
        case TcpReady(port):
            return Reachability(host, port).connect, f"an accepted connection at {host}:{port}"
        case ResolvesReady(seconds, file):
            return _Resolves(name, seconds, file), f"the name {name} to resolve, which it does once the pod is ready"
