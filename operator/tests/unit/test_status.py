"""The status as it is written: small, never backwards, and understood by what waits on it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.status import Condition, ConditionStatus, ConditionType, Outcome, Phase, TestRunStatus
from seatrial.conditions import FALSE, TRUE
from seatrial.decide import Orders, Past, decide
from seatrial.environment import ComponentState, EnvironmentState
from seatrial.evidence import ShardEvidence
from seatrial.records import Attempt, CollectError, CollectSkip
from seatrial.sizes import stored_size
from seatrial.status import (
    Moment,
    mark_cleaned,
    merge_patch,
    observe_generation,
    project,
    read_past,
    refuse,
    timestamp,
)
from seatrial.status.text import cut, seconds_of, spell
from seatrial.verdict import Judgement, State
from tests.builders import (
    NAMESPACE,
    T0,
    collected,
    end,
    evidence_of,
    failed,
    finish,
    job,
    opening,
    over_pod,
    passed,
    plan_of,
    shards_of,
    snapshot_of,
    suite_pod,
    suite_spec,
    whole,
)

if TYPE_CHECKING:
    from seatrial.observe import Snapshot
    from seatrial.plan import Plan

C = ConditionType
PLAN = plan_of(
    {"services": {"redis": {}}, "applications": [{"name": "app", "image": "app:1"}], "suites": [suite_spec()]}
)
CLOSED = EnvironmentState(started_at=T0)
LIMIT = 100 * 1024


def look(
    snapshot: Snapshot,
    past: TestRunStatus | None = None,
    *,
    plan: Plan = PLAN,
    now: float = T0 + 10,
    generation: int = 1,
    orders: Orders | None = None,
) -> TestRunStatus:
    """One pass: decide and project."""
    past = past or TestRunStatus()
    decision = decide(plan, snapshot, read_past(past), orders or Orders(), now)
    return project(plan, snapshot, decision, past, Moment(now, generation))


def aspect(status: TestRunStatus, kind: ConditionType) -> Condition:
    return next(item for item in status.conditions if item.type == kind)


def states(status: TestRunStatus) -> dict[str, str]:
    return {item.type: item.status.value for item in status.conditions}


def stored(status: TestRunStatus) -> int:
    return stored_size(status.model_dump(mode="json", by_alias=True, exclude_none=True))


def over(*records: Any, plan: Plan = PLAN, past: TestRunStatus | None = None) -> TestRunStatus:
    """A run whose only suite has told these records."""
    snapshot = snapshot_of(plan, pods=(suite_pod(),), jobs=(job(),), shards=shards_of(evidence_of(records)))
    return look(snapshot, past, plan=plan)


FAR = [*opening(), collected(2)]
PASSES = whole(passed("a"), passed("b"))
FAILS = whole(passed("a"), failed("b", location="t.py:3"), rc=1)
CRASHES = [*opening(), collected(2), passed("a"), end(None, signal="SIGSEGV")]


class TestCourse:
    """What a run says from its first pass to its end."""

    def test_before_anything_exists(self) -> None:
        snapshot = replace(snapshot_of(PLAN, environment=EnvironmentState()), namespace_exists=False, pods=())
        held = look(replace(snapshot, has_slot=False, namespace_seen=False))
        assert (held.phase, held.reason, held.namespace, held.timings.started) == (Phase.QUEUED, "Queued", None, None)
        assert held.timings.accepted == timestamp(T0 + 10)
        assert held.duration == ""
        assert states(held)["Accepted"] == "True"
        assert states(held)["Reconciling"] == "True"
        suspended = look(replace(snapshot, namespace_seen=False), orders=Orders(suspend=True))
        assert (suspended.phase, suspended.reason) == (Phase.PENDING, "Suspended")
        assert aspect(suspended, C.FINISHED).reason == "Suspended"

    def test_cancelled_before_anything_exists(self) -> None:
        snapshot = snapshot_of(PLAN, environment=EnvironmentState(), namespace_exists=False, namespace_seen=False)
        status = look(replace(snapshot, pods=()), orders=Orders(cancel=True))
        assert (status.phase, status.namespace, status.timings.started) == (Phase.CANCELLED, None, None)
        assert (status.summary.total, status.duration) == (0, "")

    def test_while_the_environment_starts(self) -> None:
        waiting = replace(CLOSED, services={"redis": ComponentState(message="connection refused")})
        status = look(snapshot_of(PLAN, environment=waiting))
        assert (status.phase, status.reason) == (Phase.PROVISIONING, "Provisioning")
        assert status.message == "waiting for redis (connection refused), app"
        assert aspect(status, C.ENVIRONMENT_READY).message == status.message
        assert (status.environment, status.namespace) == ("0/2", NAMESPACE)
        assert status.timings.started == timestamp(T0 + 10)
        assert (status.services[0].ready, status.services[0].message) == (False, "connection refused")
        assert status.services[0].image == "registry.test/redis:8"

    def test_when_only_the_gate_is_missing(self) -> None:
        ready = replace(CLOSED, services={"redis": ComponentState(1.0)}, applications={"app": ComponentState(2.0)})
        assert look(snapshot_of(PLAN, environment=ready)).message == ""

    def test_while_a_suite_runs(self) -> None:
        status = over(*FAR, passed("a"))
        assert (status.phase, status.reason, status.message) == (Phase.RUNNING, "Running", "suite core")
        assert (status.environment, status.passed) == ("2/2", "1/2")
        assert (status.services[0].ready_after_seconds, status.applications[0].ready_after_seconds) == (1.5, 2.5)
        assert status.timings.environment_ready == timestamp(T0 + 3)
        assert status.timings.first_test == timestamp(T0 + 5)
        assert status.timings.finished is None
        assert status.suites[0].state == State.RUNNING
        assert states(status) == {
            "Accepted": "True",
            "EnvironmentReady": "True",
            "SuitesCompleted": "False",
            "Succeeded": "Unknown",
            "Finished": "False",
            "EnvironmentCleaned": "False",
            "Ready": "False",
            "Reconciling": "True",
            "Stalled": "False",
        }

    @pytest.mark.parametrize(
        ("records", "phase", "reason", "succeeded", "stalled", "completed"),
        [
            (PASSES, Phase.PASSED, "AllTestsPassed", "True", "False", "True"),
            (FAILS, Phase.FAILED, "TestsFailed", "False", "True", "True"),
            (CRASHES, Phase.ERROR, "SuiteCrashed", "False", "True", "True"),
        ],
        ids=["passed", "failed", "error"],
    )
    def test_at_the_end(
        self, *, records: list[Any], phase: Phase, reason: str, succeeded: str, stalled: str, completed: str
    ) -> None:
        status = over(*records)
        found = states(status)
        assert (status.phase, status.reason) == (phase, reason)
        assert found["Finished"] == "True"
        assert found["Succeeded"] == found["Ready"] == succeeded
        assert found["Stalled"] == stalled
        assert found["Reconciling"] == "False"
        assert found["SuitesCompleted"] == completed
        assert status.timings.finished == timestamp(T0 + 10)
        assert aspect(status, C.SUCCEEDED).message == status.message

    def test_while_the_last_results_are_read(self) -> None:
        """Every pod has ended, and one of them has not said its last word yet."""
        reading = evidence_of(FAR, drained=False)
        snapshot = snapshot_of(PLAN, pods=(over_pod(code=1),), jobs=(job(),), shards=shards_of(reading))
        status = look(snapshot)
        assert status.phase == Phase.COLLECTING
        assert aspect(status, C.SUITES_COMPLETED).reason == "Collecting"
        assert states(status)["Reconciling"] == "True"
        # Of a watch that lags behind, after a restart:
        late = snapshot_of(PLAN, pods=(suite_pod(),), jobs=(job(),), shards=shards_of(reading))
        assert look(late, status).phase == Phase.COLLECTING

    def test_when_it_is_cut_off(self) -> None:
        snapshot = snapshot_of(PLAN, pods=(suite_pod(),), jobs=(job(),), shards=shards_of(evidence_of(FAR)))
        status = look(snapshot, orders=Orders(cancel=True))
        assert (status.phase, status.suites[0].state) == (Phase.CANCELLED, State.CANCELLED)
        assert aspect(status, C.SUITES_COMPLETED).reason == "Cancelled"
        assert aspect(status, C.SUITES_COMPLETED).status is FALSE
        assert status.summary.not_run == 2

    def test_when_the_environment_never_was_ready(self) -> None:
        failing = replace(CLOSED, failed_reason="SeedFailed", failed_message="syntax error")
        status = look(snapshot_of(PLAN, environment=failing))
        assert (status.phase, status.message) == (Phase.ERROR, "syntax error")
        assert aspect(status, C.ENVIRONMENT_READY).reason == "SeedFailed"

    @pytest.mark.parametrize(
        ("retention", "records", "reason", "message"),
        [
            ({"onSuccess": "0s"}, PASSES, "CleaningUp", "being deleted"),
            ({"onSuccess": "1m"}, PASSES, "Retained", timestamp(T0 + 70)),
            ({"onFailure": "1h"}, FAILS, "Retained", timestamp(T0 + 3610)),
            ({"onFailure": "0s"}, FAILS, "CleaningUp", "being deleted"),
        ],
    )
    def test_what_becomes_of_the_environment(
        self, retention: dict[str, str], records: list[Any], reason: str, message: str
    ) -> None:
        plan = plan_of({"suites": [suite_spec()], "retention": retention})
        cleaned = aspect(over(*records, plan=plan), C.ENVIRONMENT_CLEANED)
        assert (cleaned.status, cleaned.reason) == (FALSE, reason)
        assert message in cleaned.message

    def test_it_is_spoken_of_the_generation_that_was_looked_at(self) -> None:
        status = look(snapshot_of(PLAN), generation=7)
        assert status.observed_generation == 7
        assert {item.observed_generation for item in status.conditions} == {7}


@pytest.mark.parametrize(
    "records", [[], FAR, PASSES, FAILS, CRASHES], ids=["start", "run", "passed", "failed", "error"]
)
@pytest.mark.parametrize(
    "orders", [Orders(), Orders(cancel=True), Orders(suspend=True)], ids=["go", "cancel", "suspend"]
)
@pytest.mark.parametrize("begun", [True, False])
def test_what_kstatus_makes_of_it(*, records: list[Any], orders: Orders, begun: bool) -> None:
    """https://github.com/kubernetes-sigs/cli-utils: at most one of Reconciling and Stalled is True, never both."""
    snapshot = snapshot_of(PLAN, shards=shards_of(evidence_of(records)))
    if not begun:
        snapshot = replace(
            snapshot, namespace_exists=False, namespace_seen=False, pods=(), environment=EnvironmentState()
        )
    status = look(snapshot, orders=orders)
    found = states(status)
    assert [found["Reconciling"], found["Stalled"], found["Ready"]].count("True") == 1
    assert (found["Ready"] == "True") == (found["Succeeded"] == "True") == (status.phase == Phase.PASSED)
    assert (found["Reconciling"] == "True") == (found["Finished"] == "False")
    assert all(item.reason for item in status.conditions)


