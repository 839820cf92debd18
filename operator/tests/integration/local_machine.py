"""`seatrial run` as a process in a folder of its own, with what is needed to see what is left of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.plugins import LEAN_ENV

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Object = dict[str, Any]

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
DEADLINE_SECONDS = 120.0
MARK = "TEST_OF_LOCAL_RUNS"
"""A variable that every process of a test inherits."""
PASSES = "def test_it(): pass\n"


DAEMON = """
import os, signal

def test_that_leaves_a_daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.execvp("sleep", ["sleep", "3600"])
        os._exit(0)
"""


class Machine:
    """Runs the command line in a folder of its own, and knows what is left of it."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.data = data
        self.mark = uuid.uuid4().hex
        self.python = sys.executable
        own = {MARK: self.mark, "XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(data), "SEATRIAL_DEBUG": ""}
        self.env = os.environ | own
        self.around: Sequence[str] = ()
        """A command that runs the program, such as one that gives it a name space of its own."""

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        command = [*self.around, self.python, "-m", "seatrial.cli", *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=DEADLINE_SECONDS)
            return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def write(self, tests: str = PASSES, **spec: Any) -> str:
        """A manifest with one suite; its name."""
        tests_map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "tests"},
            "data": {"test_it.py": tests},
        }
        suites = [{"name": "it", "testsFrom": {"configMapRef": {"name": "tests"}}, "env": LEAN_ENV}]
        run = {
            "apiVersion": "seatrial.dev/v1alpha1",
            "kind": "TestRun",
            "metadata": {"name": "it"},
            "spec": {"suites": suites, **spec},
        }
        (self.folder / "run.yaml").write_text(yaml.safe_dump_all([tests_map, run]))
        return "run.yaml"

    def record(self, name: str = "it") -> Object:
        """The TestRun as its record has it."""
        path = self.folder / "state" / "seatrial" / "runs" / "default" / name / "testrun.json"
        return dict(json.loads(path.read_text()))

    def passed(self) -> int:
        """How many tests have passed so far."""
        with suppress(OSError, LookupError):
            return int(self.record()["status"]["summary"]["passed"])
        return -1

    def left(self) -> list[str]:
        """Processes that bear the mark."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        return found

    def folders(self) -> list[Path]:
        """Data of runs."""
        return list(self.data.iterdir())


def eventually(what: str, probe: Callable[[], Any], seconds: float = 30) -> None:
    """Until a probe says True; whatever else it says is shown in the end."""
    deadline = time.monotonic() + seconds
    while (answer := probe()) is not True:
        assert time.monotonic() < deadline, f"{what}: not so after {seconds:g} s: {answer}"
        time.sleep(0.05)  # between two looks


def program(name: str) -> str:
    """Full path of a program that tests need. Not a skip: what is not tested must not look tested."""
    found = shutil.which(name)
    assert found is not None, f"{name} is not on PATH; CONTRIBUTING.md lists what the tests need"
    return found


def in_a_room_of_its_own(script: str, *rooms: str) -> list[str]:
    """What runs a command after a shell script in name spaces of its own: its mounts are gone with its processes."""
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return [program("unshare"), *rooms, *root, "/bin/sh", "-euc", f'{script}\nexec "$@"', "sh"]


def ended(machine: Machine, done: subprocess.CompletedProcess[str], code: int, *words: str) -> str:
    """It has ended with that code, said those words, and left nothing; all that it said."""
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    for word in words:
        assert word in said, said
    assert "Traceback" not in said, said
    assert "defect of seatrial" not in said, said
    assert machine.left() == []
    assert machine.folders() == []
    return said
