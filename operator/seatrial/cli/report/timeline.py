"""The timeline: lanes with bars in percent of the run's time, for the environment, its parts and every shard. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.cli.cases import Case, seconds_of, span
from seatrial.cli.export.texts import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from seatrial.cli.record import Result, RunRecord

MAX_BARS = 200
"""Attempts that are drawn one by one in a lane; more are summed up by column."""
COLUMNS = 300
MAX_LANES = 64
_SEVERITY = {"skipped": 0, "xfailed": 1, "xpassed": 2, "passed": 3, "retried": 4, "error": 5, "failed": 6}
_LEGEND = {
    "starting": ("provision",),
    "until the first test": ("wait",),
    "tests run": ("tests",),
    "until the verdict": ("collect",),
    "can be used": ("up",),
    "not usable": ("broken",),
    "passed": ("passed", "xpassed"),
    "failed or error": ("failed", "error"),
    "tried again": ("retried",),
    "skipped or expected failure": ("skipped", "xfailed"),
}
_LEAST_PERCENT = 0.15
"""What is shorter is drawn so long: a test of a millisecond must be seen, too."""
_STEPS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
)
_TICKS = 8


@dataclass(frozen=True)
class Bar:
    """One bar; `left` and `width` are percent of the lane."""

    kind: str
    left: float
    width: float
    title: str


@dataclass
class Lane:
    """One line of the timeline."""

    group: str
    """environment, service, application or suite."""
    name: str
    note: str
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """All lanes, and the marks of the axis as percent and text."""

    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    hidden: int
    """Lanes that are left out."""

    @property
    def legend(self) -> list[tuple[str, str]]:
        """What the colours of its bars mean: a class, and the words."""
        kinds = {bar.kind for lane in self.lanes for bar in lane.bars}
        return [(meant[0], words) for words, meant in _LEGEND.items() if kinds & set(meant)]


def duration(seconds: float) -> str:
    """A duration for people."""
    if 0 < seconds < 0.00995:  # noqa: PLR2004
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:  # noqa: PLR2004
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


class _Scale:
    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.length = max(end - start, 0.001)

    def percent(self, time: float) -> float:
        return min(100.0, max(0.0, (time - self.start) / self.length * 100))

    def bar(self, kind: str, begin: float, end: float, title: str) -> Bar:
        left = min(self.percent(begin), 100 - _LEAST_PERCENT)
        width = max(self.percent(end) - left, _LEAST_PERCENT)
        return Bar(kind, round(left, 3), round(width, 3), title)


def timeline(record: RunRecord, found: Sequence[Case]) -> Timeline | None:
    """The timeline of a run, or None where nothing tells any time."""
    start, end = span(record, found)
    if end <= start or not math.isfinite(end - start):
        return None
    scale = _Scale(start, end)
    lanes = [*_environment(record, scale, end), *_components(record, scale, end), *_suites(found, scale)]
    return Timeline(lanes[:MAX_LANES], _ticks(scale), max(0, len(lanes) - MAX_LANES))


def _ticks(scale: _Scale) -> list[tuple[float, str]]:
    step = next((step for step in _STEPS if scale.length / step <= _TICKS), scale.length / _TICKS)
    return [
        (round(number * step / scale.length * 100, 3), duration(number * step) if number else "0")
        for number in range(int(scale.length / step) + 1)
    ]


def _environment(record: RunRecord, scale: _Scale, end: float) -> list[Lane]:
    timings = record.status.get("timings") or {}
    times = {name: seconds_of(timings.get(name)) for name in ("started", "environmentReady", "firstTest", "lastTest")}
    started, ready, first, last = times.values()
    lane = Lane("environment", "run", "")
    if started is not None:
        until = ready if ready is not None else end
        lane.bars.append(scale.bar("provision", started, until, f"environment: {duration(until - started)}"))
        lane.note = f"environment {duration(until - started)}" if ready is not None else "environment not ready"
    if ready is not None and first is not None and first > ready:
        lane.bars.append(scale.bar("wait", ready, first, f"until the first test: {duration(first - ready)}"))
    if first is not None and last is not None:
        lane.bars.append(scale.bar("tests", first, last, f"tests: {duration(last - first)}"))
        lane.note += f", tests {duration(last - first)}" if lane.note else f"tests {duration(last - first)}"
    if last is not None and end > last:
        lane.bars.append(scale.bar("collect", last, end, f"from the last test to the verdict: {duration(end - last)}"))
    return [lane] if lane.bars else []


def _components(record: RunRecord, scale: _Scale, end: float) -> list[Lane]:
    """Services and applications. Their times count from the environment's own start, which no status tells exactly."""
    status = record.status
    kinds = (("service", status.get("services") or ()), ("application", status.get("applications") or ()))
    parts = [(kind, part) for kind, items in kinds for part in items if isinstance(part, dict)]
    timings = status.get("timings") or {}
    begin = seconds_of(timings.get("started")) or scale.start
    opened = seconds_of(timings.get("environmentReady"))
    longest = max((after for _, part in parts if (after := _after(part)) is not None), default=0.0)
    if opened is not None:
        begin = max(begin, opened - longest)
    lanes = []
    for kind, part in parts:
        after = _after(part)
        name = one_line(str(part.get("name", "")))
        if after is None:
            lane = Lane(kind, name, "not ready")
            lane.bars.append(scale.bar("broken", begin, end, f"{name} was not ready"))
        else:
            lane = Lane(kind, name, f"ready after {duration(after)}")
            lane.bars.append(scale.bar("provision", begin, begin + after, f"{name} was ready after {duration(after)}"))
            if begin + after < end:
                kind_of_rest = "up" if part.get("ready") else "broken"
                lane.bars.append(scale.bar(kind_of_rest, begin + after, end, f"{name} could be used"))
        lanes.append(lane)
    return lanes


