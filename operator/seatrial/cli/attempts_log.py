"""What one test has said, out of a run's record. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from seatrial.cli.cases import cases
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.export.texts import clean, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seatrial.cli.cases import Case
    from seatrial.cli.record import Result, RunRecord

SHOWN = 3
"""Of the tests that may have been meant."""


def attempts_log(record: RunRecord, test: str, suite: str = "", shard: int | None = None) -> list[str]:
    """Every attempt of a test. Its id may be cut at the left or be the name alone, as long as it means one test.

    Raises CliError with similar ids when there is none, and with all of them when there are several.
    """
    found = [
        case for case in cases(record)
        if suite in {"", case.suite} and shard in {None, case.shard}
    ]  # fmt: skip
    chosen = [case for case in found if case.id == test] or [case for case in found if _ends(case.id, test)]
    if not chosen:
        close = _close(test, [case.id for case in found])
        hint = f"; did you mean {', or '.join(one_line(item, 300) for item in close)}?" if close else ""
        raise CliError(f"{record.name} has no result of a test {test}{hint}", Exit.USAGE)
    if len({case.id for case in chosen}) > 1:
        ids = "\n  ".join(one_line(case.id, 300) for case in chosen[:20])
        raise CliError(f"{test} means {len(chosen)} tests of {record.name}; give one of:\n  {ids}", Exit.USAGE)
    return [line for case in chosen for line in _case(case)]


def _close(wanted: str, ids: Sequence[str]) -> list[str]:
    """Up to three ids that are alike, in full or in their last part: people give either."""
    texts = {text: test for test in ids for text in (test.rpartition("::")[2].partition("[")[0], test)}
    found = get_close_matches(wanted, texts, n=2 * SHOWN, cutoff=0.5)
    return list(dict.fromkeys(texts[text] for text in found))[:SHOWN]


def _ends(test: str, wanted: str) -> bool:
    return test.endswith((f"::{wanted}", f"/{wanted}")) or test.partition("[")[0].endswith(f"::{wanted}")


def _case(case: Case) -> Iterator[str]:
    for attempt in case.attempts:
        number = f", attempt {attempt.attempt}" if len(case.attempts) > 1 or attempt.attempt > 1 else ""
        where = f" at {one_line(attempt.location)}" if attempt.location else ""
        shard = f" shard {case.shard}" if case.shard else ""
        ended = f"{attempt.outcome} after {attempt.duration_seconds:.2f}s{where}"
        yield f"{one_line(case.id, 1200)} ({case.suite}{shard}{number}): {ended}"
        yield from _said(attempt)


def _said(attempt: Result) -> Iterator[str]:
    text = clean(attempt.details or attempt.message)
    if text.strip():
        yield from ("", *text.rstrip().splitlines(), "")
    elif attempt.outcome == "passed":
        yield "  a test that passes leaves no text; the log of its suite may have more"
