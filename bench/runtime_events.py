"""When containers started, to the millisecond: the runtime's own events, where this machine can see them.

Pod status has whole seconds. On the one-node cluster of hack/cluster containerd can be asked; elsewhere there are no
such rows in the timeline.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from hack.cluster.containerd import NAMESPACE
from hack.cluster.layout import this_checkout

if TYPE_CHECKING:
    from asyncio.subprocess import Process

_LABEL = "io.kubernetes.pod"
_EVENT = re.compile(r"^(?P<at>\S+ \S+) \S+ \S+ \S+ (?P<topic>/\S+) (?P<body>\{.*\})$")


@dataclass
class RuntimeEvents:
    """Container id -> seconds since the epoch. A pod's sandbox is a container too."""

    created: dict[str, float] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    sandboxes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id of a sandbox -> namespace and name of its pod."""
    _process: Process | None = None
    _reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen, if there is something to listen to."""
        socket = this_checkout().containerd_socket
        if not socket.exists():
            return
        self._process = await asyncio.create_subprocess_exec(
            *("ctr", "--address", str(socket), "--namespace", NAMESPACE, "events"),
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        async for raw in self._process.stdout:
            match = _EVENT.match(raw.decode().strip())
            if match is None:
                continue
            # 2026-01-31 12:00:00.123456789 +0000 UTC, and more digits than datetime reads
            at = _seconds(match["at"])
            body = json.loads(match["body"])
            container = str(body.get("container_id") or body.get("id") or "")
            labels = body.get("labels") or {}
            if labels.get("io.cri-containerd.kind") == "sandbox":
                self.sandboxes[container] = (labels[f"{_LABEL}.namespace"], labels[f"{_LABEL}.name"])
            target = {"/tasks/start": self.started, "/containers/create": self.created, "/tasks/exit": self.ended}
            if (times := target.get(match["topic"])) is not None:
                times.setdefault(container, at)


def _seconds(text: str) -> float:
    day, time = text.split(" ")
    whole, _, fraction = time.partition(".")
    return datetime.fromisoformat(f"{day}T{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