def _after(part: dict[str, Any]) -> float | None:
    value = part.get("readyAfterSeconds")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _suites(found: Sequence[Case], scale: _Scale) -> list[Lane]:
    groups: dict[tuple[str, int], list[Case]] = {}
    for case in found:
        groups.setdefault((case.suite, case.shard), []).append(case)
    sharded = {suite for suite, shard in groups if shard > 0}
    order = {suite: index for index, suite in reversed(list(enumerate(case.suite for case in found)))}
    lanes = []
    for (suite, shard), group in sorted(groups.items(), key=lambda item: (order[item[0][0]], item[0][1])):
        attempts = [attempt for case in group for attempt in case.attempts if attempt.started_at]
        if not attempts:
            continue
        bad = sum(case.bad for case in group)
        count = f"{len(group)} test{'s' if len(group) != 1 else ''}"
        name = one_line(f"{suite} [{shard}]" if suite in sharded else suite)
        lane = Lane("suite", name, f"{count}, {bad} failed" if bad else count)
        lane.bars = _one_by_one(attempts, scale) if len(attempts) <= MAX_BARS else _columns(attempts, scale)
        lanes.append(lane)
    return lanes


def _kind(attempt: Result) -> str:
    if not attempt.final:
        return "retried"
    return attempt.outcome if attempt.outcome in _SEVERITY else "error"


def _one_by_one(attempts: Iterable[Result], scale: _Scale) -> list[Bar]:
    return [
        scale.bar(
            _kind(item),
            item.started_at,
            item.started_at + item.duration_seconds,
            f"{one_line(item.id, 200)}: {_kind(item)}, {duration(item.duration_seconds)}",
        )
        for item in attempts
    ]


def _columns(attempts: Sequence[Result], scale: _Scale) -> list[Bar]:
    """Many attempts as few bars: neighbouring columns whose worst attempt is of the same kind."""
    worst: list[str | None] = [None] * COLUMNS
    counts = [0] * COLUMNS
    for item in attempts:
        first = min(COLUMNS - 1, int(scale.percent(item.started_at) / 100 * COLUMNS))
        last = min(COLUMNS - 1, int(scale.percent(item.started_at + item.duration_seconds) / 100 * COLUMNS))
        counts[first] += 1
        kind = _kind(item)
        for column in range(first, last + 1):
            before = worst[column]
            if before is None or _SEVERITY[kind] > _SEVERITY[before]:
                worst[column] = kind
    bars, begin = [], 0
    for column in range(1, COLUMNS + 1):
        if column < COLUMNS and worst[column] == worst[begin]:
            continue
        seen = worst[begin]
        if seen is not None:
            title = f"{sum(counts[begin:column])} tests, the worst {seen}"
            bars.append(Bar(seen, round(begin / COLUMNS * 100, 3), round((column - begin) / COLUMNS * 100, 3), title))
        begin = column
    return bars
