"""A record -> the page: what is shown, in plain values, and the template that shows it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seatrial import __version__
from seatrial.cli.cases import Case, cases, span, verdict
from seatrial.cli.export.texts import NAME_CHARACTERS, clean, one_line
from seatrial.cli.report.timeline import duration, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.cli.record import Result, RunRecord

MAX_FAILURES = 200
"""Failures that are shown with their output; the others are in the list of all tests."""
SLOWEST = 10
MAX_FLAKY = 100
OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
WORDS = {
    "passed": "passed",
    "failed": "failed",
    "error": "errors",
    "skipped": "skipped",
    "xfailed": "expected failures",
    "xpassed": "unexpected passes",
}


def render(record: RunRecord) -> str:
    """The page as HTML. Every text of the run is escaped; scripts other than the page's own are forbidden by it."""
    environment = Environment(
        loader=PackageLoader("seatrial.cli.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(_view(record))


def _view(record: RunRecord) -> dict[str, Any]:
    found = cases(record)
    status, end = record.status, verdict(record)
    start, finish = span(record, found)
    bad = [case for case in found if case.bad]
    style, script = _asset("page.css"), _asset("page.js")
    return {
        "version": __version__,
        "name": one_line(record.name),
        "namespace": one_line(record.namespace),
        "phase": one_line(end.phase),
        "tone": {"Passed": "good", "Failed": "bad", "Error": "bad", "Cancelled": "warn"}.get(end.phase, "warn"),
        "reason": one_line(end.reason),
        "message": clean(end.message, 4000),
        "started": _moment(start),
        "duration": duration(finish - start) if finish > start else "",
        "counts": _counts(found, status),
        "timeline": timeline(record, found),
        "suites": _suites(record, found),
        "failures": [_failure(case) for case in bad[:MAX_FAILURES]],
        "failures_total": len(bad),
        "slowest": _slowest(found),
        "flaky": [_flaky(case) for case in found if case.flaky][:MAX_FLAKY],
        "flaky_total": sum(case.flaky for case in found),
        "components": _components(status),
        "tests": _data(found),
        "total": len(found),
        "outcomes": [(name, WORDS[name]) for name in OUTCOMES if any(case.outcome == name for case in found)],
        "style": Markup(style),  # noqa: S704  (a file of this package)
        "script": Markup(script),  # noqa: S704  (likewise)
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }


def _asset(name: str) -> str:
    return resources.files("seatrial.cli.report").joinpath("template", name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    """What a content security policy knows an inline script or style by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _moment(seconds: float) -> tuple[str, str] | None:
    """A time for programs and for people."""
    try:
        time = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return (time.isoformat(timespec="seconds"), time.strftime("%Y-%m-%d %H:%M:%S UTC")) if seconds else None


def _counts(found: Sequence[Case], status: dict[str, Any]) -> list[dict[str, Any]]:
    """The numbers of the page: outcomes with their share, then what is no outcome."""
    not_run = (status.get("summary") or {}).get("notRun", 0)
    not_run = not_run if isinstance(not_run, int) and not_run > 0 else 0
    numbers = [(name, WORDS[name], sum(case.outcome == name for case in found)) for name in OUTCOMES]
    numbers.append(("notrun", "not run", not_run))
    total = len(found) + not_run
    left, counts = 0.0, []
    for name, words, number in numbers:
        width = number / total * 100 if total else 0.0
        counts.append(
            {"kind": name, "words": words, "number": number, "left": round(left, 3), "width": round(width, 3)}
        )
        left += width
    return counts


def _suites(record: RunRecord, found: Sequence[Case]) -> list[dict[str, Any]]:
    states = {str(item.get("name")): item for item in record.status.get("suites") or () if isinstance(item, dict)}
    names = dict.fromkeys([*record.suites, *states, *(case.suite for case in found)])
    rows = []
    for name in names:
        mine = [case for case in found if case.suite == name]
        state = states.get(name, {})
        seconds = state.get("durationSeconds")
        rows.append(
            {
                "name": one_line(name),
                "state": one_line(str(state.get("state", ""))),
                "message": one_line(str(state.get("message", ""))),
                "total": len(mine),
                "passed": sum(case.outcome in {"passed", "xpassed"} for case in mine),
                "bad": sum(case.bad for case in mine),
                "skipped": sum(case.outcome in {"skipped", "xfailed"} for case in mine),
                "flaky": sum(case.flaky for case in mine),
                "duration": duration(seconds) if isinstance(seconds, int | float) else "",
            }
        )
    return rows


def _failure(case: Case) -> dict[str, Any]:
    attempts = [_attempt(attempt) for attempt in case.attempts]
    return {**_names(case), "outcome": case.outcome, "last": attempts[-1], "earlier": attempts[:-1]}


def _attempt(attempt: Result) -> dict[str, Any]:
    return {
        "number": attempt.attempt,
        "outcome": one_line(attempt.outcome),
        "seconds": attempt.duration_seconds,
        "duration": duration(attempt.duration_seconds),
        "message": one_line(attempt.message),
        "location": one_line(attempt.location),
        "details": clean(attempt.details or attempt.message),
    }


def _names(case: Case) -> dict[str, str]:
    return {
        "suite": one_line(case.suite),
        "file": one_line(case.file, NAME_CHARACTERS) if case.name != case.id else "",
        "name": one_line(case.name, NAME_CHARACTERS),
    }


def _slowest(found: Sequence[Case]) -> list[dict[str, Any]]:
    slow = sorted((case for case in found if case.seconds > 0), key=lambda case: case.seconds, reverse=True)[:SLOWEST]
    longest = slow[0].seconds if slow else 1.0
    return [
        {
            **_names(case),
            "outcome": one_line(case.outcome),
            "duration": duration(case.seconds),
            "width": round(case.seconds / longest * 100, 2),
        }
        for case in slow
    ]


def _flaky(case: Case) -> dict[str, Any]:
    return {**_names(case), "attempts": case.final.attempt, "earlier": [_attempt(attempt) for attempt in case.earlier]}


def _components(status: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for kind, member in (("service", "services"), ("application", "applications")):
        for item in status.get(member) or ():
            after = item.get("readyAfterSeconds")
            rows.append(
                {
                    "kind": kind,
                    "name": one_line(str(item.get("name", ""))),
                    "ready": bool(item.get("ready")),
                    "after": duration(after) if isinstance(after, int | float) else "",
                    "image": one_line(str(item.get("image", ""))),
                    "message": one_line(str(item.get("message", ""))),
                }
            )
    return rows


def _data(found: Sequence[Case]) -> Markup:
    """All tests as JSON for the page's list, so that nothing in it can end the element that it stands in."""
    suites = list(dict.fromkeys(case.suite for case in found))
    index = {suite: number for number, suite in enumerate(suites)}
    rows = [
        [
            index[case.suite],
            one_line(case.id, NAME_CHARACTERS),
            case.outcome if case.outcome in OUTCOMES else "error",
            round(case.seconds, 4),
            len(case.attempts),
            one_line(case.final.message, 300) if case.outcome != "passed" else "",
        ]
        for case in found
    ]
    text = json.dumps({"suites": [one_line(suite) for suite in suites], "tests": rows}, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  (the three characters that mean something to HTML are gone)
