"""What is aimed at, and how far the figures of a session are from it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from bench.tables import Target, difference

if TYPE_CHECKING:
    from collections.abc import Iterator

THREE, FOUR = "kafka-redis-postgres", "with-influxdb"
FLOORS = ("floor-kubectl", "floor-raw")


def judge(result: dict[str, Any]) -> Iterator[Target]:
    """The targets of what was measured. Seconds to the first test and so on are those of a quiet two-core machine."""
    arms = result["arms"]
    if (three := arms.get(THREE)) is not None:

        def median(what: str) -> float:
            return float(three[what]["median"])

        yield Target("apply to children created, s", median("apply to children created"), 0.1)
        yield Target("apply to first test, s", median("apply to first test"), 2.3)
        yield Target("last test to verdict, s", median("last test to verdict"), 0.1)
        yield Target("last test to verdict, p95, s", three["last test to verdict"]["p95"], 0.5)
        yield Target("apply to verdict, s", median("apply to verdict"), 2.8)
        if floor := arms.get(FLOORS[0]):
            share = median("apply to verdict") / floor["apply to verdict"]["median"]
            yield Target("apply to verdict, as a share of the floor's (kubectl wait)", round(share, 3), 0.4)
        yield Target("status writes", median("status writes"), 12)
        yield Target("API writes", median("API writes"), 45)
        yield Target("operator CPU seconds of a run", median("operator CPU seconds"), 0.3)
    if (four := arms.get(FOUR)) is not None:
        yield Target("with InfluxDB: apply to first test, s", four["apply to first test"]["median"], 2.6)
    if {"2000-seatrial", "2000-plain-pytest"} <= set(arms):
        rates = [arms[name]["tests per second"]["median"] for name in ("2000-seatrial", "2000-plain-pytest")]
        share = round(rates[0] / rates[1], 3)
        yield Target("rate of 2,000 tests, as a share of plain pytest's", share, 0.85, at_least=True)
    if crowd := result["crowd"]:
        yield Target(f"operator MiB with {crowd['runs live']:.0f} runs live", crowd["operator MiB"], 128)


def comparison(result: dict[str, Any], seed: int) -> str:
    """Differences to both floors, with their confidence intervals."""
    runs = result["runs"]
    lines = []
    for name in FLOORS:
        if not runs.get(name) or not runs.get(THREE):
            continue
        for what in ("apply to first test", "last test to verdict", "apply to verdict"):
            ours = [run[what] for run in runs[THREE]]
            theirs = [run[what] for run in runs[name]]
            less = statistics.median(theirs) - statistics.median(ours)
            low, high = difference(theirs, ours, seed)
            share = statistics.median(ours) / statistics.median(theirs)
            confidence = f"95 % confidence: {low:.2f} to {high:.2f}"
            lines.append(f"- {what}: {less:.2f} s less than {name} ({confidence}), {share:.2f} of it")
    return "\n".join(lines)
