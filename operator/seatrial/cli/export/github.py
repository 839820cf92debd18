"""GitHub Actions: workflow commands that annotate the lines of failures, and a summary in Markdown of the job."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.cli.cases import Case, cases, unexplained, verdict
from seatrial.cli.exits import CliError
from seatrial.cli.export.texts import clean, location, one_line

if TYPE_CHECKING:
    from seatrial.cli.record import RunRecord

MAX_ANNOTATIONS = 50
"""GitHub shows ten of a step and fifty of a job."""
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
MAX_SUMMARY_BYTES = 900_000
"""GitHub takes 1 MiB of a step."""
_MAX_FAILURES = 100
_MAX_DETAILS = 4000
_MARKS = {"Passed": "✅", "Failed": "❌", "Error": "⛔", "Cancelled": "🚫"}
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def export_github(record: RunRecord) -> str:
    """Workflow commands, one a line: an error per failure, a warning per flaky test, the verdict last."""
    found = cases(record)
    bad, flaky = [case for case in found if case.bad], [case for case in found if case.flaky]
    lines = [_annotate("error", case) for case in bad[:MAX_ANNOTATIONS]]
    lines += [_annotate("warning", case) for case in flaky[: max(0, MAX_ANNOTATIONS - len(lines))]]
    left_out = len(bad) + len(flaky) - len(lines)
    if left_out > 0:
        lines.append(_command("notice", {}, f"{left_out} more failing and flaky tests are not annotated"))
    missing, end = unexplained(record, found), verdict(record)
    level = "error" if missing is not None or not end.passed else "notice"
    title = f"{record.name}: {end.phase}"
    lines.append(_command(level, {"title": title}, end.text or end.phase))
    return "\n".join(lines) + "\n"


def _annotate(level: str, case: Case) -> str:
    attempt = case.final if case.bad else case.attempts[0]
    properties = {}
    place = location(attempt.location)
    if place is not None:
        properties = {"file": place[0], "line": str(place[1])}
    elif case.file:
        properties = {"file": case.file}
    what = case.outcome if case.bad else f"flaky, passed at attempt {case.final.attempt}"
    properties["title"] = f"{case.suite}: {case.id}: {what}"
    text = clean(attempt.details or attempt.message or what, _MAX_DETAILS)
    return _command(level, properties, text)


def _command(name: str, properties: dict[str, str], text: str) -> str:
    listed = ",".join(f"{key}={_property(one_line(value))}" for key, value in properties.items())
    return f"::{name}{f' {listed}' if listed else ''}::{_data(clean(text))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def summary_markdown(record: RunRecord) -> str:
    """A summary in Markdown: verdict, suites, failures with their output, flaky tests."""
    found, end = cases(record), verdict(record)
    parts = [f"## {_MARKS.get(end.phase, '⏳')} {_text(record.name)}: {_text(end.phase)}", _text(end.text)]
    parts.append(_suites(record, found))
    bad, flaky = [case for case in found if case.bad], [case for case in found if case.flaky]
    size = sum(len(part.encode()) for part in parts)
    if bad:
        parts.append(f"### Failures ({len(bad)})")
    for number, case in enumerate(bad):
        part = _failure(case)
        size += len(part.encode())
        if number >= _MAX_FAILURES or size > MAX_SUMMARY_BYTES:
            parts.append(f"... and {len(bad) - number} more")
            break
        parts.append(part)
    if flaky:
        listed = [f"- {_code(case.id)} passed at attempt {case.final.attempt}" for case in flaky[:_MAX_FAILURES]]
        more = [f"- ... and {len(flaky) - len(listed)} more"] if len(flaky) > len(listed) else []
        parts += [f"### Flaky ({len(flaky)})", "\n".join(listed + more)]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_summary(record: RunRecord) -> bool:
    """Append the summary to the file that GitHub names. Returns whether it names one. Raises CliError."""
    path = os.environ.get(SUMMARY_VARIABLE)
    if not path:
        return False
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary_markdown(record))
    except OSError as error:
        raise CliError(f"{SUMMARY_VARIABLE}: {path} cannot be written: {error.strerror or error}") from None
    return True


def _suites(record: RunRecord, found: list[Case]) -> str:
    names = list(dict.fromkeys([*record.suites, *(case.suite for case in found)]))
    states = {suite.get("name"): suite for suite in record.status.get("suites") or ()}
    rows = ["| Suite | State | Passed | Failed | Skipped | Flaky |", "|:--|:--|--:|--:|--:|--:|"]
    for name in names:
        mine = [case for case in found if case.suite == name]
        passed = sum(case.outcome in {"passed", "xpassed"} for case in mine)
        skipped = sum(case.outcome in {"skipped", "xfailed"} for case in mine)
        numbers = (passed, sum(case.bad for case in mine), skipped, sum(case.flaky for case in mine))
        state = str((states.get(name) or {}).get("state", ""))
        rows.append(f"| {_text(name)} | {_text(state)} | {' | '.join(map(str, numbers))} |")
    return "\n".join(rows) if names else ""


def _failure(case: Case) -> str:
    text = clean(case.final.details or case.final.message, _MAX_DETAILS)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    head = f"<details><summary>{_html(f'{case.suite}: {case.id}')}</summary>"
    place = f"\n\n{_code(case.final.location)}" if case.final.location else ""
    return f"{head}{place}\n\n{fence}text\n{text}\n{fence}\n\n</details>"


def _text(text: str) -> str:
    """Any text so that Markdown shows it as it is, also in a table."""
    return _PUNCTUATION.sub(r"\\\1", one_line(text))


def _html(text: str) -> str:
    """Any text in a block of HTML, where Markdown does not look."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    text = one_line(text)
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""
