"""What the pods of a suite have said about their tests, folded record by record. Pure; every byte is a tenant's.

The accumulators are mutable: a suite may have 50,000 tests, and its live counts are asked for several times a second.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from seatrial.api.status import Outcome
from seatrial.records import (
    Attempt,
    Collected,
    CollectError,
    CollectSkip,
    End,
    Finish,
    Garbage,
    Gate,
    JunitError,
    Record,
    Start,
    Unknown,
    Unreachable,
)

MAX_TESTS = 100_000
"""Of one shard; also the bound for modules that were skipped or could not be collected."""
MAX_SERVICES = 16
MAX_VOLUME = 64 << 20
"""Of the texts of one shard's records. A log of 8 MiB can unpack to gigabytes, and slices hold every record."""
MAX_RUN_TESTS = 200_000
MAX_RUN_VOLUME = 64 << 20
"""Of all shards of a run together: what is known of them stays in the operator's memory until the verdict."""
TEST_VOLUME, EVENT_VOLUME = 100, 1000
"""What a record takes beside its texts; few of those that are not tests share a slice."""
KEPT_TEXTS = 1 << 20
"""Of messages and places in memory: far more than the failures that a status shows."""
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


@dataclass(slots=True)
class Room:
    """What the shards of one run may still take, together."""

    tests: int = MAX_RUN_TESTS
    volume: int = MAX_RUN_VOLUME


@dataclass
class ShardEvidence:
    """All that is known of one shard from its own records."""

    suite: str
    shard: int
    pod_uid: str = ""
    room: Room = field(default_factory=Room, compare=False, repr=False)
    """Shared by all shards of the run."""
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
    collect_errors: dict[str, TestState] = field(default_factory=dict)
    module_skips: dict[str, TestState] = field(default_factory=dict)
    """Modules that were skipped as a whole; pytest counts each as one skipped test that it did not collect."""
    first_test: float | None = None
    last_test: float | None = None
    finish: Finish | None = None
    unreachable: dict[str, str] = field(default_factory=dict)
    """Services that accepted no connection when the suite ended with failures, and what was seen."""
    junit_error: str = ""
    end: End | None = None
    drained: bool = False
    """Whether the log was read to its end after the relay had stopped."""
    _outcomes: Counter[str] = field(default_factory=Counter)
    _flaky: int = 0
    _repeats: dict[str, int] = field(default_factory=dict)
    """Node ids that were told more than once, and how often."""
    _volume: int = field(default=0, compare=False)
    _kept_texts: int = field(default=0, compare=False)

    @property
    def finished(self) -> bool:
        """Whether pytest itself came to its end."""
        return self.finish is not None

    def count(self, outcome: Outcome) -> int:
        """Number of tests that ended so; modules are not among them."""
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
        return [*self.collect_errors.values(), *failed]

    def fold(self, sequence: int, record: Record) -> bool:
        """Add a record. A number that was read before is ignored; a number that is missing marks the shard.

        Returns whether the record was new, and is to be kept.
        """
        if sequence <= self.sequence:
            return False
        if sequence > self.sequence + 1:
            self.lose(f"records {self.sequence + 1} to {sequence - 1} are missing from the log")
        self.sequence = sequence
        fits = self._take_room(_volume(record))
        if not fits and not isinstance(record, End):
            return False
        match record:
            case Attempt():
                self._fold_test(record)
            case Gate(at=at):
                self.gate_at = self.gate_at or at
            case Collected():
                self._fold_collection(record)
            case CollectError():
                if len(self.collect_errors) < MAX_TESTS:
                    self.collect_errors[record.id] = _module(record.id, Outcome.ERROR, record.message)
            case CollectSkip():
                if len(self.module_skips) < MAX_TESTS:
                    self.module_skips[record.id] = _module(record.id, Outcome.SKIPPED, record.message, record.location)
            case Finish():
                self.finish = record
            case Unreachable():
                if len(self.unreachable) < MAX_SERVICES:
                    self.unreachable[record.name] = record.message
            case End():
                if self.end is not None:
                    self.lose("there is a second end marker")
                self.end = record
            case JunitError(message=message):
                self.junit_error = message or "the JUnit XML file cannot be read"
            case Garbage(size=size, message=message):
                self.lose(f"{size} bytes of the records cannot be read ({message})")
            case Start() | Unknown():
                pass
        return fits

    def _take_room(self, volume: int) -> bool:
        self._volume += volume
        self.room.volume -= volume
        if self._volume > MAX_VOLUME:
            self.lose(f"its records take more than {MAX_VOLUME >> 20} MiB: split the suite")
        elif self.room.volume < 0:
            self.lose(f"the records of all suites take more than {MAX_RUN_VOLUME >> 20} MiB: split the run")
        else:
            return True
        return False

    def lose(self, why: str) -> None:
        """Note that the records are not complete. The first reason counts."""
        self.lost = self.lost or why

    def _fold_collection(self, record: Collected) -> None:
        """The first one counts: what was to be run must not become less."""
        told = (record.tests, record.total, record.digest)
        if self.collected is None:
            self.collected, self.total, self.digest = told
        elif told != (self.collected, self.total, self.digest):
            self.lose(f"{record.tests} tests were collected after {self.collected} had been")

    def _current_id(self, test_id: str) -> str:
        """The node id, with a number when a test of that name has come to its end before."""
        times = self._repeats.get(test_id, 1)
        name = test_id if times == 1 else f"{test_id}#{times}"
        while (known := self.tests.get(name)) is not None and known.final:
            times += 1
            name = f"{test_id}#{times}"
            self._repeats[test_id] = times
        return name

    def _fold_test(self, record: Attempt) -> None:
        test_id = self._current_id(record.id)
        known = self.tests.get(test_id)
        if known is None:
            if len(self.tests) >= MAX_TESTS:
                self.lose(f"there are more than {MAX_TESTS} tests in one shard: split the suite")
                return
            if not self.room.tests:
                self.lose(f"there are more than {MAX_RUN_TESTS} tests in all suites: split the run")
                return
            self.room.tests -= 1
        outcome = Outcome(record.outcome)
        failed_before = known is not None and known.outcome in FAILING
        told = outcome in FAILING and self._kept_texts < KEPT_TEXTS  # the others' texts are in the slices
        if told:
            self._kept_texts += len(record.message) + len(record.location)
        state = TestState(
            id=test_id,
            outcome=outcome,
            attempts=max(1, record.attempt),
            duration=record.seconds,
            flaky=record.final and outcome is Outcome.PASSED and failed_before,
            final=record.final,
            message=record.message if told else "",
            location=record.location if told else "",
        )
        self.tests[test_id] = state
        if record.final:
            self.finals += 1
            self._outcomes[outcome] += 1
            self._flaky += state.flaky
        if record.at:
            self.first_test = min(self.first_test or record.at, record.at)
            self.last_test = max(self.last_test or 0.0, record.at + record.seconds)


def _volume(record: Record) -> int:
    """How much of memory and of slices a record takes. Its text is not counted: the slices bound that themselves."""
    if isinstance(record, Attempt):
        return TEST_VOLUME + len(record.id) + len(record.message) + len(record.location)
    return EVENT_VOLUME + sum(len(value) for value in record if isinstance(value, str))


def _module(module: str, outcome: Outcome, message: str, location: str = "") -> TestState:
    """A module that was not run, in the place of its tests."""
    return TestState(module, outcome, 1, 0.0, flaky=False, final=True, message=message, location=location)
