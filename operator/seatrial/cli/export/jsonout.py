"""The record as one JSON document of our own: nothing is left out. Members are added, never renamed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION
from seatrial.cli.cases import cases, verdict

if TYPE_CHECKING:
    from seatrial.cli.record import Result, RunRecord

_STATUS = ("passed", "summary", "duration", "timings", "suites", "services", "applications")


def export_json(record: RunRecord) -> str:
    """Run, verdict and every attempt of every test."""
    metadata, status, end = record.run["metadata"], record.status, verdict(record)
    return json.dumps(
        {
            "apiVersion": API_VERSION,
            "kind": "TestResults",
            "run": {key: metadata[key] for key in ("name", "namespace", "uid") if key in metadata},
            "phase": end.phase,
            "reason": end.reason,
            "message": end.message,
            **{key: status[key] for key in _STATUS if key in status},
            "tests": [
                {
                    "suite": case.suite,
                    "shard": case.shard,
                    "id": case.id,
                    "outcome": case.outcome,
                    "flaky": case.flaky,
                    "durationSeconds": case.seconds,
                    "attempts": [_attempt(attempt) for attempt in case.attempts],
                }
                for case in cases(record)
            ],
        },
        indent=2,
    )


def _attempt(result: Result) -> dict[str, Any]:
    members: dict[str, Any] = {
        "attempt": result.attempt,
        "outcome": result.outcome,
        "durationSeconds": result.duration_seconds,
    }
    texts = {"message": result.message, "location": result.location, "details": result.details}
    return (
        members
        | ({"startedAt": result.started_at} if result.started_at else {})
        | {k: v for k, v in texts.items() if v}
    )
