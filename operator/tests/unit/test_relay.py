"""The relay, as a process, beside a file that a tenant writes."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.agent import relay
from seatrial.agent.relay import Output, shrink
from seatrial.agent.tail import Tail, open_regular
from seatrial.lines import LINE_BYTES, OVERFLOW, Batch, decode
from seatrial.records import (
    RECORD_BYTES,
    TEXT_BYTES,
    Attempt,
    Collected,
    End,
    Finish,
    Garbage,
    JunitError,
    Record,
    Unknown,
    Unreachable,
    dump_record,
)

from .suite_pod import OPERATOR, catches_sigterm, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Relay:
    """The sidecar, and the file it follows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "records.jsonl"
        self.log = folder.parent / "relay.log"

    def start(self, **variables: str) -> Relay:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(OPERATOR), **variables}
        environment.setdefault("SEATRIAL_RECORDS", str(self.folder))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "seatrial.agent.relay"], env=environment, stdout=log, stderr=log
            )
        return self

    def write(self, *lines: bytes | dict[str, Any], end: bytes = b"\n") -> None:
        data = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        with self.file.open("ab") as file:
            file.write(b"\n".join(data) + end)

    def batches(self) -> list[Batch]:
        lines = self.log.read_bytes().splitlines(keepends=True)
        assert all(len(line) <= LINE_BYTES for line in lines)
        return [decode(line) for line in lines if line.endswith(b"\n")]

    def records(self) -> list[Record]:
        """All that was printed, whose numbers must have no gap."""
        records: list[Record] = []
        for batch in self.batches():
            assert batch.first == len(records) + 1
            records += batch.records
        return records

    def wait_for(self, count: int) -> list[Record]:
        until(lambda: len(self.records()) >= count, f"{count} records of the relay; it printed {self.log}")
        return self.records()

    def ready(self) -> None:
        until(lambda: catches_sigterm(self.process.pid), "the relay waits for SIGTERM")

    def stop(self) -> list[Record]:
        self.ready()
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log.read_text()
        return self.records()


