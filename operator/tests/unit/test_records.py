"""Records and the relay's lines, which hold bytes of tenants."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial import records
from seatrial.lines import BATCH_BYTES, BATCH_RECORDS, LINE_BYTES, OVERFLOW, Batch, RecordError, decode, encode
from seatrial.records import (
    RECORD_BYTES,
    Attempt,
    Collected,
    CollectError,
    CollectSkip,
    End,
    Finish,
    Garbage,
    Gate,
    JunitError,
    Record,
    Start,
    Unknown,
    Unreachable,
    clip,
    dump_record,
    parse_record,
)


def text(limit: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=limit // 4)


COUNTS = st.integers(0, records.MAX_COUNT)
NUMBERS = st.floats(0, 1e12)
SHORT, MESSAGE = text(records.NAME_BYTES), text(records.MESSAGE_BYTES)
TEXT = text(records.TEXT_BYTES)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(Start, NUMBERS, SHORT, COUNTS),
    st.builds(Gate, NUMBERS, NUMBERS),
    st.builds(Collected, NUMBERS, COUNTS, COUNTS, SHORT, SHORT),
    st.builds(CollectError, MESSAGE, MESSAGE, TEXT),
    st.builds(CollectSkip, MESSAGE, MESSAGE, MESSAGE),
    st.builds(
        Attempt,
        text(records.ID_BYTES),
        st.sampled_from(records.OUTCOMES),
        COUNTS,
        NUMBERS,
        NUMBERS,
        MESSAGE,
        text(records.LOCATION_BYTES),
        TEXT,
        st.booleans(),
    ),
    st.builds(Finish, NUMBERS, st.none() | COUNTS, COUNTS),
    st.builds(
        End,
        NUMBERS,
        st.none() | COUNTS,
        st.none() | SHORT,
        st.booleans(),
        st.booleans(),
        TEXT,
        st.none() | SHORT,
        st.none() | TEXT,
    ),
    st.builds(JunitError, MESSAGE),
    st.builds(Unreachable, SHORT, MESSAGE),
    st.builds(Garbage, COUNTS, MESSAGE),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KINDS = [
    "start",
    "gate",
    "collected",
    "collectError",
    "collectSkip",
    "test",
    "finish",
    "end",
    "junitError",
    "unreachable",
    "garbage",
]
KEYS = ["at", "id", "o", "a", "d", "m", "l", "x", "n", "total", "digest", "rc", "signal", "final", "stderr", "timeout"]
OBJECTS = st.builds(
    lambda kind, members: {**members, "t": kind},
    st.sampled_from(KINDS) | JSON,
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8),
)


@given(RECORDS)
def test_a_record_survives_its_line(record: Record) -> None:
    assert parse_record(dump_record(record)) == record


@given(st.integers(1, 10**9), st.lists(RECORDS, min_size=1, max_size=4))
def test_records_survive_the_relay(first: int, batch: list[Record]) -> None:
    line = encode(first, [dump_record(record) for record in batch])
    if len(line) > LINE_BYTES:
        with pytest.raises(RecordError, match="not a line of the relay"):
            decode(line)
    else:
        assert decode(line) == Batch(first, tuple(batch))


def check(record: Record) -> None:
    """What anybody who gets a record may rely on."""
    for value in record:
        if isinstance(value, str):
            assert "\0" not in value
            assert len(value.encode()) <= 2 * records.TEXT_BYTES  # no lone surrogate either
        if isinstance(value, float):
            assert 0 <= value <= 1e12
        if isinstance(value, int):
            assert 0 <= value <= records.MAX_COUNT


@given(OBJECTS)
def test_any_object_is_a_record_or_garbage(members: dict[str, Any]) -> None:
    record = parse_record(json.dumps(members).encode())
    check(record)
    if isinstance(record, Unknown):
        assert members["t"] not in KINDS


@given(st.binary(max_size=300) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_record_or_garbage(line: bytes) -> None:
    check(parse_record(line))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line_or_an_error(line: bytes) -> None:
    for candidate in (line, b"S1 1 1 " + line, b"S1 " + line + b" 1 " + base64.b64encode(zlib.compress(line))):
        try:
            batch = decode(candidate)
        except RecordError:
            continue
        for record in batch.records:
            check(record)


@given(RECORDS, st.data())
def test_a_damaged_line_is_an_error(record: Record, data: st.DataObject) -> None:
    line = encode(1, [dump_record(record)])
    start = data.draw(st.integers(7, len(line) - 2))
    with pytest.raises(RecordError):
        decode(line[:start] + data.draw(st.binary(max_size=3).filter(lambda part: line[start : start + 1] != part)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"Traceback (most recent call last):", "not a line of the relay"),
        (b"", "not a line of the relay"),
        (b"S2 1 1 AAAA", "not a line of the relay"),
        (b"S1 1 1 " + b"A" * LINE_BYTES, "not a line of the relay"),
        (b"S1 one 1 AAAA", "are no numbers"),
        (b"S1 0 1 AAAA", "expected 1 to 100 records from number 1 up"),
        (b"S1 1 0 AAAA", "expected 1 to 100 records"),
        (b"S1 1 101 AAAA", "expected 1 to 100 records"),
        (b"S1 " + b"9" * 13 + b" 1 AAAA", "are no numbers"),
        (b"S1 5 2 *", "records 5 to 6 cannot be unpacked"),
        (b"S1 5 2 AAAA", "records 5 to 6 cannot be unpacked"),
        (b"S1 1 2 " + base64.b64encode(zlib.compress(b"{}\n")), "1 records from number 1: expected 2"),
        (b"S1 1 1 " + base64.b64encode(zlib.compress(b"{}")), "0 records and a part of one from"),
        (b"S1 1 1 " + base64.b64encode(zlib.compress(b"{}\n{}")), "1 records and a part of one from"),
        (b"S1 1 1 " + base64.b64encode(zlib.compress(b"\n" * BATCH_BYTES)), f"{BATCH_BYTES} records from number 1"),
        (b"S1" + b" " * LINE_BYTES, f"{LINE_BYTES + 2} bytes that start with b'S1 "),
        (b"S1 1 1 " + base64.b64encode(zlib.compress(b"{}\n") + b"more"), "cut off or larger"),
        (b"S1 1 1 " + base64.b64encode(zlib.compress(b"{}\n")[:-2]), "cut off or larger"),
        (b"S1 1 1 " + base64.b64encode(zlib.compress(b" " * 8_000_000 + b"\n")), f"larger than {BATCH_BYTES} bytes"),
    ],
)
def test_what_is_no_line_is_named(line: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        decode(line)


def test_the_end_of_a_full_stream() -> None:
    assert decode(OVERFLOW) == decode(OVERFLOW.strip()) == Batch(0, (), overflow=True)


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"t":"later","x":1}', Unknown("later", 19)),
        (b'{"x":1}', Garbage(7, "no type")),
        (b'{"t":5}', Garbage(7, "no type")),
        (b"[1]", Garbage(3, "not a JSON object")),
        (b"[" * 60_000, Garbage(60_000, "not a JSON object")),
        (b'{"t":"test","o":"passed"}', Garbage(25, "test: id is missing")),
        (b'{"t":"test","id":"a","o":"maybe"}', Garbage(33, "test: o has a wrong value")),
        (b'{"t":"test","id":"a","o":["passed"]}', Garbage(36, "test: o has a wrong value")),
        (b'{"t":"test","id":"a","o":"passed","d":NaN}', Garbage(42, "test: d has a wrong value")),
        (b'{"t":"test","id":"a","o":"passed","d":-1}', Garbage(41, "test: d has a wrong value")),
        (b'{"t":"test","id":"a","o":"passed","a":true}', Garbage(43, "test: a has a wrong value")),
        (b'{"t":"end","at":1,"rc":"0"}', Garbage(27, "end: rc has a wrong value")),
        (b'{"t":"end","at":1,"rc":0,"later":1}', End(1.0, 0)),
        (b'{"t":"finish","at":1,"rc":1' + b"0" * 5000 + b"}", Garbage(5028, "not a JSON object")),
    ],
)
def test_single_records(line: bytes, record: Record) -> None:
    assert parse_record(line) == record


def test_texts_are_cut_and_made_valid() -> None:
    line = json.dumps({"t": "test", "id": "é" * 2000 + "\ud800", "o": "failed", "m": "a\0b\udfff", "x": "y" * 50_000})
    record = parse_record(line.encode())
    assert isinstance(record, Attempt)
    assert record.id == "é" * 512
    assert record.message == "a\\x00b\\udfff"
    assert len(record.text) == records.TEXT_BYTES
    assert isinstance(parse_record(b'{"t":"' + b"a" * RECORD_BYTES + b'"}'), Garbage)
    assert clip("aé", 2) == "a"


def test_a_hundred_records_of_a_usual_size_fit_into_a_line() -> None:
    attempts = [Attempt(f"tests/test_module.py::test_name[{n}]", "passed", 1, n / 1e4, 1.7e9 + n) for n in range(100)]
    line = encode(1, [dump_record(attempt) for attempt in attempts])
    assert len(line) < LINE_BYTES // 3
    assert len(decode(line).records) == BATCH_RECORDS
