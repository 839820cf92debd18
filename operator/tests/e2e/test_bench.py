"""The short form of `make bench`: everything but the times is asserted."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from .kubectl import ROOT

SECONDS = 240

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive]


def bench(module: str, *arguments: str) -> str:
    """What a program of bench/ prints. It measures nothing while somebody else's runs are under way."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--no-save", *arguments],
        cwd=ROOT,
        env={"KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"), **os.environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_short_run_costs_few_writes() -> None:
    page = bench("bench", "--runs=1", "--warm-up=0", "--timelines=1", "--only", "floor-raw", "kafka-redis-postgres")
    for what in ("status writes", "API writes"):
        assert re.search(rf"^\| {what} +\| [1-9]\d* +\| at most \d+ +\| met +\|$", page, re.MULTILINE), page
    for step in ("Pod kafka created", "suite: first test begins", "verdict seen in the TestRun"):
        assert step in page
    assert "floor-raw" in page


def test_nothing_is_left_of_many_runs() -> None:
    page = bench("bench.leaks", "--runs=8")  # its exit status tells whether anything is left or missing
    assert re.search(r"^- equal after seconds: \d", page, re.MULTILINE), page
    assert re.search(r"^- objects before: [1-9]\d\d", page, re.MULTILINE), page
