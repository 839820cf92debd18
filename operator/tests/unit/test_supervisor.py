"""The supervisor, as a process, around a real pytest; what it did is read through the real relay."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seatrial.agent.inpod import supervisor
from seatrial.agent.inpod.supervisor import NOT_RUN, OUTPUT_BYTES, TIMED_OUT, oom_kills, split_url
from seatrial.records import Attempt, CollectError, Finish, Gate, Start

from .suite_pod import GateServer, SuitePod, alive, pods, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG = """
import pathlib, signal, time
def test_before(): pass
def test_hangs():
    {setup}
    pathlib.Path("hanging").touch()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        time.sleep(0.05)
"""
DEAF = "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[], SuitePod]]:
    yield from pods(tmp_path)


@pytest.fixture
def pod(make: Callable[[], SuitePod]) -> SuitePod:
    return make()


@pytest.fixture
def gate() -> Iterator[GateServer]:
    server = GateServer()
    yield server
    server.close()


def test_outcomes_arrive_in_order_with_an_end(pod: SuitePod, gate: GateServer) -> None:
    pod.write(
        """
import pytest
def test_passes(): pass
def test_fails(): assert 1 == 2, "these differ"
@pytest.fixture
def broken(): raise RuntimeError("no connection")
def test_errs(broken): pass
@pytest.fixture
def leaking():
    yield
    raise RuntimeError("not closed")
