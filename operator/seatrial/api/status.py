"""The status of a TestRun."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from seatrial.api.base import Model, cel, cel_rules, map_list, unchanged

MESSAGE_LIMIT = 1024
FAILURE_LIMIT = 512
MAX_FAILURES = 50
MAX_INLINE_TESTS = 500


def _readable(time: str) -> str:
    """Refuse what is no time that can be reckoned with: whoever reads it would fail, again and again."""
    try:
        datetime.fromisoformat(time).timestamp()
    except OverflowError as error:
        raise ValueError(str(error)) from None
    return time


Time = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"}), AfterValidator(_readable)]
Name = Annotated[str, Field(max_length=253)]
NodeId = Annotated[str, Field(max_length=1200)]
Message = Annotated[str, Field(max_length=MESSAGE_LIMIT)]
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """The conditions of a TestRun. All are present from the first status on."""

    ACCEPTED = "Accepted"
    ENVIRONMENT_READY = "EnvironmentReady"
    SUITES_COMPLETED = "SuitesCompleted"
    SUCCEEDED = "Succeeded"
    FINISHED = "Finished"
    ENVIRONMENT_CLEANED = "EnvironmentCleaned"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Phase(StrEnum):
    """The run in one word, for people. Derived from the conditions; nothing is decided by it."""

    PENDING = "Pending"
    QUEUED = "Queued"
    PROVISIONING = "Provisioning"
    RUNNING = "Running"
    COLLECTING = "Collecting"
    PASSED = "Passed"
    FAILED = "Failed"
    ERROR = "Error"
    CANCELLED = "Cancelled"


TERMINAL_PHASES = frozenset({Phase.PASSED, Phase.FAILED, Phase.ERROR, Phase.CANCELLED})


class Outcome(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


class Condition(Model):
    """An aspect of the run, as the Kubernetes API conventions have it."""

    type: Annotated[str, Field(max_length=64)]
    """Name of the condition."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=64)]
    """Why, in one CamelCase word."""
    message: Annotated[str, Field(max_length=MESSAGE_LIMIT)] = ""
    """Why, for people."""
    last_transition_time: Time
    """When the status last changed."""
    observed_generation: Annotated[int, Field(ge=-1)] = 0
    """The generation of the spec that this is about."""


class Counts(Model):
    """Numbers of tests by outcome. A test counts once, by its last attempt."""

    total: Count = 0
    """Collected tests."""
    passed: Count = 0
    """Tests that passed, flaky ones among them."""
    failed: Count = 0
    """Tests that failed."""
    errors: Count = 0
    """Tests whose set-up or tear-down failed, and modules that could not be collected."""
    skipped: Count = 0
    """Tests that were skipped."""
    xfailed: Count = 0
    """Tests that failed as expected."""
    xpassed: Count = 0
    """Tests that passed though a failure was expected."""
    flaky: Count = 0
    """Tests that passed after a failed attempt."""
    not_run: Count = 0
    """Collected tests without an outcome."""


class Summary(Counts):
    """The numbers of the whole run."""

    duration_seconds: Seconds = 0.0
    """From the start of the run to the verdict."""


class ShardStatus(Counts):
    """One pod of a suite."""

    index: Count
    """Number of the shard, from 0."""
    state: Annotated[str, Field(max_length=32)]
    """Waiting, Running, Passed, Failed or Error."""
    message: Message = ""
    """Why, when it is not Passed."""


class SuiteStatus(Counts):
    """One suite."""

    name: Name
    """Name of the suite."""
    state: Annotated[str, Field(max_length=32)]
    """Pending, Waiting, Running, Passed, Failed, Error or Cancelled."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why, in one word, when it is not Passed."""
    message: Message = ""
    """Why, for people."""
    duration_seconds: Seconds | None = None
    """From its first test to its end."""
    shards: Annotated[list[ShardStatus], Field(max_length=32, json_schema_extra=map_list("index"))] = []
    """Its pods, when there is more than one."""


class ComponentStatus(Model):
    """A backing service or an application."""

    name: Name
    """Its name."""
    ready: bool
    """Whether it answered through its own protocol."""
    ready_after_seconds: Seconds | None = None
    """How long after the environment pod's start it answered."""
    image: Annotated[str, Field(max_length=512)] = ""
    """The image that it runs."""
    message: Message = ""
    """What is missing, while it is not ready; why it ended, when it did."""


