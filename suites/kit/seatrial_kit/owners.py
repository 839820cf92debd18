"""Who owns what a test leaves on a server: a process that lives, or one that was killed.

A process holds a lock on a file of its own for as long as it lives, and the name of what it makes says which file that
is. The kernel lets go of the lock however the process ends, so nothing depends on clocks or on process numbers.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import hashlib
import os
import platform
import re
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

_OWNED = re.compile(r"([0-9a-f]{8})-([0-9a-f]{12})")
_held: list[int] = []  # an open descriptor is what holds a lock


@dataclass(frozen=True)
class Owner:
    """A process of this or of another machine."""

    host: str
    """Stands for the machine and for the folder of the locks."""
    token: str

    def __str__(self) -> str:
        return f"{self.host}-{self.token}"

    @property
    def gone(self) -> bool:
        """Whether it is known to have ended; of one on another machine, or with another TMPDIR, it cannot be."""
        if self.host != _host():
            return False
        try:
            descriptor = os.open(_folder() / self.token, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True


@functools.cache
def this_process() -> Owner:
    """The owner of what this process makes; the lock is taken at the first call and held to the end."""
    owner = Owner(_host(), uuid.uuid4().hex[:12])
    descriptor = os.open(_folder() / owner.token, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held.append(descriptor)
    atexit.register(_forget, _folder() / owner.token, os.getpid())
    return owner


def _forget(lock: Path, process: int) -> None:
    """At the end of the process, but not of one that was forked from it."""
    if os.getpid() == process:
        lock.unlink(missing_ok=True)


def owner_in(text: str) -> Owner | None:
    """The owner that a name or a description holds."""
    found = _OWNED.search(text)
    return Owner(found[1], found[2]) if found else None


@functools.cache
def _host() -> str:
    """Processes with different TMPDIR do not see each other's locks: to each, the other is of another machine."""
    folder = _folder()
    status = folder.stat()
    seen = f"{platform.node()} {folder} {status.st_dev} {status.st_ino}"
    return hashlib.sha256(seen.encode()).hexdigest()[:8]


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"pytest-seatrial-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
