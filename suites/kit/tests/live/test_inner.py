"""The sessions that these tests start end in time, and with whoever has started them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from inner import Inner

from seatrial_kit.waiting import eventually

HANGS = """
import os, pathlib, threading

def test_it():
    pathlib.Path("said").write_text(f"{os.getpid()} ")
    threading.Event().wait()
"""


def test_one_that_hangs_is_killed(tmp_path: Path) -> None:
    inner = Inner(tmp_path, seconds=1)
    with pytest.raises(AssertionError, match=r"took more than 1 s"):
        inner.run(HANGS)


def test_one_that_never_says_ready_is_killed(tmp_path: Path) -> None:
    inner = Inner(tmp_path, seconds=1)
    with pytest.raises(AssertionError, match=r"was killed after 1 s; it said:"):
        inner.run_and_kill(HANGS)


def test_one_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    script = f"import pathlib, inner; inner.Inner(pathlib.Path({str(tmp_path)!r})).run({HANGS!r})"
    said = tmp_path / "inner" / "said"
    with subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parent) as outer:
        try:
            text = eventually(
                lambda: said.exists() and said.read_text().endswith(" ") and said.read_text(), "a session"
            )
        finally:
            outer.kill()
    status = Path(f"/proc/{str(text).strip()}/stat")

    def gone() -> bool:
        try:
            return status.read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    eventually(gone, f"process {text}to be gone")