class TestNeverBackwards:
    def test_times_are_kept(self) -> None:
        first = look(snapshot_of(PLAN, environment=CLOSED), now=T0)
        later = over(*FAR, passed("a"), past=first)
        last = over(*PASSES, past=later)
        assert last.timings.accepted == last.timings.started == first.timings.accepted
        assert last.timings.environment_ready == later.timings.environment_ready
        assert last.summary.duration_seconds == 10
        assert last.duration == "10.0s"

    def test_a_finished_run_keeps_its_end(self) -> None:
        done = over(*PASSES)
        snapshot = snapshot_of(PLAN, shards=shards_of(evidence_of(PASSES)))
        again = decide(PLAN, snapshot, Past(), Orders(), T0 + 99)
        later = project(PLAN, snapshot, again, done, Moment(T0 + 99, 1))
        assert later.timings.finished == done.timings.finished
        assert later.summary.duration_seconds == done.summary.duration_seconds

    def test_after_a_restart_an_environment_that_was_ready_is_ready(self) -> None:
        before = over(*FAR)
        unread = snapshot_of(PLAN, environment=EnvironmentState(), pods=(suite_pod(),), jobs=(job(),),
                             shards=shards_of(evidence_of(FAR)))  # fmt: skip
        after = look(unread, before, now=T0 + 11)
        assert after.phase == Phase.RUNNING
        assert after.message == "suite core"
        assert aspect(after, C.ENVIRONMENT_READY) == aspect(before, C.ENVIRONMENT_READY)
        assert (after.services, after.applications) == (before.services, before.applications)
        again = replace(unread, environment=EnvironmentState(services={"redis": ComponentState(message="refused")}))
        assert look(again, before).services == before.services

    def test_a_suite_that_has_ended_stays_as_it_ended(self) -> None:
        plan = plan_of({"suites": [suite_spec("core"), suite_spec("slow")]})
        before = look(
            snapshot_of(plan, pods=(suite_pod(),), jobs=(job(),), shards=shards_of(evidence_of(FAILS))), plan=plan
        )
        assert before.suites[0].state == State.FAILED
        after = look(snapshot_of(plan), before, plan=plan)
        assert (after.suites[0].state, after.suites[0].reason) == (State.FAILED, "TestsFailed")
        assert after.suites[0].message == before.suites[0].message


