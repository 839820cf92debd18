"""Figures of many runs as a table: medians, 95th percentiles, what was aimed at."""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RESAMPLES = 5000
REQUEST = "request: "
"""Begins the name of a figure that is the number of one kind of request; these have a table of their own."""


def percentile(values: Sequence[float], share: float) -> float:
    """Between the two values around it; of ten values the 95th percentile is nearly the largest."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summary(runs: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Measure -> median, p95, min, max."""
    result = {}
    for what in dict.fromkeys(what for run in runs for what in run):
        # A kind of request that a run did not make was made no times; all else is in every run.
        values = [run.get(what, 0.0) for run in runs]
        result[what] = {
            "median": round(statistics.median(values), 3),
            "p95": round(percentile(values, 0.95), 3),
            "min": round(min(values), 3),
            "max": round(max(values), 3),
        }
    return result


def difference(first: Sequence[float], second: Sequence[float], seed: int) -> tuple[float, float]:
    """95 % confidence interval of the difference of the medians (first - second), by bootstrap."""
    chance = random.Random(seed)  # noqa: S311  (statistics, no secret)
    samples = sorted(
        statistics.median(chance.choices(first, k=len(first)))
        - statistics.median(chance.choices(second, k=len(second)))
        for _ in range(RESAMPLES)
    )
    return round(percentile(samples, 0.025), 3), round(percentile(samples, 0.975), 3)


@dataclass(frozen=True)
class Target:
    """What one figure should be."""

    what: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, with columns as wide as their widest cell."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def measures(arms: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """One row for each measure, one column for each arm: median (p95)."""
    names = [
        what for what in dict.fromkeys(what for arm in arms.values() for what in arm) if not what.startswith(REQUEST)
    ]
    rows = [[what, *(_cell(arm.get(what)) for arm in arms.values())] for what in names]
    return table(["median (p95)", *arms], rows)


def requests(arm: Mapping[str, Mapping[str, float]]) -> str:
    """What the operator asks of the API server in a run."""
    rows = [[what.removeprefix(REQUEST), _cell(arm[what])] for what in sorted(arm) if what.startswith(REQUEST)]
    return table(["request", "median (p95)"], rows)


def _cell(value: Mapping[str, float] | None) -> str:
    return "" if value is None else f"{_number(value['median'])} ({_number(value['p95'])})"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"  # noqa: PLR2004  (digits)


def targets(items: Iterable[Target]) -> str:
    rows = [
        [
            item.what,
            _number(item.value),
            f"{'at least' if item.at_least else 'at most'} {_number(item.limit)}",
            "met" if item.met else "missed",
        ]
        for item in items
    ]
    return table(["target", "measured", "wanted", ""], rows)


def document(title: str, facts: Mapping[str, Any], parts: Iterable[tuple[str, str]]) -> str:
    """A page in Markdown."""
    lines = [f"# {title}", "", *(f"- {key}: {value}" for key, value in facts.items())]
    for head, text in parts:
        lines += ["", f"## {head}", "", text]
    return "\n".join(lines) + "\n"
