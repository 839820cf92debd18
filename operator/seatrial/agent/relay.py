"""The sidecar of a suite: follows the file of records and prints it, numbered and compressed, on its own stdout.

The folder it reads from belongs to a tenant: whatever lies there is read without following a link and without blocking,
in bounded memory, and becomes at worst a record of type ``garbage``. Having nothing left to read it waits for SIGTERM
rather than exit, because the kubelet would start it again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from seatrial.agent.tail import CHUNK, Tail, garbage, open_regular
from seatrial.credentials import redact_bytes
from seatrial.lines import BATCH_RECORDS, LINE_BYTES, OVERFLOW, encode
from seatrial.records import MESSAGE_BYTES, Attempt, JunitError, clip, dump_object, dump_record, load_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from seatrial.records import Record

POLL_SECONDS = 0.01
IDLE_SECONDS = 0.2
"""After the last record there is only SIGTERM to wait for, which ends the wait by itself."""
LATE_SECONDS = 0.05
DRAIN_BYTES = 256 << 20
STREAM_BYTES = 8 << 20
"""Of stdout in all: the kubelet rotates a log at 10 MiB and serves only the current file."""
TEXT_STREAM_BYTES = 6 << 20
MESSAGE_STREAM_BYTES = 7 << 20
PACKED_BYTES = 256 << 10
"""Of records that go into one line, before compression; half of what the reader accepts."""
SINGLE_BYTES = 11_000
"""A record of this size fits into a line even if it cannot be compressed."""
FAILING = frozenset({"failed", "error"})
STOP = (signal.SIGTERM, signal.SIGINT)


class Output:
    """Numbers records and prints them, within the limits of a line and of the whole stream."""

    def __init__(self, fd: int = 1) -> None:
        self.fd = fd
        self.next = 1
        self.spent = 0
        self.full = False

    def emit(self, records: Iterable[bytes]) -> None:
        """Print records in as many lines as needed."""
        batch: list[bytes] = []
        size = 0
        for record in map(redact_bytes, records):
            if batch and (len(batch) == BATCH_RECORDS or size + len(record) > PACKED_BYTES):
                self._print(batch)
                batch, size = [], 0
            batch.append(record)
            size += len(record)
        if batch:
            self._print(batch)

    def _print(self, records: list[bytes]) -> None:
        if self.full:
            return
        line = encode(self.next, [self._reduce(record) for record in records])
        if len(line) > LINE_BYTES:
            if len(records) == 1:
                self._print([shrink(records[0])])
            else:
                self._print(records[: len(records) // 2])
                self._print(records[len(records) // 2 :])
            return
        if self.spent + len(line) > STREAM_BYTES - len(OVERFLOW):
            self.full = True
            line = OVERFLOW
        write_all(self.fd, line)
        self.spent += len(line)
        self.next += len(records)

    def _reduce(self, record: bytes) -> bytes:
        """What a stream that comes near its limit still says of a record."""
        if self.spent < TEXT_STREAM_BYTES or (members := load_object(record)) is None:
            return record
        members.pop("x", None)
        if self.spent >= MESSAGE_STREAM_BYTES and members.get("t") != "end":
            members.pop("m", None)
            if members.get("o") == "passed":
                members = {key: members[key] for key in ("t", "id", "o", "a") if key in members}
        return dump_object(members)


def shrink(record: bytes) -> bytes:
    """A record that surely fits into a line: less text, none, or only that it was there."""
    members = load_object(record) or {}
    for limit in (MESSAGE_BYTES * 8, MESSAGE_BYTES, 0):
        for key in ("x", "stderr", "message"):
            if isinstance(members.get(key), str):
                members[key] = clip(members[key], limit)
        smaller = dump_object(members)
        if len(smaller) <= SINGLE_BYTES:
            return smaller
    return garbage(len(record), "too large for a line")


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def follow(path: str, output: Output, services: Sequence[str] = ()) -> None:
    """Until SIGTERM, then what is left in the file."""
    tail = Tail(path)
    pending: list[bytes] = []
    flushed = 0.0
    asked = False
    while True:
        stop = signal.sigtimedwait(STOP, IDLE_SECONDS if tail.ended and not pending else POLL_SECONDS) is not None
        ended, start, more = tail.ended, tail.offset, True
        while more and not output.full and tail.offset - start < (DRAIN_BYTES if stop else 4 * CHUNK):
            records, more = tail.read()
            if tail.ended and not asked:
                asked = True
                records[-1:-1] = unreachable(records[-1], services)
            pending += records
            if full := len(pending) // BATCH_RECORDS * BATCH_RECORDS:
                output.emit(pending[:full])
                del pending[:full]
        if stop:
            output.emit([*pending, *tail.last()])
            return
        now = time.monotonic()
        if pending and (now - flushed >= LATE_SECONDS or tail.ended != ended):
            output.emit(pending)
            pending.clear()
            flushed = now


def unreachable(end: bytes, services: Sequence[str]) -> list[bytes]:
    """What is to be told of the services before the end of a suite that did not pass."""
    if (load_object(end) or {}).get("rc") == 0:
        return []
    from seatrial.agent.services import find_unreachable  # noqa: PLC0415  # only suites that fail pay for it

    return [dump_record(record) for record in find_unreachable(services)]


def relay_junit(path: str, output: Output, services: Sequence[str] = ()) -> None:
    """Read a JUnit XML file once the suite has ended."""
    signal.sigwait(STOP)
    from seatrial.agent.junit import JunitFormatError, parse_junit  # noqa: PLC0415  # only these suites pay for it

    records: list[Record]
    try:
        fd = open_regular(path)
        try:
            records = parse_junit(iter(lambda: os.read(fd, CHUNK), b""), now=time.time())
        finally:
            os.close(fd)
    except JunitFormatError as error:
        records = [JunitError(clip(f"{path}: {error}", MESSAGE_BYTES))]
    except OSError as error:
        records = [JunitError(clip(f"{path}: {error.strerror}", MESSAGE_BYTES))]
    failing = any(isinstance(record, Attempt) and record.outcome in FAILING for record in records)
    if failing:
        from seatrial.agent.services import find_unreachable  # noqa: PLC0415  # only suites that fail pay for it

        records = [*find_unreachable(services), *records]
    output.emit(dump_record(record) for record in records)


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Exit status 0 after SIGTERM, 2 when the variables are wrong."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    for number in STOP:
        signal.signal(number, lambda *_: None)  # without a handler PID 1 would never get it
    services = environ.get("SEATRIAL_SERVICES", "").split()
    if junit := environ.get("SEATRIAL_JUNIT"):
        relay_junit(junit, Output(), services)
    elif folder := environ.get("SEATRIAL_RECORDS"):
        follow(f"{folder}/records.jsonl", Output(), services)
    else:
        print("the relay needs SEATRIAL_RECORDS, a folder, or SEATRIAL_JUNIT, a file", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
