"""CTRF, the Common Test Report Format: one JSON document that many tools read (https://ctrf.io)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seatrial import __version__
from seatrial.cli.cases import Case, cases, span, unexplained, verdict
from seatrial.cli.export.texts import MESSAGE_CHARACTERS, NAME_CHARACTERS, clean, location, one_line

if TYPE_CHECKING:
    from seatrial.cli.record import Result, RunRecord

SPEC_VERSION = "0.0.0"
"""Of the format. Every member that is written here is in it."""
_STATUS = {
    "passed": "passed",
    "xpassed": "passed",
    "failed": "failed",
    "error": "failed",
    "skipped": "skipped",
    "xfailed": "skipped",
}
_IDS = uuid.uuid5(uuid.NAMESPACE_DNS, "seatrial.dev")


def export_ctrf(record: RunRecord) -> str:
    """The record as a CTRF document."""
    found = cases(record)
    start, end = span(record, found)
    tests = [_test(case) for case in found]
    missing = unexplained(record, found)
    if missing is not None:
        tests.append(
            {
                "name": "verdict",
                "status": "failed",
                "duration": 0,
                "suite": ["seatrial"],
                "rawStatus": one_line(missing.phase),
                "message": one_line(missing.text) or "the run has not passed",
            }
        )
    numbers = [test["status"] for test in tests]
    status = record.status
    verdict_ = verdict(record)
    return json.dumps(
        {
            "reportFormat": "CTRF",
            "specVersion": SPEC_VERSION,
            "reportId": str(
                uuid.uuid5(_IDS, f"{record.namespace}/{record.name}/{record.run['metadata'].get('uid', start)}")
            ),
            "timestamp": _timestamp(end),
            "generatedBy": f"seatrial {__version__}",
            "results": {
                "tool": {"name": "seatrial", "version": __version__},
                "summary": {
                    "tests": len(tests),
                    **{name: numbers.count(name) for name in ("passed", "failed", "skipped", "pending", "other")},
                    "flaky": sum(case.flaky for case in found),
                    "suites": len({case.suite for case in found}),
                    "start": _milliseconds(start),
                    "stop": _milliseconds(end),
                    "duration": _milliseconds(end - start),
                    "extra": {"notRun": (status.get("summary") or {}).get("notRun", 0)},
                },
                "tests": tests,
                "environment": {
                    "reportName": one_line(record.name),
                    "testEnvironment": one_line(record.namespace),
                    "healthy": verdict_.passed,
                    "extra": {
                        "phase": verdict_.phase,
                        "reason": verdict_.reason,
                        "message": clean(verdict_.message, MESSAGE_CHARACTERS),
                        "services": status.get("services") or [],
                        "applications": status.get("applications") or [],
                    },
                },
            },
        },
        indent=2,
    )


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _timestamp(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC).isoformat()


def _test(case: Case) -> dict[str, Any]:
    final = case.final
    test: dict[str, Any] = {
        "id": str(uuid.uuid5(_IDS, f"{case.suite}\n{case.id}")),
        "name": one_line(case.id, NAME_CHARACTERS) or "-",
        "suite": [one_line(case.suite) or "-"],
        "rawStatus": one_line(final.outcome),
        "threadId": str(case.shard),
        **_outcome(final),
    }
    if case.file:
        test["filePath"] = one_line(case.file)
    if case.earlier:
        test["retries"] = len(case.earlier)
        test["retryAttempts"] = [{"attempt": attempt.attempt, **_outcome(attempt)} for attempt in case.earlier]
    if case.flaky:
        test["flaky"] = True
    return test


def _outcome(attempt: Result) -> dict[str, Any]:
    members: dict[str, Any] = {
        "status": _STATUS.get(attempt.outcome, "other"),
        "duration": _milliseconds(attempt.duration_seconds),
    }
    if attempt.started_at:
        members["start"] = _milliseconds(attempt.started_at)
        members["stop"] = _milliseconds(attempt.started_at + attempt.duration_seconds)
    if attempt.message:
        members["message"] = clean(attempt.message, MESSAGE_CHARACTERS)
    if attempt.details:
        members["trace"] = clean(attempt.details)
    place = location(attempt.location)
    if place is not None:
        members["line"] = place[1]
    return members
