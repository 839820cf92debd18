"""The folder in which runs live while they go on; and what is left when one was killed with its keeper."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import SeatrialError
from seatrial.local.locks import hold, is_held
from seatrial.local.servers.docker_client import remove_containers

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "seatrial-run-"
MEMORY = Path("/dev/shm")  # noqa: S108  (a memory file system of Linux)
ROOM_BYTES = 1 << 30
"""As much as a run with every service may need; memory that has less is not used."""
LEAST_BYTES = 1 << 20
"""With less than this a folder is as good as full."""
LOCK = ".lock"


class NoScratchError(SeatrialError):
    """No folder can be made."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder at `data_place()`. It is locked until this process and its fork have ended.

    Raises NoScratchError.
    """
    remove_stale()
    with ExitStack() as stack:
        place: Path | None = None
        try:
            place = data_place()
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.chmod(0o711)  # servers that are not root's go through it
            stack.callback(os.close, hold(folder / LOCK))
        except OSError as error:
            where = f" in {place}" if place else ""
            raise NoScratchError(
                f"no folder for the data of the run can be made{where}: {error.strerror or error}. "
                "Make room there, or set TMPDIR to a folder that can be written"
            ) from None
        stack.callback(remove_containers, folder)
        yield folder


def data_place() -> Path:
    """Where runs have their folders: where TMPDIR says, else in memory where there is room enough. Raises OSError."""
    with suppress(OSError):
        if not os.environ.get("TMPDIR") and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
            return MEMORY
    return Path(tempfile.gettempdir())


def _places() -> set[Path]:
    """Where runs may be."""
    with suppress(FileNotFoundError):
        return {MEMORY, Path(tempfile.gettempdir())}
    return {MEMORY}


def remove_stale() -> list[Path]:
    """Remove the folders of runs whose engine and keeper were both killed, and what is left of their processes.

    Of those processes only such are left as have made themselves independent, like a daemon that a test has started.
    They are known by their environment, which names the folder (Linux). Returns what was removed.
    """
    removed = []
    for folder in (path for place in _places() for path in place.glob(f"{PREFIX}*")):
        with suppress(OSError):
            if folder.stat().st_uid != os.getuid() or not is_stale(folder):
                continue
            _kill_those_of(folder)
            remove_containers(folder)
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def when_full(folder: Path) -> str:
    """What is to be said of a folder in which there is hardly room; nothing where there is."""
    with suppress(OSError):
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize >= LEAST_BYTES and (disk.f_favail or not disk.f_files):
            return ""
    place = next((path.parent for path in folder.parents if path.name.startswith(PREFIX)), folder)
    return f" ({place} is full: make room there, or set TMPDIR to a folder that has more)"


def is_stale(folder: Path) -> bool:
    """Whether nobody holds the lock. A folder without one belongs to somebody else, or is just being made."""
    with suppress(FileNotFoundError):
        return not is_held(folder / LOCK)
    return False


def _kill_those_of(folder: Path) -> None:
    name = f"={folder}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if name in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
