"""What happens in a run, told while it happens: successive statuses of a TestRun in, lines for people out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Status = Mapping[str, Any]

OVER = frozenset({"Passed", "Failed", "Error", "Cancelled"})
"""Phases of a run and states of a suite that are an end."""
STEPS = 10
"""Into how many parts the progress of a suite is told."""
SILENT_STATES = frozenset({"Pending", "Waiting"})


@dataclass(frozen=True)
class Line:
    """One thing that has happened."""

    kind: str
    """phase, component, suite, count, failure or verdict."""
    text: str
    good: bool | None = None
    """Whether it is good news, or None for neither."""


def changes(before: Status, after: Status) -> list[Line]:
    """What `after` tells that `before` did not, in the order in which it is to be read. Pure."""
    return [
        *_phase(before, after),
        *_components(before, after),
        *_failures(before, after),
        *_suites(before, after),
        *_verdict(before, after),
    ]


def is_over(status: Status) -> bool:
    """Whether the run has its verdict."""
    return any(item["type"] == "Finished" and item["status"] == "True" for item in status.get("conditions") or ())


def _phase(before: Status, after: Status) -> Iterator[Line]:
    phase = after.get("phase") or ""
    if not phase or phase in OVER:
        return
    held = phase in {"Pending", "Queued"}
    # Why a run is held is told whenever it changes; what a run is busy with is told by its parts.
    if phase != before.get("phase") or (held and after.get("message") != before.get("message")):
        message = (after.get("message") or "") if held else ""
        where = f"namespace {after['namespace']}" if phase == "Provisioning" and after.get("namespace") else ""
        yield Line("phase", _join(": ", phase, message or where))


def _components(before: Status, after: Status) -> Iterator[Line]:
    for kind in ("services", "applications"):
        known = _by_name(before.get(kind))
        for item in after.get(kind) or ():
            past = known.get(item["name"], {})
            if item["ready"] and not past.get("ready"):
                seconds = item.get("readyAfterSeconds")
                yield Line(
                    "component",
                    f"{item['name']} ready" + (f" after {seconds:.1f}s" if seconds is not None else ""),
                    good=True,
                )
            message = item.get("message") or ""
            if message and message != past.get("message"):
                yield Line("component", f"{item['name']}: {message}", good=False if is_over(after) else None)


def _suites(before: Status, after: Status) -> Iterator[Line]:
    known = _by_name(before.get("suites"))
    for suite in after.get("suites") or ():
        past = known.get(suite["name"], {})
        state, total = suite["state"], suite.get("total", 0)
        if state in OVER:
            if past.get("state") not in OVER:
                why = _join(": ", suite.get("reason") or "", suite.get("message") or "") if state != "Passed" else ""
                text = _join(", ", f"suite {suite['name']} {state}", told(suite), _seconds(suite))
                yield Line("suite", _join("; ", text, why), good=state == "Passed")
            continue
        if state not in SILENT_STATES and total and not past.get("total"):
            yield Line("suite", f"suite {suite['name']}: {total} tests")
        done = done_of(suite)
        if total and _step(suite) > _step(past) and done < total:
            yield Line("count", f"suite {suite['name']}: {done}/{total}, {told(suite)}")


def _step(suite: Status) -> int:
    total = suite.get("total", 0)
    return done_of(suite) * STEPS // total if total else 0


def _failures(before: Status, after: Status) -> Iterator[Line]:
    known = {(item["suite"], item["id"]) for item in before.get("failures") or ()}
    for item in after.get("failures") or ():
        if (item["suite"], item["id"]) not in known:
            first = (item.get("message") or "").partition("\n")[0]
            where = f" ({item['location']})" if item.get("location") else ""
            yield Line(
                "failure",
                f"{item['outcome'].upper()} {item['id']}{where}" + (f": {first}" if first else ""),
                good=False,
            )


def _verdict(before: Status, after: Status) -> Iterator[Line]:
    if is_over(after) and not is_over(before):
        yield Line("verdict", verdict_text(after), good=after.get("phase") == "Passed")


def verdict_text(status: Status) -> str:
    """The verdict in one line: phase, numbers, duration; and why, when the run has not passed."""
    phase = status.get("phase") or "Unknown"
    text = _join(", ", phase, told(status.get("summary") or {}))
    text = _join(" in ", text, status.get("duration") or "")
    why = _join(": ", status.get("reason") or "", status.get("message") or "") if phase != "Passed" else ""
    return _join("; ", text, why)


_TOLD = (
    ("passed", "passed"),
    ("failed", "failed"),
    ("errors", "errors"),
    ("skipped", "skipped"),
    ("xfailed", "xfailed"),
    ("xpassed", "xpassed"),
    ("flaky", "flaky"),
    ("notRun", "not run"),
)


def told(counts: Status) -> str:
    """Numbers of tests in words, those that are none left out: `117 passed, 1 failed`."""
    return ", ".join(f"{counts[key]} {word}" for key, word in _TOLD if counts.get(key))


def done_of(counts: Status) -> int:
    """How many tests have an outcome."""
    return sum(counts.get(key, 0) for key in ("passed", "failed", "errors", "skipped", "xfailed", "xpassed"))


def _seconds(suite: Status) -> str:
    seconds = suite.get("durationSeconds")
    return f"{seconds:.1f}s" if seconds is not None else ""


def _by_name(items: Any) -> dict[str, Status]:
    return {item["name"]: item for item in items or ()}


def _join(between: str, *parts: str) -> str:
    return between.join(part for part in parts if part)
