"""InfluxDB's server for tests on this machine. No package has it, so it is the one of the image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def take_influxd(folder: Path) -> None:
    """Copy `influxd` into a folder. The image must have been built: not a skip, what is not tested must not look so."""
    command = [sys.executable, "-m", "images", "extract", "influxdb", "influxd", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