class TestReadPast:
    def test_what_decisions_need(self) -> None:
        past = read_past(over(*PASSES))
        assert (past.started_at, past.finished_at) == (T0 + 10, T0 + 10)
        assert (past.passed, past.cleaned, past.environment_ready) == (True, False, True)
        assert past.ready == {"redis"}
        assert past.suites["core"].judgement.state is State.PASSED

    @pytest.mark.parametrize("records", [FAR, FAILS, CRASHES], ids=["running", "failed", "error"])
    def test_only_a_pass_has_passed(self, records: list[Any]) -> None:
        assert not read_past(over(*records)).passed

    def test_of_a_run_that_nobody_has_seen(self) -> None:
        assert read_past(TestRunStatus()) == Past()

    def test_of_shards(self) -> None:
        plan = plan_of({"suites": [suite_spec(shards=2)]})
        shards = shards_of(
            evidence_of(whole(passed("a"), total=2)), evidence_of([*opening(), collected(1, 2)], shard=1, drained=False)
        )
        pods = (suite_pod(shard=0), suite_pod(shard=1))
        past = read_past(look(snapshot_of(plan, shards=shards, pods=pods, jobs=(job(),)), plan=plan))
        assert past.suites["core"].judgement.state is State.RUNNING
        assert [shard.state for shard in past.suites["core"].shards] == [State.PASSED, State.RUNNING]

    def test_of_a_state_that_a_later_version_has(self) -> None:
        status = TestRunStatus.model_validate({"suites": [{"name": "core", "state": "Levitating"}]})
        assert read_past(status).suites["core"].judgement.state is State.PENDING


