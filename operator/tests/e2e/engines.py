"""The same manifest on the cluster and on this machine, and the two status documents compared."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from .kubectl import kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from .kubectl import Object, Tenant

SECONDS = 480
"""What the longest of the examples may take when everything else runs beside it."""
OTHERWISE = {"namespace", "duration", "durationSeconds", "readyAfterSeconds", "lastTransitionTime"}
"""Members that no two runs have in common, or that are those of the engine."""
_ADDRESS = re.compile(r"\b[a-z0-9.-]+:\d{4,5}\b")
_POD = re.compile(r"\bsuite-[a-z]+-\d+(-[a-z0-9]{5})?\b")
_NUMBER = re.compile(r"\b\d+(\.\d+)? s\b")
_STAMP = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? UTC( \[\d+\])?")
"""Times in PostgreSQL's log, and the process that says it."""
_STARTING = re.compile(r"<stamp> (LOG|FATAL): [^|]*\| ")
"""What it says while it starts: whether somebody asks it too soon is chance."""
_FOLDER = re.compile(r"/\S*/seatrial-run-\w+/\d+/<pod>")
"""What is the root folder of a pod on this machine."""
WORDS = (
    (_STAMP, "<stamp>"),
    (_STARTING, ""),
    (_ADDRESS, "<address>"),
    (_POD, "<pod>"),
    (_NUMBER, "<time>"),
    (_FOLDER, ""),
)


def same_on_both(file: Path, name: str, tenant: Tenant, env: dict[str, str]) -> Object:
    """Run the file here and on the cluster at once; fails where they differ. The TestRun as the cluster has it."""
    kubectl("apply", "-n", tenant.namespace, "-f", str(file))
    here, code = _run_locally(file, env)
    run = tenant.finished(name, SECONDS)
    there = run["status"]
    expected = {"Passed": 0, "Failed": 1}.get(there["phase"], 2)
    assert (here["phase"], here["reason"], code) == (there["phase"], there["reason"], expected), here["message"]
    one, other = _plain(here, "status"), _plain(there, "status")
    differences = {key: [one.get(key), other.get(key)] for key in one | other if one.get(key) != other.get(key)}
    assert not differences, f"this machine, the cluster:\n{yaml.safe_dump(differences, width=200)}"
    return run


def _run_locally(file: Path, env: dict[str, str]) -> tuple[Object, int]:
    """Status and exit code."""
    command = [sys.executable, "-m", "seatrial.cli", "run", file.name, "-o", "json"]
    done = subprocess.run(
        command, cwd=file.parent, env=os.environ | env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout)["status"]), done.returncode


def _plain(value: Any, key: str = "") -> Any:
    """A status without what differs from run to run: times, addresses, drawn names; and without images of services."""
    if isinstance(value, dict):
        if key == "timings":
            return sorted(value)
        found = {name: _plain(item, name) for name, item in sorted(value.items()) if name not in OTHERWISE}
        if key == "status":  # the verdict is compared, and not how far the clean-up has come
            found["conditions"] = [item for item in found["conditions"] if item["type"] != "EnvironmentCleaned"]
        return found
    if isinstance(value, list):
        plain = [_plain(item) for item in value]
        return [item | {"image": ""} for item in plain] if key == "services" else plain
    if isinstance(value, str):
        for pattern, name in WORDS:
            value = pattern.sub(name, value)
    return value