def test_leaks(leaking): pass
def test_skips(): pytest.skip("not today")
@pytest.mark.xfail(reason="known")
def test_xfails(): assert False
@pytest.mark.xfail(reason="known")
def test_xpasses(): pass
@pytest.mark.xfail(reason="known", strict=True)
def test_strictly_xpasses(): pass
"""
    )
    gate.listen().decide()
    ended = pod.run(gate=gate.url)
    assert ended.outcomes() == [
        ("test_passes", "passed"),
        ("test_fails", "failed"),
        ("test_errs", "error"),
        ("test_leaks", "error"),
        ("test_skips", "skipped"),
        ("test_xfails", "xfailed"),
        ("test_xpasses", "xpassed"),
        ("test_strictly_xpasses", "failed"),
    ]
    kinds = [type(record).__name__ for record in ended.records]
    assert kinds == ["Start", "Gate", "Collected", *["Attempt"] * 8, "Finish", "End"]
    tests = {test.id.rpartition("::")[2]: test for test in ended.all(Attempt)}
    assert tests["test_fails"].message == "AssertionError: these differ"
    assert tests["test_fails"].location == "test_suite.py:4"
    assert "assert 1 == 2" in tests["test_fails"].text
    assert (tests["test_errs"].message, tests["test_errs"].location) == (
        "RuntimeError: no connection",
        "test_suite.py:6",
    )
    assert tests["test_leaks"].message == "RuntimeError: not closed"
    assert (tests["test_skips"].message, tests["test_skips"].location) == ("not today", "test_suite.py:13")
    assert tests["test_xfails"].message == tests["test_xpasses"].message == "known"
    assert tests["test_strictly_xpasses"].message == "[XPASS(strict)] known"
    assert (ended.collected.tests, ended.collected.total) == (8, 8)
    assert (ended.one(Finish).rc, ended.one(Finish).ran) == (1, 8)
    assert ended.exit_status == ended.end.rc == 1
    assert ended.end._replace(at=0, rc=None, stderr="") == ended.end.__class__(0)
    assert "these differ" in ended.output


def test_a_green_run_ends_with_0(pod: SuitePod) -> None:
    ended = pod.write("def test_passes(): pass").run()
    assert (ended.exit_status, ended.end.rc, ended.finished, ended.end.reason) == (0, 0, True, None)


def test_retries_tell_every_attempt_and_leave_exit_status_0(pod: SuitePod) -> None:
    pod.write("tries = []\ndef test_flaky():\n    tries.append(1)\n    assert len(tries) == 3")
    ended = pod.run(retries=2)
    attempts = [(test.attempt, test.outcome, test.final) for test in ended.all(Attempt)]
    assert attempts == [(1, "failed", False), (2, "failed", False), (3, "passed", True)]
    assert (ended.exit_status, ended.one(Finish).ran) == (0, 1)


@pytest.mark.parametrize(
    ("source", "args", "status", "tail"),
    [
        ("import nothing_like_this", [], 2, ""),
        ("def test_passes(): pass", ["--no-such-option"], 4, "--no-such-option"),
        ("def test_passes(): pass", ["absent.py"], 4, "absent.py"),
        ("value = 1", [], 5, ""),
    ],
    ids=["collection", "usage", "path", "no tests"],
)
def test_pytest_that_runs_nothing_tells_why(
    pod: SuitePod, source: str, args: list[str], status: int, tail: str
) -> None:
    ended = pod.write(source).run(*args)
    assert ended.exit_status == ended.end.rc == status
    assert tail in ended.end.stderr
    assert not ended.all(Attempt)
    if status == 2:
        error = ended.one(CollectError)
        assert error.id == "test_suite.py"
        assert error.message == "ModuleNotFoundError: No module named 'nothing_like_this'"
        assert "import nothing_like_this" in error.text


@pytest.mark.parametrize(
    ("code", "status", "name", "finished"),
    [
        ("import ctypes; ctypes.string_at(0)", 139, "SIGSEGV", False),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, "SIGKILL", False),
        ("import os; os._exit(0)", 0, None, False),
        ("import pytest; pytest.exit('enough', 0)", 0, None, True),
        ("raise KeyboardInterrupt", 2, None, True),
    ],
    ids=["segfault", "sigkill", "_exit", "pytest.exit", "interrupt"],
)
def test_a_test_that_ends_pytest(pod: SuitePod, code: str, status: int, name: str | None, *, finished: bool) -> None:
    pod.write(f"def test_one(): pass\ndef test_two():\n    {code}\ndef test_three(): pass")
    ended = pod.run()
    assert ended.exit_status == status
    assert (ended.end.rc, ended.end.signal) == (None, name) if name else (status, None)
    assert ended.finished == finished
    assert ended.collected.tests == 3
    interrupted = [("test_two", "error")] if status == 2 else []
    assert ended.outcomes() == [("test_one", "passed"), *interrupted]
    if name == "SIGSEGV":
        assert "test_two" in ended.end.stderr  # the fault handler's trace
    if name:
        assert ended.end.message == f"pytest was killed by {name}"


def test_a_hang_is_interrupted_and_named(pod: SuitePod) -> None:
    ended = pod.write(HANG.format(setup="pass")).run(timeout_seconds=5)
    assert (ended.end.reason, ended.end.timeout, ended.end.rc, ended.end.signal) == ("Timeout", True, 2, None)
    assert ended.end.message == "the tests were still running 5 s after the gate opened"
    assert ended.outcomes() == [("test_before", "passed"), ("test_hangs", "error")]
    assert ended.all(Attempt)[1].message.startswith("interrupted after ")
    assert "time.sleep(0.05)" in ended.all(Attempt)[1].text
    assert ended.finished


def test_a_hang_that_ignores_signals_shows_where_before_it_is_killed(pod: SuitePod) -> None:
    ended = pod.write(HANG.format(setup=DEAF)).run(timeout_seconds=8, grace_seconds=0.5)
    assert (ended.end.reason, ended.end.signal, ended.exit_status) == ("Timeout", "SIGABRT", 134)
    assert "test_hangs" in ended.end.stderr
    assert not ended.finished


def test_a_hang_that_survives_even_the_fault_handler_is_killed(pod: SuitePod) -> None:
    deaf = f"{DEAF}; import faulthandler; faulthandler.disable(); signal.signal(signal.SIGABRT, signal.SIG_IGN)"
    ended = pod.write(HANG.format(setup=deaf)).run(timeout_seconds=8, grace_seconds=0.5)
    assert (ended.end.reason, ended.end.signal, ended.exit_status) == ("Timeout", "SIGKILL", 137)


def test_success_after_the_deadline_is_none(pod: SuitePod) -> None:
    source = """
