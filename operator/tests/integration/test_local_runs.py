"""`seatrial run` on this machine, as a process with real servers: its verdicts, and that nothing is ever left of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from seatrial.local import scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Object = dict[str, Any]

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
DEADLINE_SECONDS = 120.0
MARK = "TEST_OF_LOCAL_RUNS"
"""A variable that every process of a test inherits."""

HANG = """
import os, signal, time

def test_that_leaves_a_daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.execvp("sleep", ["sleep", "3600"])
        os._exit(0)

def test_that_hangs():
    time.sleep(600)
"""


class Machine:
    """Runs the command line in a folder of its own, and knows what is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.env = os.environ | {MARK: self.mark, "XDG_STATE_HOME": str(folder / "state"), "SEATRIAL_DEBUG": ""}

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "seatrial.cli", *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=DEADLINE_SECONDS)
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def write(self, tests: str, **spec: Any) -> str:
        """A manifest with one suite; its name."""
        tests_map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "tests"},
            "data": {"test_it.py": tests},
        }
        suites = [{"name": "it", "testsFrom": {"configMapRef": {"name": "tests"}}}]
        run = {
            "apiVersion": "seatrial.dev/v1alpha1",
            "kind": "TestRun",
            "metadata": {"name": "it"},
            "spec": {"suites": suites, **spec},
        }
        (self.folder / "run.yaml").write_text(yaml.safe_dump_all([tests_map, run]))
        return "run.yaml"

    def left(self) -> list[str]:
        """Processes that bear the mark."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        return found

    def folders(self) -> list[Path]:
        """Folders of runs that nobody looks after any more."""
        places = (scratch.MEMORY, Path(tempfile.gettempdir()))
        return [path for place in places for path in place.glob(f"{scratch.PREFIX}*") if _is_stale(path)]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    eventually("no process is left", lambda: not machine.left() or machine.left())
    assert machine.folders() == []


def _is_stale(folder: Path) -> bool:
    with suppress(OSError):
        return scratch._is_stale(folder)
    return False  # it is gone by now


def eventually(what: str, probe: Callable[[], Any], seconds: float = 30) -> None:
    """Until a probe says True; whatever else it says is shown in the end."""
    deadline = time.monotonic() + seconds
    while (answer := probe()) is not True:
        assert time.monotonic() < deadline, f"{what}: not so after {seconds:g} s: {answer}"
        time.sleep(0.05)  # between two looks


def record(machine: Machine, name: str) -> Object:
    path = machine.folder / "state" / "seatrial" / "runs" / "default" / name / "testrun.json"
    return dict(json.loads(path.read_text()))


def passed(machine: Machine) -> int:
    """How many tests have passed so far."""
    with suppress(OSError, LookupError):
        return int(record(machine, "it")["status"]["summary"]["passed"])
    return -1


class TestVerdicts:
    def test_the_first_example(self, machine: Machine) -> None:
        done = machine.run("run", str(EXAMPLES / "quickstart.yaml"))
        assert done.returncode == 0, done.stderr
        assert "quickstart: Passed, 4 passed" in done.stdout
        assert "redis: " in done.stderr  # which server it got
        status = record(machine, "quickstart")["status"]
        assert (status["phase"], status["passed"], status["environment"]) == ("Passed", "4/4", "1/1")
        cleaned = next(item for item in status["conditions"] if item["type"] == "EnvironmentCleaned")
        assert (cleaned["status"], cleaned["reason"]) == ("True", "Deleted")

    def test_a_red_one(self, machine: Machine) -> None:
        done = machine.run("run", str(EXAMPLES / "red.yaml"), "-o", "json")
        assert done.returncode == 1, done.stderr
        summary = json.loads(done.stdout)["status"]["summary"]
        assert {key: summary[key] for key in ("passed", "failed", "errors", "skipped", "xfailed", "flaky")} == {
            "passed": 2,
            "failed": 1,
            "errors": 1,
            "skipped": 1,
            "xfailed": 1,
            "flaky": 1,
        }

    def test_red_is_red_every_time(self, machine: Machine) -> None:
        """What a test leaves in its temporary folder is gone."""
        first, second = (machine.run("run", str(EXAMPLES / "red.yaml")) for _ in range(2))
        assert "1 flaky" in first.stdout
        assert "1 flaky" in second.stdout

    def test_the_run_ended_early(self, machine: Machine) -> None:
        done = machine.run("run", machine.write("import os\ndef test_it(): os._exit(0)\n"))
        assert done.returncode == 2
        assert "Incomplete" in done.stdout

    def test_two_side_by_side(self, machine: Machine) -> None:
        runs = [machine.start("run", str(EXAMPLES / "quickstart.yaml")) for _ in range(2)]
        assert [run.communicate(timeout=DEADLINE_SECONDS) and run.returncode for run in runs] == [0, 0]


class TestBadInput:
    @pytest.mark.parametrize(
        ("spec", "code", "said"),
        [
            ({"services": {"redis": {}}, "suites": []}, 3, "spec.suites"),
            ({"services": {"rediss": {}}}, 3, "redis"),
            ({"services": {"redpanda": {}}}, 2, "write `kafka: {}` instead"),
            ({"services": {"redis": {"version": "0.1"}}}, 2, "spec.services.redis: there is no redis 0.1"),
            (
                {"applications": [{"name": "app", "image": "ghcr.io/example/app:1"}]},
                2,
                "--map ghcr.io/example/app:1=FOLDER",
            ),
        ],
    )
    def test_is_said_with_what_helps(self, machine: Machine, spec: Object, code: int, said: str) -> None:
        done = machine.run("run", machine.write("def test_it(): pass\n", **spec))
        assert done.returncode == code, done.stdout + done.stderr
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr

    def test_a_run_that_ends_while_its_servers_are_being_prepared(self, machine: Machine) -> None:
        """With an empty cache Kafka's jars are fetched first, which is given up, and nobody is bothered with it."""
        machine.env["XDG_CACHE_HOME"] = str(machine.folder / "cache")
        suites = [{"name": "it", "image": "none:1"}]
        done = machine.run("run", machine.write("", services={"kafka": {}}, suites=suites))
        assert done.returncode == 2
        assert "suite it: no folder of this machine stands for the image none:1" in done.stdout
        assert "pid" not in done.stderr

    def test_an_application_that_ends(self, machine: Machine) -> None:
        (machine.folder / "app").mkdir()
        (machine.folder / "app" / "main.py").write_text("raise SystemExit('no such exchange')\n")
        (machine.folder / "seatrial.toml").write_text(
            '[images."app:1"]\ndir = "app"\ncommand = ["python", "main.py"]\n'
        )
        manifest = machine.write("def test_it(): pass\n", applications=[{"name": "app", "image": "app:1"}])
        done = machine.run("run", manifest)
        assert done.returncode == 2
        assert "ApplicationFailed" in done.stdout
        assert "no such exchange" in done.stdout

    def test_a_mapping_that_is_wrong(self, machine: Machine) -> None:
        (machine.folder / "seatrial.toml").write_text('[images."app:1"]\nfolder = "app"\n')
        done = machine.run("run", machine.write("def test_it(): pass\n"))
        assert done.returncode == 3
        assert "seatrial.toml: images.app:1.dir: Field required" in done.stderr


