"""The records of a suite: their types, and the lines in which the relay passes them on.

Every byte in here was written by a tenant's container. Nothing is believed: sizes, counts and types are bounded, what
is malformed becomes ``Garbage``, and what is of an unknown type stays apart as ``Unknown``.
The members are described in ARCHITECTURE.md, "The suite pod".
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

LINE_BYTES = 16_000
"""Of a line of the relay: containerd cuts a line of a log at 16 KiB."""
BATCH_RECORDS = 100
BATCH_BYTES = 512 << 10
"""Of the records in one line, before compression."""
RECORD_BYTES = 64 << 10
ID_BYTES = 1024
MESSAGE_BYTES = 512
LOCATION_BYTES = 256
TEXT_BYTES = 8192
NAME_BYTES = 64
OVERFLOW = b"S1 0 0 overflow\n"
MAX_COUNT = 10_000_000
MAX_SIZE = 1 << 40
MAX_SECONDS = 1e12
"""Since the epoch, or of a duration."""


class RecordError(ValueError):
    """A line that the relay cannot have written."""


class Start(NamedTuple):
    """The supervisor runs and goes to the gate."""

    at: float
    python: str = ""
    pid: int = 0


class Gate(NamedTuple):
    """The gate opened, after so many seconds."""

    at: float
    seconds: float = 0.0


class Collected(NamedTuple):
    """So many tests in this shard, of ``total``, whose sorted node ids have the SHA-256 ``digest``."""

    at: float
    tests: int
    total: int
    digest: str
    pytest: str = ""


class CollectError(NamedTuple):
    """A module that could not be collected."""

    id: str
    message: str = ""
    text: str = ""


class CollectSkip(NamedTuple):
    """A module that was skipped as a whole: its tests are in no count."""

    id: str
    message: str = ""
    location: str = ""


class Attempt(NamedTuple):
    """One attempt of one test (``test``); ``final`` unless it is retried."""

    id: str
    outcome: Outcome
    attempt: int = 1
    seconds: float = 0.0
    at: float = 0.0
    message: str = ""
    location: str = ""
    text: str = ""
    final: bool = True


class Finish(NamedTuple):
    """pytest's session finished, having run so many tests."""

    at: float
    rc: int | None = None
    ran: int = 0


class Unreachable(NamedTuple):
    """A service that did not accept a connection when the suite ended with failures."""

    name: str
    message: str = ""


class End(NamedTuple):
    """The last record: how pytest ended. ``rc`` is None when it was killed or never ran."""

    at: float
    rc: int | None = None
    signal: str | None = None
    timeout: bool = False
    oom: bool = False
    stderr: str = ""
    reason: str | None = None
    message: str | None = None


class JunitError(NamedTuple):
    """Why a JUnit XML file could not be read."""

    message: str


class Garbage(NamedTuple):
    """Something in the file of records that is no record, of so many bytes."""

    size: int
    message: str = ""


class Unknown(NamedTuple):
    """A record of a type that this version does not know."""

    kind: str
    size: int


Record: TypeAlias = (
    Start
    | Gate
    | Collected
    | CollectError
    | CollectSkip
    | Attempt
    | Finish
    | Unreachable
    | End
    | JunitError
    | Garbage
    | Unknown
)


class Batch(NamedTuple):
    """A line of the relay. With ``overflow`` the relay gave up at its limit, and records are missing."""

    first: int
    records: tuple[Record, ...]
    overflow: bool = False


def clip(text: str, limit: int) -> str:
    """At most ``limit`` bytes of UTF-8, without NUL or lone surrogates, which no API server accepts."""
    data = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
    return data[:limit].decode("utf-8", "ignore")


