"""Lines of a relay's log: whatever is in them, they are a batch or a RecordError, in bounded memory."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial import records
from seatrial.lines import BATCH_BYTES, BATCH_RECORDS, LINE_BYTES, RecordError, decode, encode
from seatrial.records import RECORD_BYTES, Attempt, Garbage, Record, clip, dump_record, parse_record
from tests.property.strategies import RAW_TEXT, RECORD_OBJECTS, json_lines

PEAK_BYTES = 3 << 20
"""What reading one line may allocate at most: the unpacked records twice, and the JSON of one of them."""


def sound(record: Record) -> None:
    """What everybody who gets a record may rely on, whoever wrote it."""
    for name, value in zip(record._fields, record, strict=True):
        assert value is None or isinstance(value, str | int | float)
        if isinstance(value, str):
            assert "\0" not in value
            assert len(value.encode()) <= 2 * records.TEXT_BYTES, name  # no lone surrogate either
        elif isinstance(value, float):
            assert 0 <= value <= 1e12, name
        elif not isinstance(value, bool) and value is not None:
            assert 0 <= value <= (records.MAX_SIZE if isinstance(record, Garbage) else records.MAX_COUNT), name
    line = dump_record(record)
    json.loads(line)
    assert len(line) <= RECORD_BYTES * 2


@given(json_lines(RECORD_OBJECTS) | st.binary(max_size=200))
@example(b'{"t":"test","id":"a","o":"passed","d":1e400}')
@example(b'{"t":"test","id":"a","o":"passed","a":1' + b"0" * 400 + b"}")
@example(b'{"t":"test","t":"end","at":1,"rc":0}')
@example(b'{"t":"garbage","n":1099511627777}')
@example(b"\xef\xbb\xbf{}")
def test_a_record_is_sound_whoever_wrote_it(line: bytes) -> None:
    record = parse_record(line)
    sound(record)
    if not isinstance(record, Garbage):
        again = parse_record(dump_record(record))
        assert again == record or type(record).__name__ == "Unknown"


@given(RAW_TEXT, st.integers(0, 30))
def test_a_clipped_text_is_the_start_of_it(text: str, limit: int) -> None:
    clipped = clip(text, limit)
    assert len(clipped.encode()) <= limit
    assert clip(clipped, limit) == clipped
    assert clip(text, 10_000).startswith(clipped)


NUMBERS = st.integers() | st.sampled_from([0, 1, -1, 10**12, 10**12 - 1, 2**63, 10**400, "٣", "1_0", "+1", "", "0x1"])


@given(NUMBERS, NUMBERS, st.lists(json_lines(RECORD_OBJECTS).filter(lambda line: b"\n" not in line), max_size=5))
def test_a_line_is_a_batch_or_an_error(first: Any, count: Any, lines: list[bytes]) -> None:
    packed = base64.b64encode(zlib.compress(b"".join(line + b"\n" for line in lines)))
    for line in (f"S1 {first} {count} ".encode() + packed, f"S1 {first} {len(lines)} ".encode() + packed):
        try:
            batch = decode(line)
        except RecordError:
            continue
        assert 1 <= batch.first < 10**12
        assert 1 <= len(batch.records) <= BATCH_RECORDS
        assert len(batch.records) == len(lines)
        for record in batch.records:
            sound(record)


@given(st.data())
def test_a_line_that_was_cut_or_changed_is_noticed(data: st.DataObject) -> None:
    line = encode(7, [dump_record(Attempt("tests/test_a.py::test", "failed", message="no"))])
    place = data.draw(st.integers(7, len(line) - 2))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[place]))
    with pytest.raises(RecordError):
        decode(line[:place])
    try:
        batch = decode(line[:place] + bytes([other]) + line[place + 1 :])
    except RecordError:
        return
    assert batch == decode(line)  # the last character of base64 has bits that say nothing


def packed(payload: bytes, count: int = BATCH_RECORDS, level: int = 9) -> bytes:
    return b"S1 1 %d %s" % (count, base64.b64encode(zlib.compress(payload, level)))


SHARE = BATCH_BYTES // BATCH_RECORDS
HOSTILE = {
    "line ends alone": packed(b"\n" * BATCH_BYTES),
    "tiny records": packed(b"{}\n" * (BATCH_BYTES // 3)),
    "a bomb": packed(b" " * 12_000_000 + b"\n", 1),
    "nested bombs": packed(zlib.compress(b"\0" * 50_000_000)),
    "empty lists": packed((b'{"a":[' + b"[]," * ((SHARE - 12) // 3) + b"[]]}\n") * BATCH_RECORDS),
    "one record of empty lists": packed(b'{"t":[' + b"[]," * ((RECORD_BYTES - 12) // 3) + b"[]]}\n", 1),
    "one record of empty objects": packed(b'{"t":[' + b"{}," * ((RECORD_BYTES - 12) // 3) + b"{}]}\n", 1),
    "many keys": packed(b"{" + b",".join(b'"%x":1' % n for n in range(7000)) + b"}\n", 1),
    "deep": packed(b"[" * (RECORD_BYTES - 1) + b"\n", 1),
    "deep objects": packed(b'{"a":' * (RECORD_BYTES // 5 - 1) + b"\n", 1),
    "long digits": packed(b'{"at":' + b"9" * 60_000 + b"}\n", 1),
    "long fractions": packed(b'{"at":0.' + b"9" * 60_000 + b"}\n", 1),
    "wide characters": packed(b'{"t":"' + "𝄞".encode() * 16_000 + b'"}\n', 1),
    "wide texts": packed(
        (b'{"t":"test","o":"failed","id":"' + "𝄞".encode() * 900 + b'","x":"' + b"\\u0000" * 250 + b'"}\n')
        * BATCH_RECORDS
    ),
    "a long line": b"S1 1 1 " + b"A" * 1_000_000,
    "a long line of spaces": b"S1" + b" " * 1_000_000,
    "an overflow that is none": b"S1 0 0 overflow" + b" " * 1_000_000,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_takes_bounded_memory(line: bytes) -> None:
    assert len(line) <= LINE_BYTES or b"S1" in line
    tracemalloc.start()
    try:
        batch = decode(line)
        peak = tracemalloc.get_traced_memory()[1]
        assert len(batch.records) <= BATCH_RECORDS
    except RecordError:
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= PEAK_BYTES, f"{peak} bytes"
