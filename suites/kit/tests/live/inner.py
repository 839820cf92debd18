"""A suite of somebody who uses the kit: pytest in a process of its own, on the same services."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60
DIES_WITH_US = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
    raise OSError(ctypes.get_errno(), "prctl")
if os.getppid() != int(os.environ["INNER_PARENT"]):
    sys.exit("whoever has started this is gone")
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
"""Runs pytest, which the kernel kills with the process that has started it."""
SETTINGS = (
    "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\naddopts = --strict-markers\n"
)


class Inner:
    """A folder with tests, and what came of them."""

    def __init__(self, folder: Path, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.folder = folder / "inner"
        self.folder.mkdir()
        (self.folder / "pytest.ini").write_text(SETTINGS)

    def run(self, source: str, *arguments: str, **variables: str) -> tuple[int, str]:
        """Status and output."""
        with self._start(source, *arguments, **variables) as process:
            return self._ended(process)

    def run_and_kill(self, source: str) -> list[str]:
        """Run a test that says what it has made, a line each, then `ready`, and hangs: it is killed then."""
        said: list[str] = []
        with self._start(source, "-s") as process:
            assert process.stdout is not None
            too_late = threading.Timer(self.seconds, process.kill)  # its output ends then, and so does the loop
            too_late.start()
            for line in process.stdout:
                said.append(line.strip())
                if said[-1] == "ready":
                    break
            too_late.cancel()
            process.kill()
            rest = self._ended(process)[1]
        assert said[-1:] == ["ready"], "\n".join(
            [f"pytest in {self.folder} ended or was killed after {self.seconds:g} s; it said:", *said, rest]
        )
        return said

    def _ended(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Status and output. One that does not come to its end is killed, and its test fails with what it said."""
        try:
            output, _ = process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise AssertionError(
                f"pytest in {self.folder} took more than {self.seconds:g} s; it said:\n{output}"
            ) from None
        return process.returncode, output

    def _start(self, source: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        (self.folder / "test_inner.py").write_text(source)
        command = [sys.executable, "-u", "-c", DIES_WITH_US, "-p", "no:cacheprovider", *arguments]
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("SEATRIAL_RECORDS", "SEATRIAL_SHARDS", "PYTEST_ADDOPTS")
        } | {"INNER_PARENT": str(os.getpid())}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
