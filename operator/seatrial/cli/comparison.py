"""Two runs compared test by test. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from seatrial.cli.cases import cases, verdict
from seatrial.cli.export.texts import one_line

if TYPE_CHECKING:
    from seatrial.cli.cases import Case
    from seatrial.cli.record import RunRecord

SLOWER_FACTOR = 2.0
SLOWER_SECONDS = 0.1
"""At least so much longer: what takes milliseconds takes twice as many by chance."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Change:
    """A test in both runs, or in one of them."""

    suite: str
    id: str
    before: Case | None
    after: Case | None


@dataclass(frozen=True)
class Comparison:
    """What has changed. A new test that fails is newly failing and new."""

    newly_failing: list[Change]
    newly_passing: list[Change]
    still_failing: list[Change]
    new: list[Change]
    removed: list[Change]
    slower: list[Change]


def compare(before: RunRecord, after: RunRecord) -> Comparison:
    """Tests are the same by suite and node id, whichever shard ran them."""
    old, new = _by_key(before), _by_key(after)
    changes = [Change(*key, old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new])]
    both = [change for change in changes if change.before is not None and change.after is not None]
    return Comparison(
        newly_failing=[item for item in changes if _bad(item.after) and not _bad(item.before)],
        newly_passing=[item for item in both if _bad(item.before) and _passed(item.after)],
        still_failing=[item for item in both if _bad(item.before) and _bad(item.after)],
        new=[item for item in changes if item.before is None],
        removed=[item for item in changes if item.after is None],
        slower=[item for item in both if _is_slower(item)],
    )


def _by_key(record: RunRecord) -> dict[Key, Case]:
    return {(case.suite, case.id): case for case in cases(record)}


def _bad(case: Case | None) -> bool:
    return case is not None and case.bad


def _passed(case: Case | None) -> bool:
    return case is not None and case.outcome in {"passed", "xpassed"}


def _is_slower(change: Change) -> bool:
    """Of tests that passed twice: one that fails may end sooner or later for many reasons."""
    if change.before is None or change.after is None or not (_passed(change.before) and _passed(change.after)):
        return False
    then, now = change.before.seconds, change.after.seconds
    return now > SLOWER_FACTOR * then and now - then > SLOWER_SECONDS


_TITLES = {
    "newly_failing": "Newly failing",
    "still_failing": "Still failing",
    "newly_passing": "Newly passing",
    "slower": f"Slower than {SLOWER_FACTOR:g} times",
    "new": "New",
    "removed": "Removed",
}


def as_lines(found: Comparison, before: RunRecord, after: RunRecord) -> list[str]:
    """For people: what matters most comes first."""
    lines = [f"{before.name} ({verdict(before).phase}) -> {after.name} ({verdict(after).phase})"]
    for name, title in _TITLES.items():
        changes: list[Change] = getattr(found, name)
        if changes:
            lines += ["", f"{title} ({len(changes)}):", *(f"  {_line(name, change)}" for change in changes)]
    return lines if len(lines) > 1 else [*lines, "", "no test has changed"]


def _line(name: str, change: Change) -> str:
    text = f"{change.suite}: {one_line(change.id, 1200)}"
    if name == "slower" and change.before is not None and change.after is not None:
        return f"{text}  {change.before.seconds:.2f}s -> {change.after.seconds:.2f}s"
    if name in {"newly_failing", "still_failing"} and change.after is not None:
        message = one_line(change.after.final.message.partition("\n")[0], 200)
        return f"{text}  {message}" if message else text
    return text


def as_json(found: Comparison, before: RunRecord, after: RunRecord) -> dict[str, Any]:
    """For programs. Members are added, never renamed."""
    return {
        "before": _run(before),
        "after": _run(after),
        **{_camel(field.name): [_change(item) for item in getattr(found, field.name)] for field in fields(found)},
    }


def _run(record: RunRecord) -> dict[str, str]:
    return {"name": record.name, "namespace": record.namespace, "phase": verdict(record).phase}


def _change(change: Change) -> dict[str, Any]:
    sides = {"before": change.before, "after": change.after}
    members = {
        key: {"outcome": case.outcome, "durationSeconds": case.seconds}
        for key, case in sides.items()
        if case is not None
    }
    return {"suite": change.suite, "id": change.id, **members}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
