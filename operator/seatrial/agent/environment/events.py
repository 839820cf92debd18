"""The event stream on stdout: JSON objects, one a line. One writer, nothing buffered."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.agent.environment.redaction import Redactor

WAITING_INTERVAL_SECONDS = 1.0
MAX_MESSAGE = 2000
"""Characters. A line has to stay whole in the container's log, which cuts lines at 16 KiB."""


class Events:
    """Writes events; every `message` is redacted and cut. Used by one thread only."""

    def __init__(
        self,
        redact: Redactor,
        *,
        write: Callable[[bytes], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redact = redact
        self._write = write or _write_stdout
        self._monotonic = monotonic
        self._start = monotonic()
        self._waiting: dict[tuple[str, str], tuple[str, float]] = {}

    def emit(self, event: str, **members: Any) -> None:
        """Write one event at once."""
        if "message" in members:
            members["message"] = self.presentable(members["message"])
        line = json.dumps({"t": event, "at": round(time.time(), 6), **members}) + "\n"
        self._write(line.encode())

    def waiting(self, kind: str, name: str, message: str) -> None:
        """Say what the last attempt saw: only when it has changed, and at most once a second per name."""
        now = self._monotonic()
        said, at = self._waiting.get((kind, name), (None, float("-inf")))
        if message != said and now - at >= WAITING_INTERVAL_SECONDS:
            self._waiting[kind, name] = (message, now)
            self.emit("waiting", kind=kind, name=name, message=message)

    def ready(self, kind: str, name: str) -> None:
        self.emit("ready", kind=kind, name=name, seconds=round(self._monotonic() - self._start, 6))

    def presentable(self, message: str) -> str:
        """A message without secrets and of bounded length."""
        message = self._redact(message)
        return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"


def _write_stdout(line: bytes) -> None:
    while line:
        line = line[os.write(1, line) :]