import signal, threading
def test_slow():
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    assert interrupted.wait(60)
"""
    ended = pod.write(source).run(timeout_seconds=8, grace_seconds=30)
    assert (ended.end.rc, ended.end.reason, ended.exit_status) == (0, "Timeout", TIMED_OUT)


@pytest.mark.parametrize(("setup", "rc", "name"), [("pass", 2, None), (DEAF, None, "SIGKILL")], ids=["obeys", "deaf"])
def test_sigterm_ends_the_tests(pod: SuitePod, setup: str, rc: int | None, name: str | None) -> None:
    pod.write(HANG.format(setup=setup)).start(grace_seconds=60 if rc else 1)
    pod.appeared("hanging")
    pod.supervisor.send_signal(signal.SIGTERM)
    ended = pod.wait()
    assert (ended.end.reason, ended.end.timeout) == ("Terminated", False)
    assert (ended.end.rc, ended.end.signal) == (rc, name)
    assert ended.exit_status == (rc if name is None else 137)


def test_sigterm_at_the_gate_ends_at_once(pod: SuitePod, gate: GateServer) -> None:
    gate.listen()
    pod.write("def test_passes(): pass").start(gate=gate.url)
    until(gate.asked.is_set, "the supervisor asks at the gate")
    pod.supervisor.send_signal(signal.SIGTERM)
    ended = pod.wait()
    assert (ended.end.reason, ended.end.rc, ended.end.signal) == ("Terminated", None, None)
    assert ended.exit_status == NOT_RUN
    assert not ended.all(Gate)


def test_nothing_of_the_suite_runs_before_the_gate_opens(pod: SuitePod, gate: GateServer) -> None:
    pod.write("open('imported', 'w').close()\ndef test_passes(): pass").start(gate=gate.url)
    until(lambda: any(isinstance(record, Start) for record in pod.relayed()), "the record of the start")
    gate.listen()  # refused until now
    until(gate.asked.is_set, "the supervisor asks at the gate")
    assert not (pod.suite / "imported").exists()
    assert not any(isinstance(record, Gate) for record in pod.relayed())
    gate.decide()
    ended = pod.wait()
    assert ended.exit_status == 0
    assert ended.one(Gate).seconds > 0


def test_a_failed_environment_is_told_in_its_own_words(pod: SuitePod, gate: GateServer) -> None:
    gate.listen().decide(503, "postgres: SELECT 1: password authentication failed: é")
    ended = pod.write("def test_passes(): pass").run(gate=gate.url)
    assert ended.end.reason == "EnvironmentFailed"
    assert ended.end.message == "postgres: SELECT 1: password authentication failed: é"
    assert (ended.exit_status, ended.end.rc) == (NOT_RUN, None)


@pytest.mark.parametrize("kind", ["closed", "refused", "unresolvable", "wrong"])
def test_a_gate_that_does_not_open_is_not_waited_for_for_ever(pod: SuitePod, gate: GateServer, kind: str) -> None:
    url = "http://no-such-host.invalid:1/gate" if kind == "unresolvable" else gate.url
    if kind != "refused":
        gate.listen()
    if kind == "wrong":
        gate.decide(404, "")
    ended = pod.write("def test_passes(): pass").run(gate=url, gate_seconds=1)
    assert ended.end.reason == "GateTimeout"
    assert ended.end.message is not None
    assert ended.end.message.startswith(f"the gate {url} did not open within 1 s; last attempt: ")
    expected = {
        "closed": "still closed",
        "refused": "Connection refused",
        "unresolvable": "no-such-host.invalid does not resolve",
        "wrong": "HTTP 404",
    }
    assert expected[kind] in ended.end.message
    assert (ended.exit_status, ended.end.rc) == (NOT_RUN, None)


def test_an_image_without_pytest_says_so(pod: SuitePod, gate: GateServer) -> None:
    gate.listen()  # never opens: this is known before
    ended = pod.write("def test_passes(): pass").run(gate=gate.url, flags=("-S",))
    assert ended.end.reason == "NoPytest"
    assert ended.end.message is not None
    assert "No module named 'pytest'" in ended.end.message
    assert (ended.exit_status, ended.end.rc, ended.end.signal) == (NOT_RUN, None, None)


def test_a_broken_pytest_says_so(pod: SuitePod) -> None:
    ended = pod.write("raise OSError('half an installation')", "pytest.py").run()
    assert ended.end.reason == "NoPytest"
    assert "OSError: half an installation" in (ended.end.message or "")


@pytest.mark.timeout(900)
def test_thousands_of_tests_arrive_once_each(pod: SuitePod) -> None:
    pod.write("", "tests.many")
    pod.write(
        """
