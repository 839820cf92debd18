"""TestResultSlice: a part of a run's complete record, and the checkpoint from which a restarted operator goes on."""
# ruff: noqa: RUF012, TC001 - pydantic copies mutable defaults and evaluates annotations

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from seatrial.api.base import Model, cel, cel_rules
from seatrial.api.status import Name, NodeId

MAX_SLICE_TESTS = 500
MAX_SLICE_EVENTS = 64
MAX_EVENT_CHARACTERS = 16_384


class TestResult(Model):
    """One attempt of one test."""

    __test__ = False

    id: NodeId
    """Node id of the test."""
    outcome: Annotated[str, Field(max_length=16)]
    """passed, failed, error, skipped, xfailed or xpassed."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """Number of the attempt, from 1."""
    final: bool = True
    """False for an attempt that was tried again."""
    started_at: Annotated[float, Field(ge=0)] = 0.0
    """When it started, in seconds since the epoch."""
    duration_seconds: Annotated[float, Field(ge=0)] = 0.0
    """How long it took."""
    message: Annotated[str, Field(max_length=512)] = ""
    """First lines of the failure, or why it was skipped."""
    location: Annotated[str, Field(max_length=512)] = ""
    """Where it failed or was skipped, as file:line."""
    details: Annotated[str, Field(max_length=8192)] = ""
    """The failure's text."""


class TestResultSliceSpec(Model):
    """Results of one shard of a suite, as far as they are between two sequence numbers."""

    __test__ = False
    model_config = ConfigDict(
        json_schema_extra=cel_rules(
            cel(
                "self.firstSequence == oldSelf.firstSequence && self.lastSequence >= oldSelf.lastSequence",
                "a slice only grows: whoever knows fewer results than are in it may not write it",
                reason="FieldValueForbidden",
            ),
        ),
    )

    run: Name
    """Name of the TestRun."""
    suite: Name
    """Name of the suite."""
    shard: Annotated[int, Field(ge=0)]
    """Number of the shard, from 0."""
    pod_uid: Annotated[str, Field(max_length=64)]
    """The pod whose records these are."""
    first_sequence: Annotated[int, Field(ge=1)]
    """Sequence number of the first record in this slice."""
    last_sequence: Annotated[int, Field(ge=0)]
    """Sequence number of the last record in this slice."""
    events: Annotated[
        list[Annotated[str, Field(max_length=MAX_EVENT_CHARACTERS)]], Field(max_length=MAX_SLICE_EVENTS)
    ] = []
    """The records of this slice that are not tests, as JSON: collected, finish, end and the like."""
    tests: Annotated[list[TestResult], Field(max_length=MAX_SLICE_TESTS)] = []
    """Attempts of tests, in the order in which they ended."""


class TestResultSlice(Model):
    """A part of a run's complete record. Owned by its TestRun."""

    __test__ = False

    spec: TestResultSliceSpec
    """The results."""