class TestInterrupted:
    """Whatever is killed, nothing is left."""

    @pytest.fixture
    def hanging(self, machine: Machine) -> Iterator[subprocess.Popen[str]]:
        process = machine.start("run", machine.write(HANG, services={"redis": {}, "postgres": {}}))
        eventually("the daemon runs", lambda: any("sleep 3600" in line for line in machine.left()) or machine.left())
        eventually("its test has ended", lambda: passed(machine) == 1 or passed(machine))
        yield process
        process.communicate(timeout=DEADLINE_SECONDS)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_is_cancelled(self, machine: Machine, hanging: subprocess.Popen[str], number: int) -> None:
        hanging.send_signal(number)
        out, err = hanging.communicate(timeout=DEADLINE_SECONDS)
        assert hanging.returncode == 2
        assert "Cancelled, 1 passed, 1 not run" in out
        assert "once more ends it at once" in err
        assert record(machine, "it")["status"]["phase"] == "Cancelled"

    def test_twice(self, hanging: subprocess.Popen[str]) -> None:
        hanging.send_signal(signal.SIGINT)
        hanging.send_signal(signal.SIGTERM)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        assert hanging.returncode == 2

    def test_the_engine_is_killed(self, machine: Machine, hanging: subprocess.Popen[str]) -> None:
        os.kill(_engine(hanging), signal.SIGKILL)
        _, err = hanging.communicate(timeout=DEADLINE_SECONDS)
        assert hanging.returncode == 2
        assert "the engine was killed by SIGKILL" in err
        eventually("no process is left", lambda: not machine.left() or machine.left())

    def test_its_keeper_is_killed(self, machine: Machine, hanging: subprocess.Popen[str]) -> None:
        hanging.kill()
        hanging.communicate(timeout=DEADLINE_SECONDS)
        eventually("no process is left", lambda: not machine.left() or machine.left())

    def test_both_are_killed(self, machine: Machine, hanging: subprocess.Popen[str]) -> None:
        engine = _engine(hanging)
        hanging.kill()
        os.kill(engine, signal.SIGKILL)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        # The kernel ends what was started; a daemon that a test has made is ended by the next run.
        eventually("only it is left", lambda: all("sleep 3600" in line for line in machine.left()) or machine.left())
        assert machine.run("run", str(EXAMPLES / "quickstart.yaml")).returncode == 0


def _engine(keeper: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()
    assert len(children) == 1, children
    return int(children[0])
