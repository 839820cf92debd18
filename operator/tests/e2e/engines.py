"""The same manifest on the cluster and on this machine, and the two status documents compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

from tests.statuses import differences

from .kubectl import kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from .kubectl import Object, Tenant

SECONDS = 480
"""What the longest of the examples may take when everything else runs beside it."""


def on_the_cluster(file: Path, name: str, tenant: Tenant) -> Object:
    """Apply the file; the TestRun once it is over."""
    kubectl("apply", "-n", tenant.namespace, "-f", str(file))
    return tenant.finished(name, SECONDS)


def same_on_both(file: Path, name: str, tenant: Tenant, env: dict[str, str]) -> Object:
    """Run the file here and on the cluster at once; fails where they differ. The TestRun as the cluster has it."""
    kubectl("apply", "-n", tenant.namespace, "-f", str(file))
    here, code = _run_locally(file, env)
    run = tenant.finished(name, SECONDS)
    there = run["status"]
    expected = {"Passed": 0, "Failed": 1}.get(there["phase"], 2)
    assert (here["phase"], here["reason"], code) == (there["phase"], there["reason"], expected), here["message"]
    found = differences(here, there)
    assert not found, f"this machine, the cluster:\n{yaml.safe_dump(found, width=200)}"
    return run


def _run_locally(file: Path, env: dict[str, str]) -> tuple[Object, int]:
    """Status and exit code."""
    command = [sys.executable, "-m", "seatrial.cli", "run", file.name, "-o", "json"]
    done = subprocess.run(
        command, cwd=file.parent, env=os.environ | env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout)["status"]), done.returncode
