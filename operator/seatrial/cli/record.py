"""A finished run as commands and exporters see it, wherever it ran. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Object = dict[str, Any]

BAD = frozenset({"failed", "error"})
"""Outcomes that keep a run from passing."""


@dataclass(frozen=True)
class Result:
    """One attempt of one test, or a module that could not be collected or was skipped as a whole."""

    suite: str
    shard: int
    id: str
    outcome: str
    """passed, failed, error, skipped, xfailed or xpassed."""
    attempt: int = 1
    final: bool = True
    """False for an attempt that was tried again."""
    started_at: float = 0.0
    """Seconds since the epoch; 0 when it is not known."""
    duration_seconds: float = 0.0
    message: str = ""
    location: str = ""
    """As file:line."""
    details: str = ""

    @property
    def bad(self) -> bool:
        return self.final and self.outcome in BAD

    @property
    def flaky(self) -> bool:
        """Passed after a failed attempt."""
        return self.final and self.outcome == "passed" and self.attempt > 1


@dataclass(frozen=True)
class RunRecord:
    """A TestRun with its status, and all its TestResultSlices, as JSON."""

    run: Object
    slices: list[Object]

    @property
    def name(self) -> str:
        return str(self.run["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.run["metadata"].get("namespace") or "")

    @property
    def status(self) -> Object:
        return dict(self.run.get("status") or {})

    @property
    def suites(self) -> list[str]:
        """Names of the suites in the order of the spec."""
        return [str(suite["name"]) for suite in (self.run.get("spec") or {}).get("suites") or ()]

    def tests(self) -> Iterator[Result]:
        """Every attempt in the order in which it ended, suite by suite and shard by shard."""
        for spec in self._specs():
            for test in spec.get("tests") or ():
                yield _result(spec, test)
        yield from _modules(self._specs())

    def final_tests(self) -> list[Result]:
        """Each test once, by its last attempt."""
        return [test for test in self.tests() if test.final]

    def _specs(self) -> list[Object]:
        order = {name: index for index, name in enumerate(self.suites)}
        specs = [item["spec"] for item in self.slices]
        return sorted(
            specs,
            key=lambda spec: (
                order.get(spec["suite"], len(order)), str(spec["suite"]), int(spec["shard"]), int(spec["firstSequence"])
            ),
        )  # fmt: skip


def _result(spec: Object, test: Object) -> Result:
    return Result(
        suite=str(spec["suite"]),
        shard=int(spec["shard"]),
        id=str(test["id"]),
        outcome=str(test["outcome"]),
        attempt=int(test.get("attempt", 1)),
        final=bool(test.get("final", True)),
        started_at=float(test.get("startedAt", 0.0)),
        duration_seconds=float(test.get("durationSeconds", 0.0)),
        message=str(test.get("message", "")),
        location=str(test.get("location", "")),
        details=str(test.get("details", "")),
    )


_MODULES = {"collectError": "error", "collectSkip": "skipped"}


def _modules(specs: Iterable[Object]) -> Iterator[Result]:
    """Modules that gave no tests; every shard of a suite tells of them, they count once."""
    told: set[tuple[str, str]] = set()
    for spec in specs:
        for line in spec.get("events") or ():
            event = json.loads(line)
            outcome = _MODULES.get(event.get("t", ""))
            key = (str(spec["suite"]), str(event.get("id", "")))
            if outcome is None or key in told:
                continue
            told.add(key)
            yield Result(
                suite=key[0],
                shard=int(spec["shard"]),
                id=key[1],
                outcome=outcome,
                message=str(event.get("m", "")),
                location=str(event.get("l", "")),
                details=str(event.get("x", "")),
            )
