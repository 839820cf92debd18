"""Reading files in a folder where somebody hostile may write, truncate, delete and replace them."""

from __future__ import annotations

import os
import stat

from seatrial.records import MAX_SIZE, RECORD_BYTES, Garbage, dump_record, load_object

CHUNK = 1 << 18


def garbage(size: int, message: str) -> bytes:
    return dump_record(Garbage(min(size, MAX_SIZE), message))


def open_regular(path: str) -> int:
    """Open a regular file without blocking and without following a link in any part of its path. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    *folders, name = [part for part in path.split("/") if part]
    parent = os.open("/" if path.startswith("/") else ".", flags | os.O_DIRECTORY)
    try:
        for folder in folders:
            child = os.open(folder, flags | os.O_DIRECTORY, dir_fd=parent)
            os.close(parent)
            parent = child
        fd = os.open(name, flags, dir_fd=parent)
    finally:
        os.close(parent)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(0, "not a regular file")
    return fd


class Tail:
    """The complete lines of the file of records, as they come.

    Once open, the file may be deleted or replaced: its writers, too, go on with the one that they opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self.offset = 0
        self.ended = False
        """The record of the end was seen."""
        self._closed = False
        self._problem = ""
        self._rest = b""
        self._skipped = 0

    def read(self) -> tuple[list[bytes], bool]:
        """The records in the next chunk, and whether there may be more at once."""
        if self._closed or (self.fd < 0 and not self._open()):
            return [], False
        try:
            data = os.read(self.fd, CHUNK)
            if not data and os.fstat(self.fd).st_size < self.offset:
                self._give_up("the file of records was truncated")
        except OSError as error:
            self._give_up(f"the file of records cannot be read: {error.strerror}")
            return [], False
        self.offset += len(data)
        return self._split(data), len(data) == CHUNK

    def last(self) -> list[bytes]:
        """What there is to say when nothing more will come: a line without an end, a file that could not be read."""
        size = len(self._rest) + self._skipped
        lines = [garbage(size, "a line without an end")] if size else []
        return [*lines, garbage(self.offset, self._problem)] if self._problem else lines

    def _open(self) -> bool:
        try:
            self.fd = open_regular(self.path)
        except FileNotFoundError:
            return False
        except PermissionError as error:  # just created, and about to be made readable
            self._problem = f"the file of records cannot be opened: {error.strerror}"
            return False
        except OSError as error:
            self._give_up(f"the file of records cannot be opened: {error.strerror}")
            return False
        self._problem = ""
        return True

    def _give_up(self, problem: str) -> None:
        self._problem, self._closed = problem, True

    def _split(self, data: bytes) -> list[bytes]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        records: list[bytes] = []
        bad = 0
        for line in lines:
            size = len(line) + 1 + self._skipped
            self._skipped = 0
            # Without the first condition a file of line ends alone would take a minute.
            members = load_object(line) if line[:1] == b"{" and size <= RECORD_BYTES else None
            if members is None:
                bad += size
                continue
            if bad:
                records.append(garbage(bad, "not a JSON object, or too long"))
                bad = 0
            self.ended = self.ended or members.get("t") == "end"
            records.append(line)
        if bad:
            records.append(garbage(bad, "not a JSON object, or too long"))
        if len(self._rest) > RECORD_BYTES:  # remember that it was there, not what it said
            self._skipped += len(self._rest)
            self._rest = b""
        return records
