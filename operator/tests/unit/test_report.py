"""Telling the world about a run: seldom, never backwards, and not in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from seatrial import metrics, report
from seatrial.api import TestRunStatus
from seatrial.decide import Orders, decide
from seatrial.environment import EnvironmentState
from seatrial.errors import ForbiddenError, UnavailableError
from seatrial.naming import RunId
from seatrial.report import GoneError, OvertakenError, Reporter, _is_newer, _remove
from seatrial.status import Moment, project, read_past, timestamp
from tests.builders import (
    RUN,
    T0,
    body_of,
    collected,
    evidence_of,
    job,
    opening,
    passed,
    plan_of,
    shards_of,
    snapshot_of,
    suite_pod,
)
from tests.fake_cluster import FakeCluster, Write
from tests.simulation import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN = plan_of()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(report, "time", clock)
    return clock


@pytest.fixture
def cluster(clock: Clock) -> FakeCluster:
    del clock
    cluster = FakeCluster()
    cluster.objects["TestRun", RUN.namespace, RUN.name] = body_of()
    return cluster


def reporter(cluster: FakeCluster) -> Reporter:
    return Reporter(RUN, cluster, cluster.body(RUN))


def running(past: TestRunStatus, now: float, tests: int = 0, generation: int = 1) -> TestRunStatus:
    """The status of a run of which so many tests have passed."""
    records = [*opening(), collected(100), *(passed(f"t{n}") for n in range(tests))]
    snapshot = snapshot_of(PLAN, shards=shards_of(evidence_of(records)), jobs=(job(),), pods=(suite_pod(),))
    decision = decide(PLAN, snapshot, read_past(past), Orders(), now)
    return project(PLAN, snapshot, decision, past, Moment(now, generation))


class TestProgress:
    async def test_what_is_new_is_written(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        assert await teller.progress(running(teller.status, T0), T0) is None
        assert cluster.status(RUN)["phase"] == "Running"
        assert [reason for reason, _ in cluster.events] == ["Accepted", "EnvironmentReady"]

    async def test_what_is_not_new_is_not_written(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        await teller.progress(running(teller.status, T0), T0)
        assert await teller.progress(running(teller.status, T0 + 50), T0 + 50) is None  # but for its duration
        assert len(cluster.statuses) == 1

    async def test_counts_wait_a_second(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        await teller.progress(running(teller.status, T0), T0)
        assert await teller.progress(running(teller.status, T0 + 0.4, 5), T0 + 0.4) == T0 + 1
        assert len(cluster.statuses) == 1
        assert await teller.progress(running(teller.status, T0 + 1, 7), T0 + 1) is None
        assert cluster.status(RUN)["passed"] == "7/100"

    async def test_and_five_in_a_run_that_takes_minutes(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        await teller.progress(running(teller.status, T0), T0)
        later = T0 + 60
        await teller.progress(running(teller.status, later, 1), later)
        assert await teller.progress(running(teller.status, later + 2, 2), later + 2) == later + 5

    async def test_a_change_of_phase_waits_for_nothing(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        await teller.progress(running(teller.status, T0), T0)
        snapshot = snapshot_of(PLAN, environment=snapshot_of(PLAN).environment)
        decision = decide(PLAN, snapshot, read_past(teller.status), Orders(cancel=True), T0)
        await teller.progress(project(PLAN, snapshot, decision, teller.status, Moment(T0, 1)), T0)
        assert cluster.status(RUN)["phase"] == "Cancelled"

    async def test_a_new_generation_waits_for_nothing(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        await teller.progress(running(teller.status, T0), T0)
        await teller.progress(running(teller.status, T0, generation=2), T0)
        assert cluster.status(RUN)["observedGeneration"] == 2

    async def test_only_what_changed_is_sent(self, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[dict[str, Any]] = []
        patch_status = cluster.patch_status

        async def spy(run: Any, patch: dict[str, Any], version: str) -> str:
            sent.append(patch)
            return await patch_status(run, patch, version)

        monkeypatch.setattr(cluster, "patch_status", spy)
        teller = reporter(cluster)
        await teller.progress(running(teller.status, T0), T0)
        await teller.progress(running(teller.status, T0 + 1, 7), T0 + 1)
        assert set(sent[1]) == {"passed", "summary", "duration", "suites", "tests", "timings"}
        assert sent[1]["summary"] == {"passed": 7, "notRun": 93, "durationSeconds": 1.0}


class TestWrite:
    async def test_what_could_not_be_written_is_written_the_next_time(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        cluster.before = once(UnavailableError("503"))
        status = running(teller.status, T0)
        with pytest.raises(UnavailableError):
            await teller.progress(status, T0)
        assert teller.status == TestRunStatus()
        await teller.progress(status, T0)
        assert cluster.status(RUN)["phase"] == "Running"

    async def test_nothing_is_sent_where_nothing_changed(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        status = running(teller.status, T0)
        await teller.write(status, T0)
        await teller.write(status, T0)
        assert len(cluster.writes) == 1

    async def test_what_is_written_can_be_read(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        await teller.write(running(teller.status, T0, 3), T0)
        assert reporter(cluster).status == teller.status


class TestEvents:
    async def test_only_what_has_come_true_is_told(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        snapshot = snapshot_of(PLAN, environment=EnvironmentState(started_at=T0))
        decision = decide(PLAN, snapshot, read_past(teller.status), Orders(), T0)
        await teller.progress(project(PLAN, snapshot, decision, teller.status, Moment(T0, 1)), T0)
        assert [reason for reason, _ in cluster.events] == ["Accepted"]
        before = samples()
        await teller.progress(running(teller.status, T0 + 7), T0 + 7)
        assert [reason for reason, _ in cluster.events] == ["Accepted", "EnvironmentReady"]
        assert samples() == (before[0] + 1, before[1] + 7)

    async def test_one_that_is_refused_is_lost(self, cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
        cluster.before = once(ForbiddenError("no right"))
        await reporter(cluster).announce("Accepted", "fine")
        assert cluster.events == []
        assert "the event Accepted could not be recorded: no right" in caplog.text

    async def test_each_transition_is_told_once(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        for second in range(5):
            await teller.progress(running(teller.status, T0 + second, second), T0 + second)
        again = reporter(cluster)  # an operator that was restarted
        await again.progress(running(again.status, T0 + 9, 9), T0 + 9)
        assert len(cluster.events) == 2


def samples() -> tuple[float, float]:
    """Count and sum of the times until the environment was ready."""
    (metric,) = metrics.ENVIRONMENT_SECONDS.collect()
    values = {sample.name.rpartition("_")[2]: sample.value for sample in metric.samples}
    return values["count"], values["sum"]


def once(error: Exception) -> Callable[[int, Write], None]:
    errors = iter([error])

    def before(_: int, write: Write) -> None:
        del write
        if (found := next(errors, None)) is not None:
            raise found

    return before


class TestStatusesOfOtherVersions:
    """A run that has finished must not start again because somebody has upgraded the operator, and gone back."""

    FINISHED: ClassVar[dict[str, Any]] = {
        "observedGeneration": 1,
        "phase": "Passed",
        "timings": {"started": "2025-10-09T08:53:20Z", "finished": "2025-10-09T08:54:20Z"},
        "conditions": [
            {"type": "Finished", "status": "True", "reason": "Done", "lastTransitionTime": "2025-10-09T08:54:20Z"}
        ],
        "suites": [{"name": "core", "state": "Passed", "total": 3}],
    }

    @pytest.mark.parametrize(
        "strange",
        [
            {},
            {"brandNew": {"a": [1]}},
            {"environment": 7},
            {"failures": [{"id": "a"}, {"suite": "core", "id": "b", "outcome": "failed", "severity": 9}]},
            {"services": {"redis": {}}},
            {"summary": {"total": -1, "passed": 3}},
            {"tests": "none"},
            {"message": "\ud800"},
        ],
        ids=lambda strange: next(iter(strange), "nothing"),
    )
    def test_what_is_known_stays(self, strange: dict[str, Any]) -> None:
        status = Reporter(RUN, FakeCluster(), {**body_of(), "status": self.FINISHED | strange}).status
        assert status.phase == "Passed"
        assert read_past(status).finished_at == T0 + 60
        assert status.conditions[0].type == "Finished"
        assert status.suites[0].total == 3

    def test_what_can_be_read_of_a_list_is_read(self) -> None:
        strange = {"failures": [{"id": "a"}, {"suite": "core", "id": "b", "outcome": "failed", "severity": 9}]}
        status = Reporter(RUN, FakeCluster(), {**body_of(), "status": self.FINISHED | strange}).status
        assert [failure.id for failure in status.failures] == ["b"]

    def test_a_condition_that_cannot_be_read_is_left_out(self) -> None:
        strange = {"conditions": [{"type": "Ready"}, *self.FINISHED["conditions"]]}
        status = Reporter(RUN, FakeCluster(), {**body_of(), "status": self.FINISHED | strange}).status
        assert [item.type for item in status.conditions] == ["Finished"]

    def test_a_whole_that_cannot_be_read_is_forgotten(self) -> None:
        whole = {"phase": "Passed"}
        _remove(whole, ())
        assert whole == {}

    @pytest.mark.parametrize("nothing", [None, {}])
    def test_of_a_run_that_nobody_has_seen(self, nothing: Any) -> None:
        assert Reporter(RUN, FakeCluster(), {**body_of(), "status": nothing}).status == TestRunStatus()


class TestOtherWriters:
    """Nobody who knows less than the status says may write it."""

    async def test_a_stale_writer_takes_over_what_was_written(self, cluster: FakeCluster) -> None:
        stale, fresh = reporter(cluster), reporter(cluster)
        await fresh.write(running(fresh.status, T0, 7), T0)
        with pytest.raises(OvertakenError):
            await stale.write(running(stale.status, T0, 2), T0)
        assert stale.status.passed == "7/100"
        assert cluster.status(RUN)["passed"] == "7/100"
        await stale.write(running(stale.status, T0 + 1, 8), T0 + 1)
        assert cluster.status(RUN)["passed"] == "8/100"

    async def test_a_change_of_something_else_is_no_hindrance(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        cluster.objects["TestRun", RUN.namespace, RUN.name]["metadata"]["resourceVersion"] = "41"
        await teller.write(running(teller.status, T0, 2), T0)
        assert cluster.status(RUN)["passed"] == "2/100"
        await teller.write(running(teller.status, T0, 3), T0)
        assert cluster.body(RUN)["metadata"]["resourceVersion"] == "43"

    async def test_a_write_whose_answer_was_lost_is_not_another_writers(self, cluster: FakeCluster) -> None:
        teller = reporter(cluster)
        wanted = running(teller.status, T0, 2)
        lost = reporter(cluster)
        await lost.write(wanted, T0)
        await teller.write(wanted, T0)  # the client repeats it with the version that it knows
        assert len(cluster.statuses) == 1
        await teller.write(running(teller.status, T0, 3), T0)
        assert cluster.status(RUN)["passed"] == "3/100"

    async def test_what_a_watch_brings_is_taken_when_it_is_newer(self, cluster: FakeCluster) -> None:
        teller, other, old = reporter(cluster), reporter(cluster), cluster.body(RUN)
        await other.write(running(other.status, T0, 7), T0)
        teller.observe(cluster.body(RUN))
        assert teller.status.passed == "7/100"
        teller.observe(old)
        assert teller.status.passed == "7/100"
        await teller.write(running(teller.status, T0, 8), T0)
        assert len(cluster.statuses) == 2

    async def test_what_is_read_is_newer_than_a_stale_list(self, cluster: FakeCluster) -> None:
        teller, other = reporter(cluster), reporter(cluster)
        await other.write(running(other.status, T0, 7), T0)
        await teller.read()
        assert teller.status.passed == "7/100"

    @pytest.mark.parametrize("uid", [None, "another"])
    async def test_a_run_that_is_gone(self, cluster: FakeCluster, uid: str | None) -> None:
        teller = reporter(cluster)
        body = cluster.objects.pop(("TestRun", RUN.namespace, RUN.name))
        if uid is not None:
            cluster.objects["TestRun", RUN.namespace, RUN.name] = body_of(run=RunId(RUN.name, RUN.namespace, uid))
        with pytest.raises(GoneError):
            await teller.write(running(teller.status, T0), T0)
        with pytest.raises(GoneError):
            await teller.read()
        assert body["status"] == {"observedGeneration": -1}

    async def test_a_run_that_is_being_deleted_is_gone(self, cluster: FakeCluster) -> None:
        """Its pods are going as well, and that is nobody's fault."""
        teller = reporter(cluster)
        cluster.objects["TestRun", RUN.namespace, RUN.name]["metadata"]["deletionTimestamp"] = timestamp(T0)
        with pytest.raises(GoneError):
            await teller.read()


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [("2", "1", True), ("10", "9", True), ("9", "10", False), ("1", "1", False), ("1", "", True), ("", "1", False)],
)
def test_versions(version: str, than: str, newer: bool) -> None:  # noqa: FBT001
    assert _is_newer(version, than) is newer