class TestCounts:
    def test_by_outcome(self) -> None:
        tests = [
            passed("p"),
            failed("f"),
            failed("flaky", final=False),
            passed("flaky", attempt=2),
            *(Attempt(outcome.value, outcome.value) for outcome in Outcome),
        ]
        status = over(*opening(), collected(12), CollectSkip("test_x.py"), *tests, finish(1, 9), end(1))
        assert status.summary.model_dump(exclude={"duration_seconds"}) == {
            "total": 13,
            "passed": 3,
            "failed": 2,
            "errors": 1,
            "skipped": 2,
            "xfailed": 1,
            "xpassed": 1,
            "flaky": 1,
            "not_run": 3,
        }
        assert status.passed == "3/13"
        assert status.suites[0].model_dump(include={"total", "passed"}) == {"total": 13, "passed": 3}
        assert status.suites[0].shards == []
        assert status.suites[0].duration_seconds == 0.5

    def test_a_module_counts_once_though_every_shard_tells_of_it(self) -> None:
        plan = plan_of({"suites": [suite_spec(shards=2)]})
        told = [*opening(), CollectError("test_a.py", "boom"), CollectSkip("test_b.py", "no kafka"), collected(1, 2)]
        shards = shards_of(*(evidence_of([*told, passed(f"t{n}"), finish(1, 1), end(1)], shard=n) for n in (0, 1)))
        status = look(snapshot_of(plan, shards=shards, jobs=(job(),)), plan=plan)
        assert (status.summary.total, status.summary.errors, status.summary.skipped) == (3, 1, 1)
        assert [(part.errors, part.skipped, part.total) for part in status.suites[0].shards] == [(1, 1, 2), (1, 1, 2)]
        assert [failure.id for failure in status.failures] == ["test_a.py"]
        assert [(test.id, test.outcome) for test in status.tests] == [
            ("test_b.py", "skipped"),
            ("t0", "passed"),
            ("t1", "passed"),
        ]

    def test_what_is_said_of_a_failure(self) -> None:
        long = failed("b", message="ä" * 2000, location="t.py:3", attempt=2)
        (failure,) = over(*whole(passed("a"), long, rc=1)).failures
        assert failure.model_dump() == {
            "suite": "core",
            "id": "b",
            "outcome": "failed",
            "message": "ä" * 256,
            "location": "t.py:3",
            "attempt": 2,
        }

    def test_every_test_while_that_fits(self) -> None:
        status = over(*whole(*(passed(f"t{n}") for n in range(500))))
        assert len(status.tests) == 500
        assert not status.tests_truncated
        assert status.tests[0].duration_seconds == 0.5
        many = over(*whole(*(passed(f"t{n}") for n in range(501))))
        assert (many.tests, many.tests_truncated, many.passed) == ([], True, "501/501")
        long = over(*whole(*(passed("x" * 1000 + str(n)) for n in range(400))))
        assert len(long.tests) == 60_000 // 1096  # every write sends them all
        assert long.tests_truncated
        modules = [CollectSkip(f"m{n}.py") for n in range(2)]
        both = over(*opening(), *modules, collected(499), *(passed(f"t{n}") for n in range(499)))
        assert both.tests_truncated

    def test_a_test_that_is_tried_again_is_not_among_them(self) -> None:
        assert over(*FAR, failed("a", final=False)).tests == []

    def test_the_first_fifty_failures(self) -> None:
        status = over(*whole(*(failed(f"t{n}") for n in range(60)), rc=1))
        assert [failure.id for failure in status.failures] == [f"t{n}" for n in range(50)]
        assert status.summary.failed == 60
        plan = plan_of({"suites": [suite_spec(shards=2)]})
        parts = [evidence_of(whole(*(failed(f"t{n}.{k}") for k in range(40)), rc=1, total=80), shard=n) for n in (0, 1)]
        both = look(snapshot_of(plan, shards=shards_of(*parts), jobs=(job(),)), plan=plan)
        assert len(both.failures) == 50
        assert both.summary.failed == 80


