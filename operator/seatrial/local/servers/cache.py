"""What took long to make is kept in a folder of the user, for all runs.

An entry's name says what it was made from, and an entry never changes: it is made beside its place and then renamed.
Processes that want the same entry at once wait for the one that makes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import SeatrialError

if TYPE_CHECKING:
    from collections.abc import Iterator

UNFINISHED = ".unfinished"


class CacheError(SeatrialError):
    """The cache cannot be written."""


def key(*parts: str) -> str:
    """Twelve hexadecimal digits for what an entry is made from."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@contextmanager
def making(entry: Path) -> Iterator[Path | None]:
    """A folder to be filled, which becomes the entry when the block ends well; None when the entry is there by then.

    Raises CacheError; OSError is whatever the block says of it.
    """
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock = entry.with_name(f"{entry.name}.lock").open("w")
    except OSError as error:
        raise _unwritable(entry, error) from None
    with lock:
        # Let go by the kernel, however this process ends.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if entry.is_dir():
            yield None
            return
        for left in entry.parent.glob(f"{entry.name}.*{UNFINISHED}"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", suffix=UNFINISHED, dir=entry.parent))
        except OSError as error:
            raise _unwritable(entry, error) from None
        try:
            yield folder
            folder.rename(entry)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _unwritable(entry: Path, error: OSError) -> CacheError:
    return CacheError(
        f"the cache folder {entry.parent} cannot be written: {error.strerror or error}. "
        "Make it writable, or set XDG_CACHE_HOME to a folder that is"
    )