import pytest
class Many(pytest.File):
    def collect(self): return [One.from_parent(self, name=str(number)) for number in range(5_000)]
class One(pytest.Item):
    def runtest(self): pass
def pytest_collect_file(parent, file_path):
    return Many.from_parent(parent, path=file_path) if file_path.suffix == ".many" else None
""",
        "conftest.py",
    )
    ended = pod.run("-q", "tests.many", seconds=600)
    assert ended.exit_status == 0
    assert ended.collected.tests == ended.one(Finish).ran == 5_000
    assert {test.id for test in ended.all(Attempt)} == {f"tests.many::{number}" for number in range(5_000)}
    assert len(ended.all(Attempt)) == 5_000
    assert len(ended.relayed) < 2 << 20


def test_workers_of_xdist_report_through_their_controller(pod: SuitePod) -> None:
    source = "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_a(n, tmp_path): assert n != 7"
    ended = pod.write(source).run("-n", "2", retries=1, shard=1, shards=2)
    assert ended.exit_status == 1
    assert (ended.collected.tests, ended.collected.total) == (10, 20)
    assert sorted(outcome for _, outcome in ended.outcomes()) == ["failed", *["passed"] * 9]
    assert len(ended.all(Attempt)) == 11


def test_nothing_survives_the_tests(pod: SuitePod) -> None:
    pod.write(
        """
import os, subprocess, sys
CODE = "import os, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True)\\n"
LOOP = "open(sys.argv[1], 'w').write(str(os.getpid())); open(sys.argv[1] + '.done', 'w').close(); signal.pause()"
def test_leaves_a_child(): subprocess.Popen([sys.executable, "-c", CODE + LOOP, "child"])
def test_leaves_a_daemon(): subprocess.Popen([sys.executable, "-c", CODE + LOOP, "daemon"], start_new_session=True)
def test_leaves_an_orphan():
    start = f"subprocess.Popen([sys.executable, '-c', {CODE + LOOP!r}, 'orphan'], start_new_session=True)"
    subprocess.run([sys.executable, "-c", "import subprocess, sys; " + start], check=True)
def test_waits():
    while not all(os.path.exists(name + ".done") for name in ("child", "daemon", "orphan")): pass
"""
    )
    ended = pod.run("-s", "-W", "ignore")
    assert ended.exit_status == 0, ended.output
    pids = [int((pod.suite / name).read_text()) for name in ("child", "daemon", "orphan")]
    assert not any(alive(pid) for pid in pids)


def test_a_flood_of_output_is_cut_but_its_end_is_kept(pod: SuitePod) -> None:
    pod.write(
        """
def test_prints():
    for number in range(48):
        print(("x" * 127 + "\\n") * 8192, end="")
"""
    )
    ended = pod.run("-s")
    assert ended.exit_status == 0
    assert OUTPUT_BYTES <= len(ended.output) < OUTPUT_BYTES + 20_000
    assert "seatrial: more than 16 MiB of output; the rest is dropped" in ended.output
    assert "1 passed" in ended.output[-500:]


@pytest.mark.parametrize("chunks", [[100, 1], [99, 2, 5], [101], [60, 40, 30, 30]])
def test_where_output_is_cut_is_said_once(chunks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a chunk ends exactly at the limit."""
    monkeypatch.setattr(supervisor, "OUTPUT_BYTES", 100)
    stream = supervisor.Stream(1)
    try:
        for size in chunks:
            os.write(stream.end, b"x" * size)
            assert stream.read() == size
    finally:
        os.close(stream.source)
        os.close(stream.end)
    assert bytes(stream.waiting) == b"x" * 100 + b"\nseatrial: more than 0 MiB of output; the rest is dropped\n"