def status(pid: int, name: str) -> str:
    """A line of a process's status."""
    found = re.search(rf"^{name}:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Relay]:
    folder = tmp_path / "records"
    folder.mkdir()
    made = Relay(folder)
    yield made
    if hasattr(made, "process"):
        made.process.kill()
        made.process.wait()


def attempt(number: int, **members: object) -> dict[str, object]:
    return {"t": "test", "id": f"t::{number}", "o": "passed", "a": 1, "d": 0.5, "at": 5.0, **members}


def told(number: int) -> Attempt:
    return Attempt(f"t::{number}", "passed", 1, 0.5, 5.0)


def noise(size: int, seed: int = 0) -> str:
    """Text that does not compress."""
    return base64.b85encode(random.Random(seed).randbytes(size)).decode()[:size]


def test_records_are_passed_on_as_they_come(sidecar: Relay) -> None:
    sidecar.start()
    sidecar.write({"t": "start", "at": 1, "python": "3.8.1", "pid": 1})
    sidecar.wait_for(1)
    sidecar.write(attempt(1), attempt(2))
    assert sidecar.wait_for(3)[1:] == [told(1), told(2)]
    sidecar.write({"t": "end", "at": 9, "rc": 0})
    assert sidecar.wait_for(4)[3] == End(9.0, 0)
    assert sidecar.process.poll() is None  # the kubelet would start it again
    assert len(sidecar.stop()) == 4


def test_a_line_is_passed_on_when_it_is_complete(sidecar: Relay) -> None:
    sidecar.write(b'{"t":"test","id":"a",', end=b"")
    sidecar.start()
    sidecar.write(b'"o":"passed"}', end=b"")
    sidecar.write(b"", attempt(1))
    assert sidecar.wait_for(2) == [Attempt("a", "passed"), told(1)]


def test_what_was_written_before_sigterm_is_drained(sidecar: Relay) -> None:
    sidecar.start()
    sidecar.write(attempt(0))
    sidecar.wait_for(1)
    sidecar.write(*(attempt(number) for number in range(1, 3000)))
    assert sidecar.stop() == [told(number) for number in range(3000)]
    assert len(sidecar.batches()) <= 40


def test_a_restarted_relay_gives_the_same_numbers(sidecar: Relay) -> None:
    sidecar.write(*(attempt(number) for number in range(250)))
    first = sidecar.start().stop()
    assert sidecar.start().stop() == first


def test_many_records_share_a_line(sidecar: Relay) -> None:
    sidecar.write(*(attempt(number) for number in range(50_000)))
    sidecar.start()
    assert len(sidecar.wait_for(50_000)) == 50_000
    assert len(sidecar.batches()) < 550
    assert sidecar.log.stat().st_size < 1 << 20
    assert len(sidecar.stop()) == 50_000


def test_what_is_no_record_is_counted(sidecar: Relay) -> None:
    sidecar.write(attempt(1), b"{broken", b"", b"[]", attempt(2), b"\xff\xfe", b"x" * RECORD_BYTES, {"t": "later"})
    sidecar.write(b'{"t": "test"}', b'{"unfinished', end=b"")
    sidecar.start()
    sidecar.wait_for(6)
    why = "not a JSON object, or too long"
    assert sidecar.stop() == [
        told(1),
        Garbage(8 + 1 + 3, why),
        told(2),
        Garbage(3 + RECORD_BYTES + 1, why),
        Unknown("later", 14),
        Garbage(13, "test: id is missing"),
        Garbage(12, "a line without an end"),
    ]


def test_a_record_that_does_not_fit_into_a_line_loses_its_text(sidecar: Relay) -> None:
    large = json.dumps({"t": "large", "y": noise(40_000)}).encode()
    sidecar.write(attempt(1, o="failed", m="short", x=noise(40_000)), large)
    first, second = sidecar.start().stop()
    assert isinstance(first, Attempt)
    assert (first.id, first.outcome, first.message) == ("t::1", "failed", "short")
    assert 0 < len(first.text) <= TEXT_BYTES
    assert second == Garbage(len(large), "too large for a line")


def test_usual_records_are_not_changed_by_shrinking_their_neighbours(sidecar: Relay) -> None:
    texts = [noise(TEXT_BYTES, seed) for seed in range(20)]
    sidecar.write(*(attempt(number, o="failed", x=text) for number, text in enumerate(texts)))
    records = sidecar.start().stop()
    assert [record.text for record in records if isinstance(record, Attempt)] == texts


def test_shrinking_keeps_what_the_verdict_needs() -> None:
    end = {"t": "end", "at": 1.0, "rc": 1, "stderr": noise(30_000), "message": noise(30_000, 1)}
    record = json.loads(shrink(json.dumps(end).encode()))
    assert (record["t"], record["rc"]) == ("end", 1)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "socket-like"])
def test_what_is_no_file_is_refused(sidecar: Relay, tmp_path: Path, kind: str) -> None:
    if kind == "link":
        (tmp_path / "secret").write_text('{"t":"secret"}\n')
        sidecar.file.symlink_to(tmp_path / "secret")
    elif kind == "fifo":
        os.mkfifo(sidecar.file)
    elif kind == "folder":
        sidecar.file.mkdir()
    else:
        sidecar.file.symlink_to("/dev/zero")
    (record,) = sidecar.start().stop()
    assert isinstance(record, Garbage)
    assert record.message.startswith("the file of records cannot be opened: ")


def test_a_link_to_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    os.close(open_regular(str(tmp_path / "real" / "file")))
    with pytest.raises(OSError, match=r"Not a directory|symbolic link"):
        open_regular(str(tmp_path / "link" / "file"))


def test_a_truncated_file_is_told(sidecar: Relay) -> None:
    sidecar.write(attempt(1), attempt(2))
    sidecar.start()
    sidecar.wait_for(2)
    os.truncate(sidecar.file, 5)
    until(lambda: len(sidecar.batches()) >= 1, "the first batch")
    records = sidecar.stop()
    assert records[:2] == [told(1), told(2)]
    assert isinstance(records[2], Garbage)
    assert records[2].message == "the file of records was truncated"
    assert len(records) == 3


def test_a_file_that_is_deleted_or_replaced_goes_on_for_those_who_have_it_open(sidecar: Relay) -> None:
    with sidecar.file.open("ab", buffering=0) as writer:
        writer.write(json.dumps(attempt(1)).encode() + b"\n")
        sidecar.start()
        sidecar.wait_for(1)
        sidecar.file.unlink()
        sidecar.write({"t": "forged"})
        writer.write(json.dumps(attempt(2)).encode() + b"\n")
        assert sidecar.wait_for(2) == [told(1), told(2)]
    assert sidecar.stop() == [told(1), told(2)]