# --- Size (the status is kept in etcd in every revision, and sent to every watcher) ---------------------------------

TEXTS = {"ascii": "x", "escaped": "\x01", "markup": "<", "umlauts": "ä", "emoji": "\U0001f600"}


@pytest.mark.parametrize("letter", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("tests", [10, 500, 30_000])
def test_a_status_is_small_whatever_fails(letter: str, tests: int) -> None:
    evidence = ShardEvidence("core", 0, "pod-uid", drained=True)
    evidence.fold(1, collected(tests))
    for number in range(tests):
        test_id = cut(f"{number}{letter * 1024}", 1024)
        test = Attempt(test_id, "failed", 6, 1e9, T0, cut(letter * 512, 512), cut(letter * 256, 256), letter * 1000)
        evidence.fold(number + 2, test)
    evidence.fold(tests + 2, finish(1, tests))
    evidence.fold(tests + 3, end(1, stderr=letter * 4096))
    status = look(snapshot_of(PLAN, shards=shards_of(evidence), pods=(suite_pod(),), jobs=(job(),)))
    assert stored(status) < LIMIT
    assert status.summary.failed == tests
    assert status.phase == Phase.FAILED
    assert len(status.failures) >= 10
    assert status.tests_truncated or len(status.tests) == tests


@pytest.mark.parametrize("letter", TEXTS.values(), ids=TEXTS.keys())
def test_a_status_is_small_however_large_the_run_is(letter: str) -> None:
    """As many suites, shards and applications as a spec may have, with the longest names, images and messages."""
    names = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}{'x' * 38}" for n in range(32)]
    longest = cut(letter * 1024, 1024)
    plan = plan_of(
        {
            "services": {"kafka": {}, "redis": {}, "postgres": {}, "influxdb": {}},
            "applications": [{"name": name, "image": "<" * 512} for name in names[:16]],
            "suites": [suite_spec(name, shards=32, image="<" * 512) for name in names],
        }
    )
    text = ComponentState(message=letter * 1024)
    environment = EnvironmentState(
        started_at=T0,
        services={item.name: text for item in plan.services},
        applications={item.name: text for item in plan.applications},
        failed_reason="SeedFailed",
        failed_message=letter * 1024,
    )
    shards = shards_of(
        *(
            evidence_of(
                [
                    collected(9_999_999),
                    CollectError(longest, letter * 512),
                    end(None, signal=letter * 64, message=letter),
                ],
                name,
                index,
            )
            for name in names
            for index in range(32)
        )
    )
    status = look(snapshot_of(plan, environment=environment, shards=shards), plan=plan)
    assert stored(status) < LIMIT
    assert len(status.suites) == 32
    assert len(status.applications) == 16
    assert status.phase == Phase.ERROR
    assert status.summary.errors == 32
    assert status.message


