"""JUnit XML as surefire writes it: a retried attempt is a `rerunFailure`, or a `flakyFailure` of a test that passed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from seatrial.cli.cases import Case, Verdict, cases, span, unexplained, verdict
from seatrial.cli.export.texts import MESSAGE_CHARACTERS, NAME_CHARACTERS, clean, location, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.cli.record import Result, RunRecord

_SKIPS = {"skipped": "pytest.skip", "xfailed": "pytest.xfail"}
VERDICT_CASE = "verdict"
"""The test that stands for a run which has not passed though no test says so."""


def export_junit(record: RunRecord) -> str:
    """The record as JUnit XML: one testsuite per suite and shard."""
    found = cases(record)
    start, end = span(record, found)
    root = ET.Element("testsuites", {"name": one_line(record.name)})
    sharded = {case.suite for case in found if case.shard > 0}
    groups: dict[tuple[str, int], list[Case]] = {}
    for case in found:
        groups.setdefault((case.suite, case.shard), []).append(case)
    for (suite, shard), group in groups.items():
        _suite(root, f"{suite}[{shard}]" if suite in sharded else suite, group, record)
    missing = unexplained(record, found)
    if missing is not None:
        _verdict(root, missing, record)
    for member in ("tests", "failures", "errors", "skipped"):
        root.set(member, str(sum(int(suite.get(member, "0")) for suite in root)))
    root.set("time", _seconds(end - start))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _seconds(value: float) -> str:
    return f"{max(0.0, value):.3f}"


def _suite(root: ET.Element, name: str, group: list[Case], record: RunRecord) -> None:
    starts = [attempt.started_at for case in group for attempt in case.attempts if attempt.started_at]
    element = ET.SubElement(root, "testsuite", {"name": one_line(name)})
    if starts:
        element.set("timestamp", _timestamp(min(starts)))
    counts = {
        "tests": len(group),
        "failures": sum(case.outcome == "failed" for case in group),
        "errors": sum(case.outcome == "error" for case in group),
        "skipped": sum(case.outcome in _SKIPS for case in group),
        "flakes": sum(case.flaky for case in group),
    }
    for member, count in counts.items():
        element.set(member, str(count))
    element.set("time", _seconds(sum(attempt.duration_seconds for case in group for attempt in case.attempts)))
    _properties(element, record, group[0])
    for case in group:
        _case(element, case)


def _timestamp(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00"


def _properties(element: ET.Element, record: RunRecord, case: Case) -> None:
    end = verdict(record)
    status = record.status
    properties = ET.SubElement(element, "properties")
    known: Iterable[tuple[str, object]] = (
        ("seatrial.run", record.name),
        ("seatrial.namespace", record.namespace),
        ("seatrial.suite", case.suite),
        ("seatrial.shard", case.shard),
        ("seatrial.phase", end.phase),
        ("seatrial.reason", end.reason),
        *(
            (f"seatrial.service.{service.get('name')}", service.get("image"))
            for service in status.get("services") or ()
        ),
    )
    for name, value in known:
        if value is not None and value != "":
            ET.SubElement(properties, "property", {"name": one_line(name), "value": one_line(str(value))})


def _case(parent: ET.Element, case: Case) -> None:
    name, classname = _names(case)
    attributes = {"classname": classname, "name": name, "time": _seconds(case.seconds)}
    if case.file:
        attributes["file"] = one_line(case.file)
    element = ET.SubElement(parent, "testcase", attributes)
    if case.outcome == "xpassed":
        properties = ET.SubElement(element, "properties")
        ET.SubElement(properties, "property", {"name": "outcome", "value": "xpassed"})
    if case.bad:
        first, *others = case.attempts
        _problem(element, first.outcome if first.outcome in {"failed", "error"} else case.outcome, first)
        for attempt in others:
            _again(element, "rerun", attempt)
        return
    if case.outcome in _SKIPS:
        skipped = ET.SubElement(element, "skipped", {"type": _SKIPS[case.outcome]})
        skipped.set("message", one_line(case.final.message))
    for attempt in case.earlier:
        _again(element, "flaky", attempt)


def _names(case: Case) -> tuple[str, str]:
    """Name and class name as pytest's own JUnit report has them."""
    path, _, rest = case.id.partition("::")
    *classes, name = rest.split("::") if rest else [case.id]
    module = path.removesuffix(".py").replace("/", ".").strip(".") if rest else ""
    classname = ".".join(part for part in (module, *classes) if part) or case.suite
    return one_line(name, NAME_CHARACTERS) or "-", one_line(classname, NAME_CHARACTERS)


def _problem(parent: ET.Element, outcome: str, attempt: Result) -> None:
    element = ET.SubElement(parent, "error" if outcome == "error" else "failure", {"type": outcome})
    element.set("message", one_line(attempt.message, MESSAGE_CHARACTERS))
    element.text = _trace(attempt)


def _again(parent: ET.Element, prefix: str, attempt: Result) -> None:
    kind = "Error" if attempt.outcome == "error" else "Failure"
    element = ET.SubElement(parent, f"{prefix}{kind}", {"type": attempt.outcome})
    element.set("message", one_line(attempt.message, MESSAGE_CHARACTERS))
    ET.SubElement(element, "stackTrace").text = _trace(attempt)


def _trace(attempt: Result) -> str:
    place = location(attempt.location)
    text = clean(attempt.details or attempt.message)
    return f"{place[0]}:{place[1]}\n{text}" if place and place[0] not in text else text


def _verdict(root: ET.Element, missing: Verdict, record: RunRecord) -> None:
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": "0.000"}
    suite = ET.SubElement(root, "testsuite", {"name": "seatrial"} | counts)
    case = ET.SubElement(suite, "testcase", {"classname": "seatrial", "name": VERDICT_CASE, "time": "0.000"})
    error = ET.SubElement(case, "error", {"type": one_line(missing.reason or missing.phase)})
    error.set("message", one_line(missing.text))
    states = [
        f"{suite.get('name')}: {suite.get('state')} {suite.get('message') or ''}"
        for suite in record.status.get("suites") or ()
    ]
    error.text = clean("\n".join([missing.text, *states]))
