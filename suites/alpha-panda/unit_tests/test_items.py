"""The table of what is to be shown names tests that exist, and every test is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "items.py"


def test_table_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, PROGRAM, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
