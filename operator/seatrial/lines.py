"""The relay's lines: some records at a time, numbered and compressed. Every byte may be a tenant's."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING, NamedTuple

from seatrial.records import parse_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.records import Record

LINE_BYTES = 16_000
"""Of a line of the relay: containerd cuts a line of a log at 16 KiB."""
BATCH_RECORDS = 100
BATCH_BYTES = 512 << 10
"""Of the records in one line, before compression."""
OVERFLOW = b"S1 0 0 overflow\n"


class RecordError(ValueError):
    """A line that the relay cannot have written."""


class Batch(NamedTuple):
    """A line of the relay. With ``overflow`` the relay gave up at its limit, and records are missing."""

    first: int
    records: tuple[Record, ...]
    overflow: bool = False


def encode(first: int, records: Sequence[bytes]) -> bytes:
    """The relay's line for records of which the first has the sequence number ``first``; its length is not bounded."""
    packed = base64.b64encode(zlib.compress(b"".join(record + b"\n" for record in records)))
    return b"S1 %d %d %s\n" % (first, len(records), packed)


def decode(line: bytes) -> Batch:
    """Read a line of the relay. Raises RecordError for anything else, such as an error message of Python."""
    if len(line) > LINE_BYTES:  # before anything is made of it
        raise RecordError(f"not a line of the relay: {len(line)} bytes that start with {line[:80]!r}")
    if line.rstrip() == OVERFLOW.rstrip():
        return Batch(0, (), overflow=True)
    parts = line.rstrip(b"\r\n").split(b" ")
    if len(parts) != 4 or parts[0] != b"S1":  # noqa: PLR2004
        raise RecordError(f"not a line of the relay: {line[:80]!r}")
    if not all(part.isdigit() and len(part) <= 12 for part in parts[1:3]):  # noqa: PLR2004
        raise RecordError(f"sequence number and count are no numbers: {line[:40]!r}")
    first, count = int(parts[1]), int(parts[2])
    if first < 1 or not 1 <= count <= BATCH_RECORDS:
        raise RecordError(
            f"{count} records from number {first}: expected 1 to {BATCH_RECORDS} records from number 1 up"
        )
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(parts[3], validate=True), BATCH_BYTES + 1)
    except (binascii.Error, zlib.error) as error:
        raise RecordError(f"records {first} to {first + count - 1} cannot be unpacked: {error}") from error
    if len(data) > BATCH_BYTES or not inflater.eof or inflater.unused_data:
        raise RecordError(f"records {first} to {first + count - 1} are cut off or larger than {BATCH_BYTES} bytes")
    found = data.count(b"\n")  # before they are split: half a million empty lines would be as many objects
    if found != count or not data.endswith(b"\n"):
        rest = "" if data.endswith(b"\n") else " and a part of one"
        raise RecordError(f"{found} records{rest} from number {first}: expected {count}")
    return Batch(first, tuple(parse_record(record) for record in data.split(b"\n")[:-1]))
