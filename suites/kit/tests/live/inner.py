"""A suite of somebody who uses the kit: pytest in a process of its own, on the same services."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 120
SETTINGS = (
    "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\naddopts = --strict-markers\n"
)


class Inner:
    """A folder with tests, and what came of them."""

    def __init__(self, folder: Path) -> None:
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
            for line in process.stdout:
                said.append(line.strip())
                if said[-1] == "ready":
                    break
            process.send_signal(signal.SIGKILL)
            rest = self._ended(process)[1]
        assert said[-1:] == ["ready"], "\n".join([*said, rest])
        return said

    def _ended(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Status and output. One that does not come to its end is killed, and its test fails with what it said."""
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise AssertionError(f"pytest in {self.folder} took more than {SECONDS} s; it said:\n{output}") from None
        return process.returncode, output

    def _start(self, source: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        (self.folder / "test_inner.py").write_text(source)
        command = [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("SEATRIAL_RECORDS", "SEATRIAL_SHARDS", "PYTEST_ADDOPTS")
        }
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