def _text(limit: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        return clip(value, limit)

    return check


def _number(value: Any) -> float:
    # An integer too large for a float is compared all the same, where math.isfinite would raise.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TypeError
    return float(min(value, MAX_SECONDS))


def _whole(limit: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
            raise TypeError
        return value

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _outcome(value: Any) -> Outcome:
    for outcome in OUTCOMES:
        if value == outcome:
            return outcome
    raise TypeError


def _optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)


_id, _message, _name, _count = _text(ID_BYTES), _text(MESSAGE_BYTES), _text(NAME_BYTES), _whole(MAX_COUNT)
_Field: TypeAlias = "tuple[str, str, Callable[[Any], Any]]"
_AT: _Field = ("at", "at", _number)
_TYPES: dict[str, tuple[type[Any], tuple[_Field, ...]]] = {
    "start": (Start, (_AT, ("python", "python", _name), ("pid", "pid", _count))),
    "gate": (Gate, (_AT, ("seconds", "seconds", _number))),
    "collected": (
        Collected,
        (
            _AT,
            ("tests", "n", _count),
            ("total", "total", _count),
            ("digest", "digest", _name),
            ("pytest", "pytest", _name),
        ),
    ),
    "collectError": (CollectError, (("id", "id", _id), ("message", "m", _message), ("text", "x", _text(TEXT_BYTES)))),
    "collectSkip": (CollectSkip, (("id", "id", _id), ("message", "m", _message), ("location", "l", _message))),
    "test": (
        Attempt,
        (
            ("id", "id", _id),
            ("outcome", "o", _outcome),
            ("attempt", "a", _count),
            ("seconds", "d", _number),
            _AT,
            ("message", "m", _message),
            ("location", "l", _text(LOCATION_BYTES)),
            ("text", "x", _text(TEXT_BYTES)),
            ("final", "final", _flag),
        ),
    ),
    "finish": (Finish, (_AT, ("rc", "rc", _optional(_count)), ("ran", "ran", _count))),
    "unreachable": (Unreachable, (("name", "name", _name), ("message", "m", _message))),
    "end": (
        End,
        (
            _AT,
            ("rc", "rc", _optional(_count)),
            ("signal", "signal", _optional(_name)),
            ("timeout", "timeout", _flag),
            ("oom", "oom", _flag),
            ("stderr", "stderr", _text(2 * TEXT_BYTES)),
            ("reason", "reason", _optional(_name)),
            ("message", "message", _optional(_text(TEXT_BYTES))),
        ),
    ),
    "junitError": (JunitError, (("message", "m", _message),)),
    "garbage": (Garbage, (("size", "n", _whole(MAX_SIZE)), ("message", "m", _message))),
}
_KINDS = {cls: kind for kind, (cls, _) in _TYPES.items()}


def load_object(line: bytes) -> dict[str, Any] | None:
    """The JSON object in a line, or None if there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def dump_object(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, separators=(",", ":")).encode()


def parse_record(line: bytes) -> Record:
    """A line of the file of records."""
    if len(line) > RECORD_BYTES or (members := load_object(line)) is None:
        return Garbage(len(line), "not a JSON object")
    kind = members.get("t")
    if not isinstance(kind, str):
        return Garbage(len(line), "no type")
    if kind not in _TYPES:
        return Unknown(clip(kind, NAME_BYTES), len(line))
    cls, fields = _TYPES[kind]
    values = {}
    for field, key, check in fields:
        if key in members:
            try:
                values[field] = check(members[key])
            except TypeError:
                return Garbage(len(line), f"{kind}: {key} has a wrong value")
        elif field not in cls._field_defaults:
            return Garbage(len(line), f"{kind}: {key} is missing")
    record: Record = cls(**values)
    return record


def dump_record(record: Record) -> bytes:
    """The line, without its end, that ``parse_record`` reads as this record. ``Unknown`` keeps its type alone."""
    if isinstance(record, Unknown):
        return dump_object({"t": record.kind})
    kind = _KINDS[type(record)]
    members: dict[str, Any] = {"t": kind}
    for field, key, _ in _TYPES[kind][1]:
        value = getattr(record, field)
        if field not in record._field_defaults or value != record._field_defaults[field]:
            members[key] = value
    return dump_object(members)


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
