"""What containers have said, and the part of the kubelet's HTTP API that serves it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from hack.kubelet.pods import Pod


class Log:
    """The log of one container: lines, of which a rotation may have dropped the first ones."""

    def __init__(self, keep: int | None = None) -> None:
        self.lines: list[bytes] = []
        self.closed = False
        self._keep = keep
        self._changed = asyncio.Event()

    def say(self, *lines: bytes) -> None:
        self.lines.extend(line if line.endswith(b"\n") else line + b"\n" for line in lines)
        self._pulse()

    def close(self) -> None:
        self.closed = True
        self._pulse()

    def rotate(self, keep: int) -> None:
        """Serve only so many of the last lines to those who begin to read from now on."""
        self._keep = keep

    @property
    def first(self) -> int:
        """Index of the first line that is still there."""
        return 0 if self._keep is None else max(0, len(self.lines) - self._keep)

    async def changed(self) -> None:
        await self._changed.wait()

    def _pulse(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def application(find: Callable[[str, str], Pod | None]) -> web.Application:
    """The kubelet's API, as far as `kubectl logs` needs it."""

    async def container_logs(request: web.Request) -> web.StreamResponse:
        namespace, name, container = (request.match_info[key] for key in ("namespace", "pod", "container"))
        pod = find(namespace, name)
        if pod is None:
            raise web.HTTPNotFound(text=f'pod "{name}" not found')
        query = request.query
        previous = query.get("previous") == "true"
        log = (pod.previous if previous else pod.logs).get(container)
        if log is None:
            why = "previous terminated container" if previous else "container"
            raise web.HTTPBadRequest(text=f'{why} "{container}" in pod "{name}" is waiting to start: ContainerCreating')
        tail = query.get("tailLines")
        position = log.first if tail is None else max(log.first, len(log.lines) - int(tail))
        left = int(query.get("limitBytes", "0")) or None
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        with contextlib.suppress(ConnectionResetError):  # whoever followed the log has gone
            await response.prepare(request)
            while left is None or left > 0:
                lines, position = log.lines[position:], len(log.lines)
                if lines:
                    data = b"".join(lines)[:left]
                    left = None if left is None else left - len(data)
                    await response.write(data)
                elif log.closed or query.get("follow") != "true":
                    break
                else:
                    await log.changed()
            await response.write_eof()
        return response

    served = web.Application()
    served.router.add_get("/containerLogs/{namespace}/{pod}/{container}", container_logs)
    return served
