"""Status documents of one manifest, run in two ways, compared."""

from __future__ import annotations

import re
from typing import Any

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


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, list[Any]]:
    """Members of two statuses that differ, but for what differs from run to run."""
    here, there = _plain(one, "status"), _plain(other, "status")
    return {key: [here.get(key), there.get(key)] for key in here | there if here.get(key) != there.get(key)}


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
