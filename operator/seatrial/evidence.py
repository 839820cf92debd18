"""What the pods of a suite have said about their tests, folded record by record. Pure; every byte is a tenant's.

The accumulators are mutable: a suite may have 50,000 tests, and its live counts are asked for several times a second.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from seatrial.api.status import Outcome

Record = dict[str, Any]

MAX_ID = 1100
MAX_MESSAGE = 512
MAX_DETAILS = 8192
MAX_LOCATION = 512
MAX_TESTS = 100_000
_OUTCOMES = frozenset(Outcome)
FAILING = frozenset({Outcome.FAILED, Outcome.ERROR})


@dataclass(slots=True)
class TestState:
    """One test, by its last attempt."""

    __test__ = False

    id: str
    outcome: Outcome
    attempts: int
    duration: float
    flaky: bool
    final: bool
    message: str = ""
    location: str = ""


@dataclass(frozen=True)
class End:
    """How the suite's process ended, as the supervisor saw it."""

    rc: int | None
    signal: str
    timeout: bool
    oom: bool
    reason: str
    message: str
    stderr: str


@dataclass
class ShardEvidence:
    """All that is known of one shard from its own records."""

    suite: str
    shard: int
    pod_uid: str = ""
    sequence: int = 0
    """Number of the last record that was read; there is no gap before it."""
    lost: str = ""
    """Why the records are known to be incomplete."""
    gate_at: float | None = None
    collected: int | None = None
    total: int | None = None
    digest: str = ""
    tests: dict[str, TestState] = field(default_factory=dict)
    finals: int = 0
    collect_errors: list[TestState] = field(default_factory=list)
    first_test: float | None = None
    last_test: float | None = None
    finish_rc: int | None = None
    ran: int | None = None
    junit_error: str = ""
    end: End | None = None
    drained: bool = False
    """Whether the log was read to its end after the relay had stopped."""
    _outcomes: Counter[str] = field(default_factory=Counter)
    _flaky: int = 0

    @property
    def finished(self) -> bool:
        """Whether pytest itself came to its end."""
        return self.finish_rc is not None

    def count(self, outcome: Outcome) -> int:
        return self._outcomes[outcome]

    @property
    def errors(self) -> int:
        return self._outcomes[Outcome.ERROR] + len(self.collect_errors)

    @property
    def flaky(self) -> int:
        return self._flaky

    @property
    def not_run(self) -> int:
        return max(0, (self.collected or 0) - self.finals)

    @property
    def failures(self) -> list[TestState]:
        failed = [test for test in self.tests.values() if test.final and test.outcome in FAILING]
        return [*self.collect_errors, *failed]

    def fold(self, sequence: int, record: Record) -> bool:
        """Add a record. A number that was read before is ignored; a number that is missing marks the shard.

        Returns whether the record was new.
        """
        if sequence <= self.sequence:
            return False
        if sequence > self.sequence + 1 and not self.lost:
            self.lost = f"records {self.sequence + 1} to {sequence - 1} are missing from the log"
        self.sequence = sequence
        handler = _HANDLERS.get(str(record.get("t")))
        if handler is not None:
            handler(self, record)
        return True


def _gate(evidence: ShardEvidence, record: Record) -> None:
    evidence.gate_at = evidence.gate_at or number(record.get("at"))


def _collected(evidence: ShardEvidence, record: Record) -> None:
    evidence.collected = whole(record.get("n"))
    evidence.total = whole(record.get("total"))
    evidence.digest = text(record.get("digest"), 64)


def _collect_error(evidence: ShardEvidence, record: Record) -> None:
    if len(evidence.collect_errors) < MAX_TESTS:
        evidence.collect_errors.append(
            TestState(
                id=text(record.get("id"), MAX_ID) or "(collection)",
                outcome=Outcome.ERROR,
                attempts=1,
                duration=0.0,
                flaky=False,
                final=True,
                message=text(record.get("m"), MAX_MESSAGE),
                location=text(record.get("l"), MAX_LOCATION),
            )
        )


def _test(evidence: ShardEvidence, record: Record) -> None:
    outcome_text = str(record.get("o"))
    if outcome_text not in _OUTCOMES:
        evidence.lost = evidence.lost or f"a test has the unknown outcome {outcome_text[:40]!r}"
        return
    outcome = Outcome(outcome_text)
    test_id = text(record.get("id"), MAX_ID) or "(no name)"
    known = evidence.tests.get(test_id)
    while known is not None and known.final:  # the same node id can be collected twice (--keep-duplicates)
        test_id = f"{test_id}#2"
        known = evidence.tests.get(test_id)
    if known is None and len(evidence.tests) >= MAX_TESTS:
        evidence.lost = evidence.lost or f"there are more than {MAX_TESTS} tests in one shard: split the suite"
        return
    final = record.get("final") is not False
    failed_before = known is not None and known.outcome in FAILING
    state = TestState(
        id=test_id,
        outcome=outcome,
        attempts=max(1, whole(record.get("a")) or 1),
        duration=number(record.get("d")) or 0.0,
        flaky=final and outcome is Outcome.PASSED and failed_before,
        final=final,
        message=text(record.get("m"), MAX_MESSAGE),
        location=text(record.get("l"), MAX_LOCATION),
    )
    evidence.tests[test_id] = state
    if final:
        evidence.finals += 1
        evidence._outcomes[outcome] += 1  # noqa: SLF001  (this module's own class)
        evidence._flaky += state.flaky  # noqa: SLF001
    started = number(record.get("at"))
    if started:
        ended = started + state.duration
        evidence.first_test = min(evidence.first_test or started, started)
        evidence.last_test = max(evidence.last_test or ended, ended)


def _finish(evidence: ShardEvidence, record: Record) -> None:
    evidence.finish_rc = whole(record.get("rc")) or 0
    evidence.ran = whole(record.get("ran"))


def _end(evidence: ShardEvidence, record: Record) -> None:
    rc = record.get("rc")
    evidence.end = End(
        rc=rc if isinstance(rc, int) and not isinstance(rc, bool) else None,
        signal=text(record.get("signal"), 16),
        timeout=record.get("timeout") is True,
        oom=record.get("oom") is True,
        reason=text(record.get("reason"), 64),
        message=text(record.get("message"), 1024),
        stderr=text(record.get("stderr"), 4096),
    )


def _garbage(evidence: ShardEvidence, record: Record) -> None:
    evidence.lost = evidence.lost or f"{whole(record.get('n')) or 0} bytes of the records cannot be read"


def _junit_error(evidence: ShardEvidence, record: Record) -> None:
    evidence.junit_error = text(record.get("m"), 1024) or "the JUnit XML file cannot be read"


_HANDLERS = {
    "gate": _gate,
    "collected": _collected,
    "collectError": _collect_error,
    "test": _test,
    "finish": _finish,
    "end": _end,
    "garbage": _garbage,
    "junitError": _junit_error,
}


def text(value: Any, limit: int) -> str:
    """A tenant's text, cut, and free of what the API server would refuse (lone surrogates, NUL)."""
    if not isinstance(value, str):
        return ""
    clean = value[: limit * 2].encode("utf-8", "replace").replace(b"\0", b"?")
    return clean[:limit].decode("utf-8", "ignore")


def whole(value: Any) -> int | None:
    """A tenant's count: not negative, not absurd."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    return None


def number(value: Any) -> float | None:
    """A tenant's number of seconds: finite and not negative."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    return None
