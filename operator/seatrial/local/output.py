"""What containers say: into files, or through a pipe where every line is waited for."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TAIL_BYTES = 16 << 10


class FileOutput:
    """A file that is read only when somebody asks for its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.end = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def close(self) -> None:
        """The process has got its copy of the descriptor."""
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

    def tail(self, lines: int) -> str:
        """The last lines."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""


class LineOutput:
    """Lines that are read as they come, kept, and written to a file as well."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._lines: list[bytes] = []
        self._source, self.end = os.pipe()
        self._changed = asyncio.Event()
        self._closed = False
        self._rest = b""
        os.set_blocking(self._source, False)
        asyncio.get_running_loop().add_reader(self._source, self._read)

    def close(self) -> None:
        """The process has got its copy of the pipe's end: the pipe ends with the last one who holds it."""
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

    def _read(self) -> None:
        try:
            data = os.read(self._source, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self.finish()
            return
        with suppress(OSError):  # a full disk: the lines count all the same
            self._file.write(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines += lines
        self._changed.set()

    def finish(self) -> None:
        """Nothing more is read."""
        if self._closed:
            return
        self._closed = True
        asyncio.get_running_loop().remove_reader(self._source)
        os.close(self._source)
        self._file.close()
        self._changed.set()

    @property
    def lines(self) -> tuple[bytes, ...]:
        return tuple(self._lines)

    async def follow(self) -> AsyncIterator[bytes]:
        """The lines from the first one until the end."""
        read = 0
        while True:
            while read < len(self._lines):
                read += 1
                yield self._lines[read - 1]
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()

    def tail(self, lines: int) -> str:
        """The last lines."""
        return b"\n".join(self._lines[-lines:]).decode("utf-8", "replace")
