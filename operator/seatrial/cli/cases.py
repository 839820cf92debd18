"""A record's results by test: all attempts of a test in one place. For exporters and the report; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from seatrial.cli.record import BAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.cli.record import Result, RunRecord


@dataclass(frozen=True)
class Case:
    """One test with its attempts, in their order."""

    suite: str
    shard: int
    id: str
    attempts: tuple[Result, ...]

    @property
    def final(self) -> Result:
        """The last attempt, which is the test's outcome."""
        return self.attempts[-1]

    @property
    def earlier(self) -> tuple[Result, ...]:
        """The attempts that were tried again."""
        return self.attempts[:-1]

    @property
    def outcome(self) -> str:
        return self.final.outcome

    @property
    def bad(self) -> bool:
        return self.outcome in BAD

    @property
    def flaky(self) -> bool:
        """Passed after an attempt that had not."""
        return self.outcome == "passed" and (len(self.attempts) > 1 or self.final.attempt > 1)

    @property
    def seconds(self) -> float:
        """Of the last attempt."""
        return self.final.duration_seconds

    @property
    def file(self) -> str:
        """The file of the node id, empty where the id has none."""
        return self.id.partition("::")[0] if "::" in self.id or self.id.endswith(".py") else ""

    @property
    def name(self) -> str:
        """The node id without its file."""
        return self.id.partition("::")[2] if "::" in self.id else self.id


def cases(record: RunRecord) -> list[Case]:
    """The tests of a record in the order in which they ended first."""
    found: dict[tuple[str, int, str], list[Result]] = {}
    for result in record.tests():
        found.setdefault((result.suite, result.shard, result.id), []).append(result)
    return [Case(*key, tuple(sorted(attempts, key=_order))) for key, attempts in found.items()]


def _order(result: Result) -> tuple[bool, int]:
    return result.final, result.attempt


@dataclass(frozen=True)
class Verdict:
    """How the run as a whole ended."""

    phase: str
    reason: str
    message: str

    @property
    def passed(self) -> bool:
        return self.phase == "Passed"

    @property
    def text(self) -> str:
        """One line for people."""
        return ": ".join(part for part in (self.reason or self.phase, self.message) if part)


OVER = frozenset({"Passed", "Failed", "Error", "Cancelled"})


def verdict(record: RunRecord) -> Verdict:
    """The verdict as the status has it; a run that is not over has none, and says so."""
    status = record.status
    phase = str(status.get("phase") or "Pending")
    reason, message = str(status.get("reason") or ""), str(status.get("message") or "")
    if phase not in OVER:
        return Verdict(phase, "NotFinished", f"the run is not over ({phase})" + (f": {message}" if message else ""))
    return Verdict(phase, reason, message)


def unexplained(record: RunRecord, found: Sequence[Case]) -> Verdict | None:
    """The verdict where no test tells that the run has not passed: whoever counts tests alone must see it, too."""
    end = verdict(record)
    if end.passed or (end.phase == "Failed" and any(case.bad for case in found)):
        return None
    return end


def seconds_of(time: Any) -> float | None:
    """A time of the status in seconds since the epoch, or None."""
    if not isinstance(time, str) or not time:
        return None
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return None


def span(record: RunRecord, found: Sequence[Case]) -> tuple[float, float]:
    """Start and end of a run in seconds since the epoch: from its status, else from its tests, else 0."""
    timings = record.status.get("timings") or {}
    attempts = [attempt for case in found for attempt in case.attempts if attempt.started_at]
    starts = [attempt.started_at for attempt in attempts]
    ends = [attempt.started_at + attempt.duration_seconds for attempt in attempts]
    start = next((time for key in ("started", "accepted", "firstTest") if (time := seconds_of(timings.get(key)))), None)
    end = next((time for key in ("finished", "lastTest") if (time := seconds_of(timings.get(key)))), None)
    first = start if start is not None else min(starts, default=0.0)
    return first, max(first, end if end is not None else max(ends, default=first))