def test_what_fits_is_left_alone() -> None:
    plan = plan_of({"suites": [suite_spec(shards=4)]})
    parts = [evidence_of(whole(passed(f"t{n}"), total=4), shard=n) for n in range(4)]
    status = look(snapshot_of(plan, shards=shards_of(*parts), jobs=(job(),)), plan=plan)
    assert len(status.suites[0].shards) == 4
    assert len(status.tests) == 4
    assert not status.tests_truncated


def test_shards_in_trouble_are_shown_before_those_that_are_fine() -> None:
    names = [f"suite-{n}" for n in range(32)]
    plan = plan_of({"suites": [suite_spec(name, shards=32) for name in names]})
    fine = [evidence_of(whole(passed(f"t{n}"), total=32), name, n) for name in names for n in range(32)]
    crashed = evidence_of([*opening(), collected(1, 32), end(None, signal="SIGSEGV")], "suite-3", 7)
    status = look(snapshot_of(plan, shards=shards_of(*fine, crashed)), plan=plan)
    assert stored(status) < LIMIT
    assert [(suite.name, part.index) for suite in status.suites for part in suite.shards] == [("suite-3", 7)]


# --- Ends without a plan, and clean-up -----------------------------------------------------------------------


def test_a_run_that_cannot_be_planned() -> None:
    judgement = Judgement(State.ERROR, "InvalidSpec", "spec.suites: is required")
    status = refuse(TestRunStatus(), judgement, Moment(T0, 3))
    assert (status.phase, status.reason, status.message) == (Phase.ERROR, "InvalidSpec", "spec.suites: is required")
    assert status.observed_generation == 3
    assert status.timings.finished == timestamp(T0)
    found = states(status)
    assert (found["Accepted"], found["Finished"], found["Stalled"], found["Reconciling"]) == (
        "False",
        "True",
        "True",
        "False",
    )
    assert aspect(status, C.ENVIRONMENT_CLEANED).reason == "NothingToClean"
    assert read_past(status).finished_at == T0
    assert read_past(status).cleaned