def test_a_suite_that_never_started_has_no_records(sidecar: Relay) -> None:
    assert sidecar.start().stop() == []


def test_memory_stays_bounded(sidecar: Relay) -> None:
    with sidecar.file.open("wb") as file:
        file.writelines([b"\n" * (1 << 24), b"z" * (48 << 20), b"\n"])
    sidecar.start()
    sidecar.write({"t": "end", "at": 1})
    until(lambda: any(isinstance(record, End) for record in sidecar.records()), "the end")
    assert int(status(sidecar.process.pid, "VmHWM")) < 64_000
    records = sidecar.stop()
    assert sum(record.size for record in records if isinstance(record, Garbage)) == (1 << 24) + (48 << 20) + 1


def lines_of(records: list[bytes], limits: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What an output with other limits prints."""
    for name, value in limits.items():
        monkeypatch.setattr(relay, name, value)
    read, write = os.pipe()
    output = Output(write)
    printed = b""
    for record in records:
        output.emit([record])
        os.set_blocking(read, False)
        try:
            printed += os.read(read, 1 << 20)
        except BlockingIOError:
            continue
    os.close(read)
    os.close(write)
    return printed.splitlines(keepends=True)


def test_a_stream_that_nears_its_limit_drops_texts_then_messages_then_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = dump_record(Attempt("t::f", "failed", 2, 0.5, 5.0, "message", "f.py:1", "text"))
    passed = dump_record(Attempt("t::p", "passed", 1, 0.5, 5.0))
    limits = {"TEXT_STREAM_BYTES": 1000, "MESSAGE_STREAM_BYTES": 2000, "STREAM_BYTES": 3000}
    lines = lines_of([failed, passed] * 40, limits, monkeypatch)
    assert sum(map(len, lines)) <= 3000
    assert lines[-1] == OVERFLOW
    assert lines.count(OVERFLOW) == 1
    spent = 0
    for line in lines[:-1]:
        (record,) = decode(line).records
        assert isinstance(record, Attempt)
        assert bool(record.text) == (record.outcome == "failed" and spent < 1000)
        assert bool(record.message) == (record.outcome == "failed" and spent < 2000)
        assert bool(record.seconds) == (record.outcome == "failed" or spent < 2000)
        assert record.attempt == (2 if record.outcome == "failed" else 1)
        spent += len(line)
    assert spent > 2500


def test_the_end_keeps_its_message_near_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    end = dump_record(End(1.0, 1, message="why", stderr="tail"))
    lines = lines_of([end], {"TEXT_STREAM_BYTES": 0, "MESSAGE_STREAM_BYTES": 0}, monkeypatch)
    assert decode(lines[0]).records == (End(1.0, 1, message="why", stderr="tail"),)


def test_the_stream_stays_below_its_limit(sidecar: Relay) -> None:
    """Failures whose texts do not compress, more than fit: every outcome still arrives."""
    for start in range(0, 2000, 100):
        sidecar.write(*(attempt(n, o="failed", x=noise(TEXT_BYTES, n)) for n in range(start, start + 100)))
    records = sidecar.start().stop()
    assert [record.id for record in records if isinstance(record, Attempt)] == [f"t::{n}" for n in range(2000)]
    texts = [bool(record.text) for record in records if isinstance(record, Attempt)]
    assert 400 < sum(texts) < 1000
    assert texts == sorted(texts, reverse=True)
    assert sidecar.log.stat().st_size < 8 << 20


def test_more_records_than_fit_are_an_overflow(sidecar: Relay) -> None:
    with sidecar.file.open("w") as file:
        for number in range(30_000):
            file.write(json.dumps({"t": "test", "id": noise(1000, number), "o": "passed"}) + "\n")
    sidecar.start().ready()
    sidecar.process.terminate()
    assert sidecar.process.wait(60) == 0
    data = sidecar.log.read_bytes()
    assert data.endswith(b"\n" + OVERFLOW)
    assert data.count(OVERFLOW) == 1
    assert len(data) <= 8 << 20


def test_a_tail_reads_what_it_is_given(tmp_path: Path) -> None:
    """Lines of any length against any boundary of a chunk."""
    path = tmp_path / "file"
    lengths = [1, 2, 3, RECORD_BYTES - 20, (1 << 18) - 1, 1 << 18, 5]
    lines = [b'{"t":"%s"}' % (b"a" * length) for length in lengths]
    path.write_bytes(b"\n".join(lines) + b"\n")
    tail = Tail(str(path))
    records: list[bytes] = []
    more = True
    while more:
        found, more = tail.read()
        records += found
    assert [record for record in records if record.startswith(b'{"t":"a')] == [*lines[:4], lines[6]]
    assert tail.last() == []


JUNIT = """
<testsuite name="s"><testcase classname="c" name="a"/><testcase classname="c" name="b"><failure/></testcase></testsuite>
"""


def test_junit_xml_becomes_records(sidecar: Relay, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    sidecar.start(SEATRIAL_JUNIT=str(path))
    path.write_text(JUNIT.strip())
    before = time.time()
    records = sidecar.stop()
    assert isinstance(records[0], Collected)
    assert (records[0].tests, records[0].total, records[0].at >= before) == (2, 2, True)
    assert [(r.id, r.outcome) for r in records if isinstance(r, Attempt)] == [("c::a", "passed"), ("c::b", "failed")]
    assert records[-1] == Finish(records[0].at, None, 2)


@pytest.fixture
def ports() -> Iterator[tuple[str, str]]:
    """Addresses of a server that accepts connections, and of one that is gone."""
    with socket.create_server(("127.0.0.1", 0)) as alive, socket.create_server(("127.0.0.1", 0)) as gone:
        addresses = f"127.0.0.1:{alive.getsockname()[1]}", f"127.0.0.1:{gone.getsockname()[1]}"
        gone.close()
        yield addresses


@pytest.mark.parametrize("rc", [0, 1, None])
def test_a_service_that_is_gone_is_told_before_the_end(sidecar: Relay, ports: tuple[str, str], rc: int | None) -> None:
    sidecar.start(SEATRIAL_SERVICES=" ".join(ports)).ready()
    sidecar.write(attempt(1), {"t": "end", "at": 6.0, "rc": rc})
    if rc == 0:
        assert sidecar.stop() == [told(1), End(6.0, 0)]
    else:
        gone = Unreachable("127.0.0.1", f"{ports[1]}: Connection refused")
        assert sidecar.wait_for(3) == [told(1), gone, End(6.0, rc)]
        assert len(sidecar.stop()) == 3


def test_a_service_that_is_gone_is_told_before_junit_results(
    sidecar: Relay, tmp_path: Path, ports: tuple[str, str]
) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT.strip())
    records = sidecar.start(SEATRIAL_JUNIT=str(path), SEATRIAL_SERVICES=ports[1]).stop()
    assert records[0] == Unreachable("127.0.0.1", f"{ports[1]}: Connection refused")
    assert isinstance(records[-1], Finish)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "No such file or directory"),
        (lambda path: path.write_text("<testsuite>"), "not well-formed XML: no element found: line 1, column 11"),
        (lambda path: path.write_text(""), "the file is empty"),
        (lambda path: path.symlink_to("/proc/self/environ"), "Too many levels of symbolic links"),
        (os.mkfifo, "not a regular file"),
    ],
    ids=["absent", "truncated", "empty", "link", "fifo"],
)
def test_junit_xml_that_cannot_be_read(
    sidecar: Relay, tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "junit.xml"
    make(path)
    sidecar.start(SEATRIAL_JUNIT=str(path))
    assert sidecar.stop() == [JunitError(f"{path}: {message}")]


def test_a_relay_without_its_variables() -> None:
    command = [sys.executable, "-m", "seatrial.agent.relay"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(OPERATOR)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "SEATRIAL_RECORDS" in done.stderr


def test_the_relay_imports_little() -> None:
    code = "import sys, seatrial.agent.relay; print([n for n in sys.argv[1:] if n in sys.modules])"
    names = ["asyncio", "dataclasses", "pydantic", "socket", "subprocess", "xml", "typing_extensions", "kopf"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(OPERATOR)}
    done = subprocess.run(
        [sys.executable, "-c", code, *names], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