class Timings(Model):
    """When things happened."""

    accepted: Time | None = None
    """The operator accepted the spec."""
    started: Time | None = None
    """The environment began to be built."""
    environment_ready: Time | None = None
    """All services and applications were ready."""
    first_test: Time | None = None
    """The first test started."""
    last_test: Time | None = None
    """The last test ended."""
    finished: Time | None = None
    """The verdict was known."""


class Failure(Model):
    """A test that failed, and why."""

    suite: Name
    """Name of the suite."""
    id: NodeId
    """Node id of the test."""
    outcome: Annotated[str, Field(max_length=16)]
    """failed or error."""
    message: Annotated[str, Field(max_length=FAILURE_LIMIT)] = ""
    """First lines of the failure."""
    location: Annotated[str, Field(max_length=512)] = ""
    """Where it failed, as file:line."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """The attempt that this is about."""


class TestStatus(Model):
    """One test."""

    __test__ = False

    suite: Name
    """Name of the suite."""
    id: NodeId
    """Node id of the test."""
    outcome: Annotated[str, Field(max_length=16)]
    """passed, failed, error, skipped, xfailed or xpassed."""
    attempts: Annotated[int, Field(ge=1)] = 1
    """Number of attempts; more than one and passed means flaky."""
    duration_seconds: Seconds = 0.0
    """Of the last attempt."""


_FINISHED = "has({0}.conditions) && {0}.conditions.exists(c, c.type == 'Finished' && c.status == 'True')"
_WAS_FINISHED, _IS_FINISHED = _FINISHED.format("oldSelf"), _FINISHED.format("self")
_SAME_VERDICT = (
    "oldSelf.conditions.all(old, old.type != 'Succeeded' || self.conditions.exists(new, "
    "new.type == 'Succeeded' && new.status == old.status && new.reason == old.reason))"
)


class TestRunStatus(Model):
    """What is known about the run."""

    __test__ = False
    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel(
                # A reserved word of CEL: unescaped, its maxLength is not seen and the rule costs too much.
                f"!has(oldSelf.__namespace__) || {unchanged('__namespace__')}",
                "cannot change: the environment in the namespace would be lost",
                fieldPath=".namespace",
                reason="FieldValueForbidden",
            ),
            cel(
                f"!({_WAS_FINISHED}) || ({_IS_FINISHED} && {unchanged('phase')} && {_SAME_VERDICT})",
                "the run is finished: its phase and its conditions Finished and Succeeded cannot change",
                reason="FieldValueForbidden",
            ),
        ),
    )

    observed_generation: Annotated[int, Field(ge=-1)] = -1
    """The generation of the spec that this status is about; -1 until an operator has seen the run."""
    phase: Annotated[str, Field(max_length=32)] = ""
    """The run in one word, for people: Pending, Queued, Provisioning, Running, Collecting, Passed, Failed, Error or
    Cancelled. Programs read the conditions, not this."""
    reason: Annotated[str, Field(max_length=64)] = ""
    """Why, in one word."""
    message: Message = ""
    """Why, for people."""
    namespace: Annotated[str | None, Field(max_length=63)] = None
    """The namespace of the run's environment."""
    environment: Annotated[str, Field(max_length=32)] = ""
    """Ready and wanted services and applications, as 3/4."""
    passed: Annotated[str, Field(max_length=32)] = ""
    """Passed and collected tests, as 118/120."""
    summary: Summary = Summary()
    """Numbers of tests by outcome."""
    duration: Annotated[str, Field(max_length=32)] = ""
    """How long the run took, as 1m12s."""
    timings: Timings = Timings()
    """When things happened."""
    conditions: Annotated[list[Condition], Field(max_length=16, json_schema_extra=map_list("type"))] = []
    """Aspects of the run, for programs."""
    services: Annotated[list[ComponentStatus], Field(max_length=8, json_schema_extra=map_list())] = []
    """The backing services."""
    applications: Annotated[list[ComponentStatus], Field(max_length=16, json_schema_extra=map_list())] = []
    """The systems under test."""
    suites: Annotated[list[SuiteStatus], Field(max_length=32, json_schema_extra=map_list())] = []
    """The suites."""
    failures: Annotated[list[Failure], Field(max_length=MAX_FAILURES)] = []
    """The first failures. All are in the TestResultSlices."""
    tests: Annotated[list[TestStatus], Field(max_length=MAX_INLINE_TESTS)] = []
    """Every test, while that fits. The complete record is in the TestResultSlices."""
    tests_truncated: bool = False
    """Whether `tests` is cut or left out."""
