"""TestRuns for people: a table of many, a page about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.cli.export.texts import clean, one_line
from seatrial.cli.progress import OVER, done_of, told
from seatrial.cli.screen import STYLE_OF, age, clock, columns, paint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Object = dict[str, Any]

MAX_FAILURES = 10
_SHOWN_LINES = 12
"""Of one failure's message."""


def list_runs(runs: Sequence[Object], now: float, *, namespaces: bool) -> list[str]:
    """The columns of `kubectl get testruns`, the oldest run first."""
    rows = [["NAME", "PHASE", "PASSED", "FAILED", "FLAKY", "DURATION", "AGE"]]
    if namespaces:
        rows[0].insert(0, "NAMESPACE")
    key = lambda run: (run["metadata"].get("creationTimestamp") or "", run["metadata"]["name"])  # noqa: E731
    for run in sorted(runs, key=key):
        metadata, status = run["metadata"], run.get("status") or {}
        summary = status.get("summary") or {}
        row = [
            metadata["name"],
            status.get("phase") or "",
            status.get("passed") or "",
            str(summary.get("failed", "")),
            str(summary.get("flaky", "")),
            status.get("duration") or "",
            age(metadata.get("creationTimestamp"), now),
        ]
        rows.append([metadata.get("namespace") or "", *row] if namespaces else row)
    return columns(rows)


def describe(run: Object, now: float) -> list[str]:
    """One run in full: its verdict, its environment, its suites, when what happened, its first failures."""
    status = run.get("status") or {}
    return [
        *_head(run, status, now),
        *_components(status),
        *_suites(status),
        *_timings(status),
        *_failures(run, status),
    ]


def _head(run: Object, status: Object, now: float) -> Iterator[str]:
    metadata = run["metadata"]
    phase = status.get("phase") or ""
    rows = [
        ["Name:", metadata["name"]],
        ["Namespace:", metadata.get("namespace") or ""],
        ["Age:", age(metadata.get("creationTimestamp"), now)],
        ["Phase:", phase or "none: no operator has seen the run yet"],
        ["Reason:", status.get("reason") or ""],
        ["Message:", status.get("message") or ""],
        ["Tests:", told(status.get("summary") or {})],
        ["Duration:", status.get("duration") or ""],
        ["Environment:", _environment(status)],
    ]
    for name, text in rows:
        if text:
            shown = one_line(text, 2000)
            yield f"{name:<13}{paint(shown, STYLE_OF.get(phase, '')) if name == 'Phase:' else shown}"


def _environment(status: Object) -> str:
    cleaned: Object = next(
        (item for item in status.get("conditions") or () if item["type"] == "EnvironmentCleaned"), {}
    )
    parts = [status.get("namespace") or "", f"{status['environment']} ready" if status.get("environment") else ""]
    if status.get("phase") in OVER:
        parts = [parts[0], cleaned.get("message") or ""]
    return ", ".join(part for part in parts if part)


def _components(status: Object) -> Iterator[str]:
    for title, key in (("Services", "services"), ("Applications", "applications")):
        items = status.get(key) or ()
        if not items:
            continue
        yield from ("", f"{title}:")
        rows = [["NAME", "READY", "AFTER", "IMAGE", "MESSAGE"]]
        for item in items:
            seconds = item.get("readyAfterSeconds")
            after = "" if seconds is None else f"{seconds:.1f}s"
            rows.append(
                [
                    item["name"],
                    "yes" if item["ready"] else "no",
                    after,
                    item.get("image") or "",
                    item.get("message") or "",
                ]
            )
        yield from (f"  {line}" for line in columns(rows))


def _suites(status: Object) -> Iterator[str]:
    suites = status.get("suites") or ()
    if not suites:
        return
    yield from ("", "Suites:")
    rows = [["NAME", "STATE", "TESTS", "DURATION", "RESULTS", "MESSAGE"]]
    for suite in suites:
        rows.append(_counted(suite["name"], suite))
        rows += [_counted(f"  shard {shard['index']}", shard) for shard in suite.get("shards") or ()]
    yield from (f"  {line}" for line in columns(rows))


def _counted(name: str, part: Object) -> list[str]:
    seconds = part.get("durationSeconds")
    why = ": ".join(text for text in (part.get("reason") or "", part.get("message") or "") if text)
    return [
        name,
        part["state"],
        f"{done_of(part)}/{part.get('total', 0)}",
        "" if seconds is None else f"{seconds:.1f}s",
        told(part),
        why if part["state"] != "Passed" else "",
    ]


_TIMES = (
    ("accepted", "accepted"),
    ("started", "environment started"),
    ("environmentReady", "environment ready"),
    ("firstTest", "first test"),
    ("lastTest", "last test"),
    ("finished", "verdict"),
)


def _timings(status: Object) -> Iterator[str]:
    from seatrial.cli.cases import seconds_of

    timings = status.get("timings") or {}
    times = [(word, timings[key]) for key, word in _TIMES if timings.get(key)]
    if not times:
        return
    start = seconds_of(timings.get("started") or times[0][1]) or 0.0
    yield from ("", "Timings:")
    rows = [[word, clock(time), f"{max(0.0, (seconds_of(time) or 0.0) - start):+.1f}s"] for word, time in times]
    yield from (f"  {line}" for line in columns(rows))


def _failures(run: Object, status: Object) -> Iterator[str]:
    failures = status.get("failures") or []
    if not failures:
        return
    yield from ("", "Failures:")
    for item in failures[:MAX_FAILURES]:
        where = f"  {one_line(item['location'])}" if item.get("location") else ""
        yield f"  {paint(item['outcome'].upper(), 'bad')} {item['suite']}: {one_line(item['id'], 1200)}{where}"
        lines = clean(item.get("message") or "").splitlines()[:_SHOWN_LINES]
        yield from (f"    {line}".rstrip() for line in lines)
    summary = status.get("summary") or {}
    more = max(len(failures), summary.get("failed", 0) + summary.get("errors", 0)) - MAX_FAILURES
    if more > 0:
        yield f"  and {more} more: seatrial results {run['metadata']['name']} --failed"