def test_a_run_that_cannot_be_planned_any_more_has_an_environment() -> None:
    status = refuse(over(*FAR), Judgement(State.ERROR, "UnknownVersion", "redis 8"), Moment(T0, 1))
    assert aspect(status, C.ENVIRONMENT_CLEANED).reason == "Deleted"


def test_after_the_verdict_only_the_environment_changes() -> None:
    done = over(*PASSES)
    cleaned = mark_cleaned(done, (TRUE, "Deleted", "namespace x is gone"), Moment(T0 + 99, 2))
    assert aspect(cleaned, C.ENVIRONMENT_CLEANED).status is ConditionStatus.TRUE
    assert cleaned.observed_generation == 2
    unchanged = {"conditions", "observed_generation"}
    assert cleaned.model_dump(exclude=unchanged) == done.model_dump(exclude=unchanged)
    kept = {kind: state for kind, state in states(done).items() if kind != "EnvironmentCleaned"}
    assert kept.items() <= states(cleaned).items()


def test_a_later_generation_is_seen_and_changes_nothing() -> None:
    done = over(*PASSES)
    seen = observe_generation(done, Moment(T0 + 99, 5))
    assert seen.observed_generation == 5
    assert {item.observed_generation for item in seen.conditions} == {5}
    assert states(seen) == states(done)
    assert (seen.phase, seen.timings) == (done.phase, done.timings)


# --- Patches -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=1), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", min_size=1, max_size=1), JSON, max_size=3)


def apply_patch(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_patch(result.get(key), value)
    return result


@given(past=OBJECTS, wanted=OBJECTS)
def test_a_patch_makes_what_is_wanted_of_what_was(past: dict[str, Any], wanted: dict[str, Any]) -> None:
    patch = merge_patch(past, wanted)
    assert apply_patch(past, patch) == wanted
    assert merge_patch(wanted, wanted) == {}


def test_a_patch_holds_only_what_changed() -> None:
    before = over(*FAR).model_dump(mode="json", by_alias=True, exclude_none=True)
    after = over(*FAR, passed("a")).model_dump(mode="json", by_alias=True, exclude_none=True)
    patch = merge_patch(before, after)
    assert set(patch) == {"passed", "summary", "suites", "tests", "timings"}
    assert patch["summary"] == {"passed": 1, "notRun": 1}
    assert set(patch["timings"]) == {"firstTest", "lastTest"}
    assert apply_patch(before, patch) == after
    assert json.loads(json.dumps(patch)) == patch


# --- Texts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ms"),
        (0.85, "850ms"),
        (0.9996, "1.0s"),
        (7.42, "7.4s"),
        (59.94, "59.9s"),
        (59.96, "1m0s"),
        (72, "1m12s"),
        (3599.7, "1h0m0s"),
        (3661, "1h1m1s"),
        (90_000, "25h0m0s"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert spell(seconds) == text


@pytest.mark.parametrize("seconds", [0.0, T0, T0 + 0.123456, 253_402_300_799.0])
def test_timestamps_can_be_read_back(seconds: float) -> None:
    assert seconds_of(timestamp(seconds)) == seconds


def test_a_time_that_no_calendar_has_is_shown_as_the_nearest() -> None:
    assert timestamp(1e12) == "9999-12-31T23:59:59.000000Z"
    assert timestamp(-5) == "1970-01-01T00:00:00.000000Z"
    assert seconds_of(None) is None
    status = over(*FAR, Attempt("a", "passed", at=1e12, seconds=1e12))
    assert status.timings.first_test == status.timings.last_test == "9999-12-31T23:59:59.000000Z"


def test_cutting_never_leaves_half_a_character() -> None:
    assert cut("aä", 2) == "a"
    assert cut("aä", 3) == "aä"
