"""Tests of a record: a choice of them, and the table that people read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.cli.cases import cases
from seatrial.cli.export.texts import one_line
from seatrial.cli.progress import verdict_text
from seatrial.cli.screen import STYLE_OF, columns, paint

if TYPE_CHECKING:
    from seatrial.cli.cases import Case
    from seatrial.cli.record import Object, RunRecord

MESSAGE_CHARACTERS = 100


def select(record: RunRecord, *, failed: bool = False, flaky: bool = False, slowest: int = 0) -> RunRecord:
    """A record with some of its tests: all that are failed or flaky as it was asked, of these the slowest. Pure."""
    if not (failed or flaky or slowest):
        return record
    chosen = cases(record)
    if failed or flaky:
        chosen = [case for case in chosen if (failed and case.bad) or (flaky and case.flaky)]
    if slowest:
        chosen = sorted(chosen, key=lambda case: -case.seconds)[:slowest]
    wanted = {(case.suite, case.shard, case.id) for case in chosen}
    return replace(record, slices=[_reduced(item, wanted) for item in record.slices])


def _reduced(item: Object, wanted: set[tuple[str, int, str]]) -> Object:
    import json

    spec = item["spec"]
    suite, shard = str(spec["suite"]), int(spec["shard"])
    tests = [test for test in spec.get("tests") or () if (suite, shard, str(test["id"])) in wanted]
    events = [
        event for event in spec.get("events") or ()
        if (suite, shard, str(json.loads(event).get("id", ""))) in wanted
    ]  # fmt: skip
    return {**item, "spec": {**spec, "tests": tests, "events": events}}


def result_table(record: RunRecord, *, by_time: bool = False) -> list[str]:
    """One line a test, failures last where the eye is, and the run in one line below. Pure but for colours."""
    found = cases(record)
    found.sort(key=(lambda case: -case.seconds) if by_time else (lambda case: case.bad))
    rows = [["OUTCOME", "SUITE", "TIME", "TEST", "MESSAGE"]]
    rows += [
        [_outcome(case), case.suite, f"{case.seconds:.2f}s", one_line(case.id, 1200), _message(case)] for case in found
    ]
    lines = columns(rows) if found else ["no such tests"]
    styled = [lines[0], *(_styled(line, case) for line, case in zip(lines[1:], found, strict=False))]
    return [*styled, "", f"{one_line(record.name)}: {one_line(verdict_text(record.status), 2000)}"]


def _outcome(case: Case) -> str:
    return f"{case.outcome} (attempt {case.final.attempt})" if case.final.attempt > 1 else case.outcome


def _message(case: Case) -> str:
    message = one_line(case.final.message.partition("\n")[0], 1000)
    text = f"{case.final.location}: {message}" if case.bad and case.final.location else message
    return text if len(text) <= MESSAGE_CHARACTERS else f"{text[: MESSAGE_CHARACTERS - 1]}…"


def _styled(line: str, case: Case) -> str:
    style = "odd" if case.flaky else STYLE_OF.get(case.outcome, "dim")
    return line.replace(case.outcome, paint(case.outcome, style), 1)
