"""The file of records of a suite, through the relay, up to the evidence: nothing in it goes unnoticed."""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.agent import relay
from seatrial.agent.relay import Output, shrink
from seatrial.agent.tail import Tail
from seatrial.evidence import ShardEvidence
from seatrial.lines import LINE_BYTES, decode
from seatrial.records import RECORD_BYTES, Garbage, Record, dump_object, dump_record, load_object, parse_record
from seatrial.verdict import State, judge_shard
from tests.builders import passed, whole
from tests.property.strategies import RECORD_OBJECTS, json_lines

if TYPE_CHECKING:
    from pathlib import Path

LINES = st.one_of(
    json_lines(RECORD_OBJECTS),
    st.binary(max_size=30),
    st.sampled_from(
        [b"", b"\n" * 50, b"{" * 70_000, b'{"a":"' + b"x" * RECORD_BYTES, b'{"t":"end"}', b'{"t":"end","at":1}']
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


def tailed(path: Path, data: bytes, cuts: list[int]) -> list[bytes]:
    """What the relay takes from a file that grows in these steps."""
    path.write_bytes(b"")
    follower, records = Tail(str(path)), []
    done = 0
    with path.open("ab", buffering=0) as file:
        for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
            file.write(data[done:cut])
            done = cut
            more = True
            while more:
                found, more = follower.read()
                records += found
    records += follower.last()
    os.close(follower.fd)
    return records


def printed(records: list[bytes]) -> list[Record]:
    """What the operator reads of what the relay prints."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        lines: list[bytes] = []
        output = Output(write)
        for start in range(0, len(records), 3):  # as little at a time as a pipe holds
            output.emit(records[start : start + 3])
            lines += os.read(read, 1 << 20).splitlines(keepends=True)
    finally:
        os.close(read)
        os.close(write)
    found: list[Record] = []
    for line in lines:
        assert line.endswith(b"\n")
        assert len(line) <= LINE_BYTES
        batch = decode(line)
        assert batch.first == len(found) + 1
        found += batch.records
    return found


@given(lines=st.lists(LINES, max_size=8), cuts=st.lists(st.integers(0, 2000), max_size=4), ended=st.booleans())
def test_every_byte_is_a_record_or_garbage(folder: Path, lines: list[bytes], cuts: list[int], ended: bool) -> None:  # noqa: FBT001
    data = b"\n".join(lines) + (b"\n" if ended else b"")
    records = tailed(folder / "file", data, cuts)
    assert sum(_size(record, data) for record in records) == len(data)
    found = printed(records)
    assert len(found) == len(records)
    for record, line in zip(found, records, strict=True):
        assert record == parse_record(line) or len(line) > 11_000  # shortened, or too large for a line
    bad = any(isinstance(parse_record(line), Garbage) for line in data.split(b"\n") if line)
    if bad or (data and not data.endswith(b"\n")):
        evidence = ShardEvidence("core", 0)
        for number, record in enumerate(found, 1):
            evidence.fold(number, record)
        assert evidence.lost


def _size(record: bytes, data: bytes) -> int:
    """How many bytes of the file a record stands for."""
    members = load_object(record) or {}
    if members.get("t") == "garbage" and record + b"\n" not in data:
        return int(members["n"])
    return len(record) + 1


@given(lines=st.lists(LINES, max_size=5), place=st.integers(0, 6))
def test_garbage_in_a_suite_that_passed_takes_its_pass(folder: Path, lines: list[bytes], place: int) -> None:
    """Between the supervisor's own records a test writes whatever it likes, but a whole set of records of its own."""
    own = [dump_record(record) for record in whole(passed("a"), passed("b"))]
    data = b"".join(line + b"\n" for line in [*own[:place], *lines, *own[place:]])
    found = printed(tailed(folder / "mixed", data, []))
    evidence = ShardEvidence("core", 0)
    for number, record in enumerate(found, 1):
        evidence.fold(number, record)
    judgement = judge_shard(evidence, None, shards=1, junit=False)
    if any(isinstance(record, Garbage) for record in found):
        assert judgement.state is not State.PASSED


@given(RECORD_OBJECTS, st.integers(0, 70_000), st.sampled_from(["x", "stderr", "message", "m", "id"]))
def test_a_record_of_any_size_fits_into_a_line(members: dict[str, object], size: int, key: str) -> None:
    record = dump_record(Garbage(1)) if "t" not in members else dump_object(members | {key: "é<\x01" * (size // 3)})
    smaller = shrink(record)
    assert len(smaller) <= relay.SINGLE_BYTES
    assert load_object(smaller) is not None


@pytest.mark.parametrize("content", [b"\n", b"x", b"{}\n", b'{"a":[[],[],[]]}\n', b"{" * 70_000 + b"\n"])
def test_reading_a_hostile_file_takes_bounded_memory(folder: Path, content: bytes) -> None:
    data = content * ((1 << 20) // len(content))
    path = folder / "large"
    path.write_bytes(data)
    follower = Tail(str(path))
    tracemalloc.start()
    try:
        more = True
        while more:
            _, more = follower.read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        os.close(follower.fd)
    assert follower.offset == len(data)
    assert peak <= 24 << 20, f"{peak} bytes"
