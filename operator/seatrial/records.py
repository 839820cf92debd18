"""The records of a suite: their types, and the lines in which the relay passes them on.

Every byte in here was written by a tenant's container. Nothing is believed: sizes, counts and types are bounded, what
is malformed becomes ``Garbage``, and what is of an unknown type stays apart as ``Unknown``.
The members are described in ARCHITECTURE.md, "The suite pod".
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

from seatrial.credentials import redact_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

RECORD_BYTES = 64 << 10
ID_BYTES = 1024
MESSAGE_BYTES = 512
LOCATION_BYTES = 256
TEXT_BYTES = 8192
NAME_BYTES = 64
MAX_COUNT = 10_000_000
MAX_SIZE = 1 << 40
MAX_SECONDS = 1e12
"""Since the epoch, or of a duration."""


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
    """A line of the file of records, without the run's credentials."""
    line = redact_bytes(line)
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
