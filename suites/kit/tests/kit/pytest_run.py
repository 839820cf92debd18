"""Runs pytest with the plugin in a process of its own, as an image would, and reads the records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_seatrial

SECONDS = 120
PYTHON = os.environ.get("SEATRIAL_SUITE_PYTHON", sys.executable)
"""Another interpreter shows that the plugin runs on it, and with the versions of pytest and plugins it has."""
PLUGIN = Path(pytest_seatrial.__file__).parent


@dataclass(frozen=True)
class Run:
    """What pytest did."""

    status: int
    output: str
    records: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["t"] == kind]

    def attempts(self, *members: str) -> list[tuple[Any, ...]]:
        """Of every attempt the name of the test without its file, and the given members."""
        names = [(record["id"].partition("::")[2], record) for record in self.of("test")]
        return [(name, *(record.get(member) for member in members)) for name, record in names]


class Suite:
    """A folder with tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "suite"
        self.folder.mkdir()
        self.runs = 0

    def write(self, source: str, name: str = "test_suite.py") -> Suite:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return self

    def run(self, *args: str, **variables: object) -> Run:
        """Run pytest once. Variables are given without their prefix."""
        self.runs += 1
        records = self.folder.parent / f"records{self.runs}"
        records.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PLUGIN),
            "PYTEST_ADDOPTS": "-p no:hypothesispytest -p no:valkey",  # slow to import, and no image has them
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
            "SEATRIAL_RECORDS": str(records),
            **{f"SEATRIAL_{name.upper()}": str(value) for name, value in variables.items()},
        }
        command = [PYTHON, "-m", "pytest", "-p", "pytest_seatrial", *args]
        done = subprocess.run(
            command,
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS,
        )
        path = records / "records.jsonl"
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        records_read = [json.loads(line) for line in lines[:-1] if line]  # without a line that was cut off
        return Run(done.returncode, done.stdout + done.stderr, records_read)
