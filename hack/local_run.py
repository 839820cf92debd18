"""A run on this machine, for whoever wants to know what became of its tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]


def status_of(*objects: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The status of the one TestRun among them once it has ended. Exits with what Seatrial said if it came to none.

    Raises subprocess.TimeoutExpired.
    """
    (run,) = (item for item in objects if item["kind"] == "TestRun")
    command = (sys.executable, "-m", "seatrial.cli", "run", "-", "-o", "json")
    # From the repository, seatrial.toml is found.
    done = subprocess.run(
        command,
        input=yaml.safe_dump_all(objects),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if not done.stdout:
        sys.exit(f"{run['metadata']['name']}: no verdict\n{done.stderr}")
    status: dict[str, Any] = json.loads(done.stdout)["status"]
    return status
