"""The process that starts the worker, and another one when that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SUPERVISE = "import sys; from kraken.__main__ import supervise; sys.exit(supervise(sys.argv[1:]))"
KILLED_ONCE = """
import os, pathlib, signal, sys
tried = pathlib.Path(sys.argv[1])
if not tried.exists():
    tried.touch()
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(3)
"""
WAITING = "import signal, sys; print('here', flush=True); signal.sigwait({signal.SIGTERM}); sys.exit(int(sys.argv[1]))"
BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"


def supervised(*command: str) -> list[str]:
    return [sys.executable, "-c", SUPERVISE, sys.executable, "-c", *command]


def test_a_killed_worker_is_replaced_and_one_that_ends_is_not(tmp_path: Path) -> None:
    command = supervised(KILLED_ONCE, str(tmp_path / "tried"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("killed by signal 9; another is started")) == (3, 1)


@pytest.mark.parametrize("status", ["0", "1"])
def test_sigterm_ends_the_worker_and_then_the_supervisor(status: str) -> None:
    with subprocess.Popen(supervised(BLOCKED + WAITING, status), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == int(status)