def test_output_of_a_crash_is_complete(pod: SuitePod) -> None:
    pod.write("import os\ndef test_dies():\n    os.write(2, b'e' * 100_000 + b'last words'); os._exit(3)")
    ended = pod.run("-s")
    assert ended.output.count("e" * 1000) == 100
    assert ended.end.stderr.endswith("elast words")
    assert len(ended.end.stderr) == 8192


def test_the_child_finds_what_a_container_lacks(pod: SuitePod) -> None:
    pod.write(
        """
import os, pathlib, sys, tempfile
def test_environment():
    assert os.environ["TMPDIR"] == os.environ["HOME"] == "/tmp"
    assert os.environ["SEATRIAL_SHARD"] == "0"
    assert os.environ["PYTHONUNBUFFERED"] == os.environ["PYTHONDONTWRITEBYTECODE"] == "1"
    assert os.getcwd() == str(pathlib.Path(__file__).parent)
    assert "SEATRIAL_RECORDS" not in os.environ
    assert sys.stdin is None or not sys.stdin.isatty()
    assert sys.path[0] == os.getcwd()
"""
    )
    ended = pod.run(JOB_COMPLETION_INDEX=0, HOME="/nowhere")
    assert ended.exit_status == 0, ended.output
    assert not list(pod.suite.rglob("__pycache__"))


def test_spawned_processes_do_not_start_another_supervisor(pod: SuitePod) -> None:
    pod.write(
        """
import multiprocessing
def test_spawns():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(abs, [-1]) == [1]
"""
    )
    ended = pod.run()
    assert ended.exit_status == 0, ended.output
    assert len(ended.all(Start)) == 1


def test_records_cut_off_in_the_middle_of_a_line_do_not_take_the_end_with_them(pod: SuitePod) -> None:
    pod.write(
        """
import os, pathlib
records = pathlib.Path(__file__).parents[1] / "records" / "records.jsonl"
def test_writes_half_a_record():
    with records.open("ab") as file: file.write(b'{"t":"te')
    os._exit(0)
"""
    )
    ended = pod.run()
    assert ended.end.rc == 0
    assert [type(record).__name__ for record in ended.records[-2:]] == ["Garbage", "End"]


def test_wrong_variables_are_named(pod: SuitePod) -> None:
    pod.start(timeout_seconds="soon")
    assert pod.supervisor.wait(60) == NOT_RUN
    assert "could not convert string to float: 'soon'" in pod.log.read_text()


def test_memory_kills_are_counted_in_both_versions_of_cgroups(tmp_path: Path) -> None:
    own, root = tmp_path / "cgroup", tmp_path / "root"
    v1, v2 = root / "memory" / "pod" / "memory.oom_control", root / "memory.events"
    v1.parent.mkdir(parents=True)
    own.write_text("5:cpu:/pod\n4:memory:/pod\n")
    assert oom_kills(str(root), str(own)) is None
    v1.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert oom_kills(str(root), str(own)) == 2
    own.write_text("0::/kubepods/of/the/host\n")  # without its own namespace a container sees the host's path
    v2.write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\noom_group_kill 0\n")
    assert oom_kills(str(root), str(own)) == 3
    assert oom_kills(str(root), str(tmp_path / "absent")) is None


@pytest.mark.parametrize("url", ["", "environment:8377", "https://environment:8377/gate", "http://environment/gate"])
def test_a_wrong_url_of_the_gate_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected http://host:port/path"):
        split_url(url)


def test_urls_of_gates() -> None:
    assert split_url("http://environment:8377/gate") == ("environment", 8377, "/gate")
    assert split_url("http://[::1]:80/") == ("::1", 80, "/")


def test_the_supervisor_imports_little() -> None:
    """Each of these takes milliseconds in front of every first test."""
    source = Path(sys.modules[split_url.__module__].__file__ or "").read_text()
    top = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert top == {"__future__", "_thread", "json", "os", "re", "select", "signal", "sys", "time"}  # json imports re
