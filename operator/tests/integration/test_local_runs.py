"""`seatrial run` on this machine, as a process with real servers: its verdicts, and that nothing is ever left of it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.local_machine import DAEMON, DEADLINE_SECONDS, EXAMPLES, Machine, eventually

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

HANG = f"""{DAEMON}
import time

def test_that_hangs():
    time.sleep(600)
"""


class TestVerdicts:
    def test_the_first_example(self, machine: Machine) -> None:
        done = machine.run("run", str(EXAMPLES / "quickstart.yaml"))
        assert done.returncode == 0, done.stderr
        assert "quickstart: Passed, 4 passed" in done.stdout
        assert "redis: " in done.stderr  # which server it got
        status = machine.record("quickstart")["status"]
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


class TestInterrupted:
    """Whatever is killed, nothing is left."""

    @pytest.fixture
    def hanging(self, machine: Machine) -> Iterator[subprocess.Popen[str]]:
        process = machine.start("run", machine.write(HANG, services={"redis": {}, "postgres": {}}))
        eventually("the daemon runs", lambda: any("sleep 3600" in line for line in machine.left()) or machine.left())
        eventually("its test has ended", lambda: machine.passed() == 1 or machine.passed())
        yield process
        process.communicate(timeout=DEADLINE_SECONDS)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_is_cancelled(self, machine: Machine, hanging: subprocess.Popen[str], number: int) -> None:
        hanging.send_signal(number)
        out, err = hanging.communicate(timeout=DEADLINE_SECONDS)
        assert hanging.returncode == 2
        assert "Cancelled, 1 passed, 1 not run" in out
        assert "once more ends it at once" in err
        assert machine.record("it")["status"]["phase"] == "Cancelled"

    @pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
    def test_twice(self, machine: Machine, hanging: subprocess.Popen[str], again: int) -> None:
        hanging.send_signal(signal.SIGINT)
        assert hanging.stderr is not None
        assert any("once more ends it at once" in line for line in hanging.stderr)
        hanging.send_signal(again)
        out, err = hanging.communicate(timeout=DEADLINE_SECONDS)
        assert (hanging.returncode, out) == (2, "")
        assert err.endswith("error: interrupted twice: all was stopped at once; run it again for a verdict\n")
        assert machine.left() == []
        told = machine.run("status", "it")
        # The first interruption may have come to its end meanwhile, and have left a verdict.
        assert "it was ended before its verdict" in told.stderr or "Cancelled" in told.stdout

    def test_nobody_reads_any_more(self, hanging: subprocess.Popen[str]) -> None:
        for pipe in (hanging.stdout, hanging.stderr):
            assert pipe is not None
            pipe.close()
        hanging.stdout = hanging.stderr = None
        hanging.terminate()
        assert hanging.wait(DEADLINE_SECONDS) != 0

    def test_before_anything_was_started(self, machine: Machine) -> None:
        """Whenever it comes: nobody sees a stack trace, and nothing is left."""
        os.mkfifo(machine.folder / "run.yaml")
        process = machine.start("run", "run.yaml")
        # It opens the pipe only when all that comes before is done, and waits there for a manifest.
        with (machine.folder / "run.yaml").open("w"):
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=DEADLINE_SECONDS)
        assert (process.returncode, out, err) == (-signal.SIGINT, "", "")
        assert machine.left() == []

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
