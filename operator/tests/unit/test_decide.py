"""What is decided about a run: which check ends it, what is started when, and when it is cleaned up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.decide import Decision, Orders, Past, SuiteDecision, decide, suite_step
from seatrial.decide.checks import CHECKS
from seatrial.decide.model import WATCH_LAG_SECONDS
from seatrial.environment import ComponentState, EnvironmentState
from seatrial.records import Unreachable
from seatrial.verdict import Judgement, State
from tests.builders import (
    NAMESPACE,
    T0,
    collected,
    end,
    ended,
    environment_pod,
    evidence_of,
    failed,
    job,
    opening,
    over_pod,
    passed,
    plan_of,
    pod,
    running,
    service_pod,
    shards_of,
    snapshot_of,
    suite_pod,
    suite_spec,
    waiting,
    whole,
)

if TYPE_CHECKING:
    from seatrial.evidence import ShardEvidence
    from seatrial.observe import PodView, Snapshot

SPEC = {
    "services": {"redis": {}, "postgres": {}},
    "applications": [{"name": "app", "image": "app:1"}],
    "suites": [suite_spec("core"), suite_spec("slow")],
    "timeouts": {"provision": "2m", "total": "10m"},
    "retention": {"onSuccess": "1m", "onFailure": "30m"},
}
PLAN = plan_of(SPEC)
STARTED = Past(started_at=T0)
FOUNDATION = ("namespace", "isolation", "connection", "copies")
ALL_STEPS = frozenset({*FOUNDATION, "services", "environment", "applications", "suite:core", "suite:slow"})
CLOSED = EnvironmentState(started_at=T0 + 1)


@dataclass
class Situation:
    """A run of which the environment is open and suite core runs; `more` goes into the snapshot."""

    more: dict[str, Any] = field(default_factory=dict)
    pods: dict[str, PodView | None] = field(default_factory=dict)
    """By name, in the place of the healthy ones; None for one that is gone."""
    past: Past = STARTED
    orders: Orders = field(default_factory=Orders)
    now: float = T0 + 20

    def snapshot(self) -> Snapshot:
        healthy = snapshot_of(
            PLAN,
            **{
                "jobs": (job("core"),),
                "pods": (suite_pod("core"),),
                "shards": shards_of(evidence_of(opening(), drained=False)),
                "applied": ALL_STEPS - {"suite:slow"},
            }
            | self.more,
        )
        pods = {item.name: item for item in healthy.pods} | self.pods
        return replace(healthy, pods=tuple(item for item in pods.values() if item is not None))

    def decide(self) -> Decision:
        return decide(PLAN, self.snapshot(), self.past, self.orders, self.now)


def merged(*situations: Situation) -> Situation:
    """All that has gone wrong, at once."""
    result = Situation()
    for item in situations:
        defaults = Situation()
        result.more |= item.more
        result.pods |= item.pods
        result.past = item.past if item.past != defaults.past else result.past
        result.orders = item.orders if item.orders != defaults.orders else result.orders
        result.now = max(result.now, item.now)
    return result


def done(suite: str, *records: Any) -> ShardEvidence:
    return evidence_of(whole(*(records or (passed("a"),))), suite)


ALL_DONE = shards_of(done("core"), done("slow"))
LOST = shards_of(done("core", failed("a"), Unreachable("redis", "refused")), done("slow"))

# In the order in which they outweigh each other; each with a part of its message.
ENDS: list[tuple[str, Situation, str, str]] = [
    ("cancelled", Situation(orders=Orders(cancel=True)), "Cancelled", "spec.cancel"),
    (
        "an object is refused",
        Situation({"refused": {"isolation": ("Forbidden", "NetworkPolicy dns: no right")}}),
        "Forbidden",
        "NetworkPolicy dns: no right",
    ),
    (
        "the namespace is being deleted",
        Situation({"namespace_terminating": True}),
        "EnvironmentDeleted",
        f"namespace {NAMESPACE} is being deleted by somebody else",
    ),
    (
        "a service died",
        Situation(
            {"tails": {"redis": "# Out of memory\n"}},
            {"redis": pod("service", "redis", ended("redis", 137, "OOMKilled"))},
        ),
        "ServiceFailed",
        "service redis died (OOMKilled, exit code 137); its log ends with: # Out of memory",
    ),
    (
        "the environment says that it failed",
        Situation(
            {
                "environment": EnvironmentState(
                    started_at=T0, failed_reason="SeedFailed", failed_message="syntax error", failed_name="postgres"
                ),
                "tails": {"postgres": "ERROR: syntax"},
            },
        ),
        "SeedFailed",
        "syntax error; its log ends with: ERROR: syntax",
    ),
    (
        "an image that does not exist",
        Situation(pods={"postgres": pod("service", "postgres", waiting("postgres", "InvalidImageName", "bad"))}),
        "InvalidImage",
        "service postgres: pod postgres, image 'postgres:1': bad",
    ),
    (
        "tests have failed, and a service accepts no connection",
        Situation({"shards": LOST}, {"suite-core-0": over_pod("core"), "suite-slow-0": over_pod("slow")}),
        "ServiceFailed",
        "service redis accepted no connection when suite core ended (refused)",
    ),
    (
        "every suite has ended",
        Situation({"shards": ALL_DONE}, {"suite-core-0": over_pod("core"), "suite-slow-0": over_pod("slow")}),
        "AllTestsPassed",
        "every collected test",
    ),
    (
        "the system under test crashed",
        Situation({"tails": {"app": "panic"}}, {"app": pod("application", "app", ended("app", 2))}),
        "ApplicationFailed",
        "application app stopped (Error, exit code 2); its log ends with: panic",
    ),
    (
        "no pod could be created for an application",
        Situation({"events": {"app-5f6b8c7d9": "exceeded quota: run"}}, {"app": None}),
        "PodRefused",
        "no pod could be created for application app: exceeded quota: run",
    ),
    (
        "the environment pod died",
        Situation(pods={"environment": pod("environment", "environment", ended("environment", 1), phase="Failed")}),
        "EnvironmentFailed",
        "the environment pod ended (exit code 1)",
    ),
    ("it takes too long", Situation(now=T0 + 600), "Timeout", "longer than 600 s; not finished: suite core, slow"),
    (
        "it is not ready in time",
        Situation({"environment": CLOSED}, now=T0 + 122),
        "ProvisionTimeout",
        "the environment is not ready after 120 s: service redis is not ready",
    ),
]


def test_every_check_is_here_in_its_place() -> None:
    assert len(ENDS) == len(CHECKS)


@pytest.mark.parametrize(
    ("situation", "reason", "message"), [item[1:] for item in ENDS], ids=[item[0] for item in ENDS]
)
def test_what_ends_a_run(situation: Situation, reason: str, message: str) -> None:
    decision = situation.decide()
    assert decision.verdict is not None
    assert decision.verdict.reason == reason
    assert message in decision.verdict.message
    assert decision.complete == (reason == "AllTestsPassed")
    assert decision.steps == ()
    expected = {"Cancelled": State.CANCELLED, "AllTestsPassed": State.PASSED}.get(reason, State.ERROR)
    assert decision.verdict.state is expected


PAIRS = [
    (first, second)
    for index, first in enumerate(ENDS)
    for second in ENDS[index + 1 :]
    # Both are about the words of the environment, or the pods of the same component: one hides the other.
    if not {first[0], second[0]} <= {"the environment says that it failed", "it is not ready in time"}
    and not {first[0], second[0]} <= {"the system under test crashed", "no pod could be created for an application"}
]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=[f"{a[0]} before {b[0]}" for a, b in PAIRS])
def test_what_outweighs_what(first: Any, second: Any) -> None:
    both = merged(second[1], first[1])
    decision = both.decide()
    assert decision.verdict is not None
    assert decision.verdict.reason == first[2]


def test_a_run_that_is_fine_goes_on() -> None:
    decision = Situation().decide()
    assert decision == Decision(
        suites={
            "core": SuiteDecision(Judgement(State.RUNNING), (Judgement(State.RUNNING),)),
            "slow": SuiteDecision(Judgement(State.PENDING), (Judgement(State.PENDING),)),
        },
        wake_at=T0 + 600,
    )


# --- Details of the checks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [*FOUNDATION, "services", "environment", "applications"])
def test_whatever_is_refused_ends_the_run(step: str) -> None:
    verdict = Situation({"refused": {step: ("Forbidden", "no")}}).decide().verdict
    assert verdict == Judgement(State.ERROR, "Forbidden", "no")


class TestEnvironmentDeleted:
    def gone(self, **changes: Any) -> Situation:
        return Situation(
            {"namespace_exists": False, "environment": EnvironmentState(), "jobs": (), "shards": {}} | changes,
            dict.fromkeys(("redis", "postgres", "environment", "app", "suite-core-0")),
        )

    def test_a_namespace_that_was_there(self) -> None:
        verdict = self.gone(namespace_seen=True).decide().verdict
        assert verdict is not None
        assert verdict.reason == "EnvironmentDeleted"
        assert "was deleted by somebody else" in verdict.message

    def test_watches_lag_behind_creations(self) -> None:
        situation = self.gone(namespace_seen=False)
        situation.now = T0 + WATCH_LAG_SECONDS
        assert situation.decide().verdict is None
        situation.now += 1
        assert situation.decide().verdict is not None

    def test_a_run_that_has_not_started_has_no_namespace(self) -> None:
        situation = self.gone(namespace_seen=False, applied=frozenset())
        situation.past = Past()
        decision = situation.decide()
        assert decision.verdict is None
        assert decision.steps == (*FOUNDATION, "services", "environment", "suite:core")


class TestServices:
    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (ended("redis", 1), "(Error, exit code 1)"),
            (ended("redis", 0), "(Completed, exit code 0)"),
            (ended("redis", 139, " "), "( , exit code 139)"),
        ],
    )
    def test_a_container_that_ended(self, status: Any, said: str) -> None:
        verdict = Situation(pods={"redis": pod("service", "redis", status)}).decide().verdict
        assert verdict is not None
        assert verdict.message == f"service redis died {said}"

    def test_failures_wait_for_news_of_a_service_that_is_gone(self) -> None:
        """The suite's records are there before the kubelet has told how redis died."""
        lost = done("core", failed("a"), Unreachable("redis", "Connection refused"))
        shards = shards_of(lost, done("slow"))
        pods = {"suite-core-0": suite_pod("core"), "suite-slow-0": suite_pod("slow")}
        assert Situation({"shards": shards}, dict(pods)).decide().verdict is None
        dead = pod("service", "redis", ended("redis", 137, "OOMKilled"))
        verdict = Situation({"shards": shards}, {**pods, "redis": dead}).decide().verdict
        assert verdict is not None
        assert verdict.message == "service redis died (OOMKilled, exit code 137)"

    def test_failures_beside_a_service_that_lives_and_answers_nobody(self) -> None:
        lost = done("core", failed("a"), Unreachable("redis", "Connection refused"))
        over = {"suite-core-0": over_pod("core"), "suite-slow-0": over_pod("slow")}
        verdict = Situation({"shards": shards_of(lost, done("slow"))}, {**over}).decide().verdict
        assert verdict is not None
        assert (verdict.state, verdict.reason) == (State.ERROR, "ServiceFailed")
        assert verdict.message.startswith("service redis accepted no connection when suite core ended (Connection refu")

    def test_what_a_suite_says_of_a_service_that_it_has_not(self) -> None:
        lost = done("core", failed("a"), Unreachable("mongo", "Connection refused"))
        verdict = Situation({"shards": shards_of(lost, done("slow"))}).decide().verdict
        assert verdict is not None
        assert verdict.reason == "TestsFailed"

    def test_a_pod_that_was_evicted(self) -> None:
        verdict = Situation(pods={"redis": pod("service", "redis", phase="Failed", reason="Evicted")}).decide().verdict
        assert verdict is not None
        assert verdict.message == "service redis died (Evicted)"

    def test_a_pod_whose_command_cannot_be_started(self) -> None:
        container = ended("redis", 128, "StartError", message='exec: "redis-server": not found')
        verdict = Situation(pods={"redis": pod("service", "redis", container)}).decide().verdict
        assert verdict is not None
        assert verdict.message == 'service redis cannot start: exec: "redis-server": not found'

    def test_a_pod_that_ended_without_a_word(self) -> None:
        verdict = Situation(pods={"redis": pod("service", "redis", phase="Failed")}).decide().verdict
        assert verdict is not None
        assert verdict.message == "service redis died (ended)"

    def test_a_pod_that_was_deleted(self) -> None:
        verdict = Situation(pods={"redis": None}).decide().verdict
        assert verdict is not None
        assert (verdict.reason, verdict.message) == (
            "ServiceFailed",
            "the pod of service redis was deleted by somebody else",
        )

    def test_a_pod_that_was_deleted_while_nobody_looked(self) -> None:
        """Otherwise a restarted operator would create it again, empty, behind the tests' back."""
        situation = Situation({"environment": EnvironmentState(), "applied": frozenset()}, {"redis": None})
        situation.past = replace(STARTED, ready=frozenset({"redis"}))
        verdict = situation.decide().verdict
        assert verdict is not None
        assert verdict.reason == "ServiceFailed"

    def test_a_pod_that_is_not_there_yet(self) -> None:
        assert Situation({"environment": CLOSED}, {"redis": None, "app": None}).decide().verdict is None


class TestEnvironmentPod:
    def test_deleted(self) -> None:
        verdict = Situation(pods={"environment": None}).decide().verdict
        assert verdict is not None
        assert (verdict.reason, verdict.message) == (
            "EnvironmentFailed",
            "the environment pod was deleted by somebody else",
        )

    def test_deleted_before_the_gate_was_open(self) -> None:
        assert Situation({"environment": CLOSED}, {"environment": None}).decide().verdict is not None

    def test_not_there_yet(self) -> None:
        assert Situation({"environment": EnvironmentState()}, {"environment": None}).decide().verdict is None

    def test_without_its_container(self) -> None:
        verdict = Situation(pods={"environment": pod("environment", "environment", phase="Failed")}).decide().verdict
        assert verdict is not None
        assert "exit code None" in verdict.message

    def test_a_failure_of_nobody_in_particular(self) -> None:
        state = EnvironmentState(started_at=T0, failed_reason="EnvironmentFailed", failed_message="boom")
        verdict = Situation({"environment": state}).decide().verdict
        assert verdict == Judgement(State.ERROR, "EnvironmentFailed", "boom")

    def test_a_suite_of_the_culprits_name_is_not_the_culprit(self) -> None:
        plan = plan_of({"services": {"redis": {}}, "suites": [suite_spec("redis")]})
        state = EnvironmentState(failed_reason="ServiceNotReady", failed_message="no PONG", failed_name="redis")
        pods = (suite_pod("redis", created_at=T0 - 9),)
        tails = {"suite-redis-0": "the suite's", "redis": "the server's"}
        snapshot = snapshot_of(plan, environment=state, pods=pods, tails=tails)
        snapshot = replace(snapshot, pods=tuple(sorted(snapshot.pods, key=lambda item: item.created_at)))
        verdict = decide(plan, snapshot, STARTED, Orders(), T0).verdict
        assert verdict is not None
        assert verdict.message == "no PONG; its log ends with: the server's"


class TestApplications:
    def test_a_restart_is_a_finding(self) -> None:
        verdict = Situation(pods={"app": pod("application", "app", running("app", restarts=1))}).decide().verdict
        assert verdict is not None
        assert verdict.message == "application app stopped (ended)"

    def test_a_crash_loop(self) -> None:
        status = waiting("app", "CrashLoopBackOff", restartCount=3)
        status["lastState"] = {"terminated": {"exitCode": 3, "reason": "Error"}}
        verdict = Situation(pods={"app": pod("application", "app", status)}).decide().verdict
        assert verdict is not None
        assert verdict.message == "application app stopped (Error, exit code 3)"

    def test_a_pod_that_is_being_deleted_may_end(self) -> None:
        situation = Situation(pods={"app": pod("application", "app", ended("app", 0), deleted=True)})
        assert situation.decide().verdict is None

    def test_a_pod_without_containers_yet(self) -> None:
        assert Situation(pods={"app": pod("application", "app", phase="Pending")}).decide().verdict is None

    @pytest.mark.parametrize("name", ["suite-core", "app2-5f6b8c7d9", "app-2-5f6b8c7d9", "ap-5f6b8c7d9", "app"])
    def test_refusals_of_others_are_not_its_own(self, name: str) -> None:
        assert Situation({"events": {name: "quota"}}, {"app": None}).decide().verdict is None

    def test_a_suites_job_is_not_the_application_suite(self) -> None:
        plan = plan_of({"applications": [{"name": "suite", "image": "x"}], "suites": [suite_spec("core")]})
        snapshot = snapshot_of(plan, events={"suite-core": "quota"})
        snapshot = replace(snapshot, pods=(environment_pod(),))
        assert decide(plan, snapshot, STARTED, Orders(), T0 + 20).verdict is None

    def test_one_that_runs_is_not_refused(self) -> None:
        assert Situation({"events": {"app-5f6b8c7d9": "quota"}}).decide().verdict is None


class TestStuckPods:
    @pytest.mark.parametrize(
        ("reason", "seconds", "expected"),
        [
            ("InvalidImageName", 0, "InvalidImage"),
            ("ErrImageNeverPull", 0, "InvalidImage"),
            ("ErrImagePull", 45, None),
            ("ErrImagePull", 46, "ImagePullFailed"),
            ("ImagePullBackOff", 46, "ImagePullFailed"),
            ("CreateContainerConfigError", 5, None),
            ("CreateContainerConfigError", 6, "ContainerRefused"),
            ("RunContainerError", 6, "ContainerRefused"),
            ("ContainerCreating", 9999, None),
            ("PodInitializing", 9999, None),
        ],
    )
    @pytest.mark.parametrize("component", ["service", "environment", "application"])
    def test_of_the_environment(self, component: str, reason: str, seconds: float, expected: str | None) -> None:
        name = {"service": "redis", "environment": "environment", "application": "app"}[component]
        stuck = pod(component, name, waiting(name, reason, "as I said"), phase="Pending", created_at=T0)
        situation = Situation({"environment": CLOSED}, {name: stuck}, now=T0 + seconds)
        situation.past = Past(started_at=T0 + seconds)
        verdict = situation.decide().verdict
        assert (verdict.reason if verdict else None) == expected
        if verdict:
            assert verdict.message.startswith(f"{component} {name}: pod {name}, image '{name}:1': as I said")

    def test_patience_is_the_operators(self) -> None:
        stuck = pod("service", "redis", waiting("redis", "ErrImagePull"), phase="Pending", created_at=T0)
        situation = Situation({"environment": CLOSED}, {"redis": stuck}, orders=Orders(image_pull_seconds=5))
        verdict = situation.decide().verdict
        assert verdict is not None
        assert verdict.message == "service redis: pod redis, image 'redis:1': ErrImagePull (tried for 20 s)"

    @pytest.mark.parametrize(
        ("container", "reason", "expected"),
        [
            ("suite", "InvalidImageName", "InvalidImage"),
            ("relay", "ImagePullBackOff", "ImagePullFailed"),
            ("suite", "CreateContainerError", "ContainerRefused"),
        ],
    )
    def test_of_a_suite(self, container: str, reason: str, expected: str) -> None:
        stuck = pod("suite", "core", waiting(container, reason, "no"), shard=0, phase="Pending", created_at=T0)
        decision = Situation({"shards": {}}, {"suite-core-0": stuck}, now=T0 + 60).decide()
        assert decision.suites["core"].judgement.reason == expected
        assert decision.verdict is None  # the other suite may still run
        assert decision.steps == (suite_step("slow"),)

    def test_of_a_suite_that_has_ended(self) -> None:
        """What the relay's container waits for does not matter any more."""
        stuck = pod(
            "suite", "core", ended("suite", 0), waiting("relay", "CreateContainerError"), shard=0, created_at=T0
        )
        decision = Situation({"shards": shards_of(done("core"))}, {"suite-core-0": stuck}).decide()
        assert decision.suites["core"].judgement.state is State.PASSED


TOLD_BY_THE_GATE = (*opening()[:1], end(None, reason="EnvironmentFailed", message="no app"))


class TestWhatTheGateSaid:
    """Suites that were told so may end before the environment pod's log says what it was that failed."""

    def decision(self, environment: EnvironmentState, **pods: PodView) -> Decision:
        shards = shards_of(evidence_of(TOLD_BY_THE_GATE, "core"), evidence_of(TOLD_BY_THE_GATE, "slow"))
        by_name = {pod.name: pod for pod in (over_pod("core"), over_pod("slow"), *pods.values())}
        return Situation({"shards": shards, "environment": environment}, dict(by_name)).decide()

    def verdict(self, environment: EnvironmentState, **pods: PodView) -> Judgement | None:
        return self.decision(environment, **pods).verdict

    def test_the_environment_has_said_it(self) -> None:
        said = replace(CLOSED, failed_reason="ApplicationNotReady", failed_message="404")
        verdict = self.verdict(said)
        assert verdict is not None
        assert verdict.reason == "ApplicationNotReady"

    def test_the_suites_have_no_reason_of_their_own(self) -> None:
        """Theirs would depend on whether their records came before the verdict."""
        said = replace(CLOSED, failed_reason="ApplicationNotReady", failed_message="404")
        cut = Judgement(State.ERROR, "ApplicationNotReady", "the run ended before it did")
        suites = self.decision(said).suites
        assert [suite.judgement for suite in suites.values()] == [cut, cut]
        assert [suite.shards for suite in suites.values()] == [(cut,), (cut,)]

    def test_the_environment_is_about_to_say_it(self) -> None:
        assert self.verdict(CLOSED, core=suite_pod("core")) is None

    def test_the_suites_are_over_before_the_environment_has_said_it(self) -> None:
        assert self.verdict(CLOSED) is None

    def test_the_environment_will_not_say_it_any_more(self) -> None:
        dead = pod("environment", "environment", ended("environment", 1), phase="Failed")
        verdict = self.verdict(CLOSED, dead=dead)
        assert verdict is not None
        assert verdict.reason == "EnvironmentFailed"


class TestTimeouts:
    @pytest.mark.parametrize(
        ("pod_started", "seconds", "over"),
        [
            (None, 119.9, False),
            (None, 120, True),
            (T0 + 1, 121.9, False),  # the environment pod counts from its own start
            (T0 + 1, 122, True),
            (T0 + 60, 125, True),  # but not for ever
        ],
    )
    def test_of_the_environment(self, pod_started: float | None, seconds: float, over: bool) -> None:  # noqa: FBT001
        situation = Situation({"environment": EnvironmentState(started_at=pod_started)}, now=T0 + seconds)
        assert (situation.decide().verdict is not None) == over

    def test_of_a_suite_that_no_node_has_room_for(self) -> None:
        homeless = pod("suite", "core", shard=0, created_at=T0, phase="Pending", unschedulable="Insufficient memory")
        situation = Situation({"shards": {}}, pods={"suite-core-0": homeless}, now=T0 + 119)
        assert situation.decide().suites["core"].judgement.state is State.WAITING
        assert situation.decide().wake_at == T0 + 120
        judgement = replace(situation, now=T0 + 120).decide().suites["core"].judgement
        assert judgement.reason == "Unschedulable"
        assert judgement.message == "pod suite-core-0 cannot be scheduled for 120 s: Insufficient memory"

    @pytest.mark.parametrize(("seconds", "over"), [(599.9, False), (600, True)])
    def test_of_the_run(self, seconds: float, over: bool) -> None:  # noqa: FBT001
        assert (Situation(now=T0 + seconds).decide().verdict is not None) == over

    def test_an_environment_that_was_open_stays_so_though_its_log_is_gone(self) -> None:
        past = replace(STARTED, environment_ready=True)
        situation = Situation({"environment": EnvironmentState()}, past=past, now=T0 + 300)
        assert situation.decide().verdict is None
        assert situation.decide().wake_at == T0 + 600

    def test_an_environment_that_was_open_is_not_created_again(self) -> None:
        past = replace(STARTED, environment_ready=True)
        decision = Situation({"applied": frozenset(), "environment": EnvironmentState()}, past=past).decide()
        assert (decision.verdict, decision.steps) == (None, ())

    def test_a_run_that_waits_for_its_turn_has_no_deadline(self) -> None:
        plan = plan_of(SPEC)
        snapshot = replace(
            snapshot_of(plan, has_slot=False, environment=EnvironmentState()), pods=(), namespace_exists=False
        )
        assert decide(plan, snapshot, Past(), Orders(), T0 + 99_999).verdict is None

    def culprit(self, more: dict[str, Any], **pods: PodView | None) -> str:
        verdict = Situation({"environment": CLOSED} | more, pods, now=T0 + 122).decide().verdict
        assert verdict is not None
        return verdict.message.removeprefix("the environment is not ready after 120 s: ")

    def ready(self, *names: str) -> EnvironmentState:
        kinds = {"app": "applications"}
        known: dict[str, dict[str, ComponentState]] = {"services": {}, "applications": {}}
        for name in names:
            known[kinds.get(name, "services")][name] = ComponentState(1.0, seeded=True)
        return EnvironmentState(started_at=T0, **known)

    def test_in_the_culprits_own_words(self) -> None:
        state = EnvironmentState(started_at=T0, services={"redis": ComponentState(message="connection refused")})
        said = self.culprit({"environment": state, "tails": {"redis": "# bind: in use"}})
        assert said == "service redis is not ready: connection refused; its log ends with: # bind: in use"

    def test_whose_pod_waits(self) -> None:
        stuck = pod(
            "service",
            "postgres",
            waiting("postgres", "ErrImagePull", "no such host"),
            phase="Pending",
            created_at=T0 + 119,
        )
        said = self.culprit({"environment": self.ready("redis")}, postgres=stuck)
        assert said == "service postgres is not ready: pod postgres: ErrImagePull no such host"

    def test_whose_pod_is_there(self) -> None:
        assert (
            self.culprit({"environment": self.ready("redis", "postgres")})
            == "application app is not ready: pod app is Running"
        )

    def test_whose_pod_has_no_phase(self) -> None:
        said = self.culprit({"environment": self.ready("redis", "postgres")}, app=pod("application", "app", phase=""))
        assert said == "application app is not ready: pod app is unknown"

    def test_who_has_no_pod(self) -> None:
        said = self.culprit({"environment": self.ready("redis", "postgres")}, app=None)
        assert said == "application app is not ready: it has no pod"

    @pytest.mark.parametrize("gave_up", [True, False])
    def test_a_pod_that_cannot_be_scheduled_comes_first(self, gave_up: bool) -> None:  # noqa: FBT001
        """Whether or not the environment pod, which cannot know why, has given up before."""
        homeless = pod("application", "app", phase="Pending", unschedulable="too much memory", created_at=T0 + 2)
        closed = CLOSED
        if gave_up:
            closed = replace(CLOSED, failed_reason="ApplicationNotReady", failed_name="app", failed_message="no name")
        verdict = Situation({"environment": closed}, {"app": homeless}, now=T0 + 122).decide().verdict
        assert verdict is not None
        assert verdict.reason == "Unschedulable"
        assert verdict.message == "application app: pod app cannot be scheduled for 120 s: too much memory"

    def test_nobody_but_the_gate(self) -> None:
        said = self.culprit({"environment": self.ready("redis", "postgres", "app")})
        assert said == "the environment pod has not opened the gate"


# --- Suites -------------------------------------------------------------------------------------------------


class TestSuites:
    def test_a_job_that_is_refused(self) -> None:
        refused = {"suite:core": ("Refused", "Job suite-core: too long")}
        decision = Situation({"refused": refused, "jobs": (), "shards": {}}, {"suite-core-0": None}).decide()
        assert decision.suites["core"].judgement == Judgement(State.ERROR, "Refused", "Job suite-core: too long")
        assert decision.steps == (suite_step("slow"),)

    @pytest.mark.parametrize("was", [State.WAITING, State.RUNNING])
    def test_a_job_that_was_deleted(self, was: State) -> None:
        past = replace(STARTED, suites={"core": SuiteDecision(Judgement(was))})
        situation = Situation({"jobs": ()}, {"suite-core-0": None}, past)
        assert situation.decide().suites["core"].judgement.reason == "JobDeleted"

    def test_a_job_that_was_deleted_after_its_end_was_read(self) -> None:
        past = replace(STARTED, suites={"core": SuiteDecision(Judgement(State.RUNNING))})
        situation = Situation({"jobs": (), "shards": shards_of(done("core"))}, {"suite-core-0": None}, past)
        assert situation.decide().suites["core"].judgement.state is State.PASSED

    def test_a_pod_that_was_deleted(self) -> None:
        shards = shards_of(evidence_of([*opening(), collected(3), passed("a")], drained=False))
        judgement = Situation({"shards": shards}, {"suite-core-0": None}).decide().suites["core"].judgement
        assert judgement.reason == "PodDeleted"
        assert judgement.message == "the pod of shard 0 is gone: 1 of 3 collected tests have an outcome"

    def test_a_pod_that_is_not_there_yet(self) -> None:
        situation = Situation({"shards": {}, "jobs": (job("core", created_at=T0 + 19),)}, {"suite-core-0": None})
        assert situation.decide().suites["core"].judgement.state is State.PENDING

    def no_pods(self, now: float = T0 + 3, **more: Any) -> Judgement:
        events = {"suite-core": "pods is forbidden: exceeded quota: run"}
        situation = Situation({"shards": {}, "events": events} | more, {"suite-core-0": None}, now=now)
        return situation.decide().suites["core"].judgement

    def test_no_pod_can_be_created(self) -> None:
        assert self.no_pods() == Judgement(
            State.ERROR,
            "PodRefused",
            "no pod could be created for suite core: pods is forbidden: exceeded quota: run",
        )

    def test_a_controller_needs_a_moment(self) -> None:
        assert self.no_pods(T0 + 2.9).state is State.PENDING
        assert self.no_pods(events={}).state is State.PENDING

    def test_a_quota_that_another_suite_uses_up_is_waited_for(self) -> None:
        assert self.no_pods(pods=(suite_pod("slow"),)).state is State.PENDING
        assert self.no_pods(pods=(over_pod("slow"),)).state is State.ERROR
        refused = {"suite-core": "violates PodSecurity"}
        assert self.no_pods(pods=(suite_pod("slow"),), events=refused).state is State.ERROR

    def test_the_jobs_deadline(self) -> None:
        over = (job("core", failed="DeadlineExceeded"),)
        gone = Situation({"jobs": over}, {"suite-core-0": None}).decide().suites["core"].judgement
        assert gone.reason == "SuiteTimeout"
        assert gone.message.startswith("suite core was stopped by its Job's deadline: 0 of 0")
        stays = Situation(
            {"jobs": over, "shards": shards_of(evidence_of([collected(2)]))}, {"suite-core-0": over_pod(code=143)}
        )
        assert stays.decide().suites["core"].judgement.reason == "SuiteTimeout"
        read = Situation({"jobs": over}, {"suite-core-0": over_pod(code=143)})
        assert read.decide().suites["core"].judgement.state is State.RUNNING  # its log has not been read to its end
        told = Situation({"jobs": over, "shards": shards_of(done("core"))}, {"suite-core-0": None})
        assert told.decide().suites["core"].judgement.state is State.PASSED

    @pytest.mark.parametrize(("created", "over"), [(T0, T0 + 63), (T0 + 30, T0 + 90)])
    def test_the_timeout_of_a_suite_that_is_not_pytest(self, created: float, over: float) -> None:
        """It has no supervisor: the time counts from the open gate, or from the creation of its pod."""
        plan = plan_of({"suites": [suite_spec(image="x", junit={"path": "/a/b/c.xml"}, timeout="1m")]})
        snapshot = snapshot_of(plan, pods=(suite_pod(created_at=created),), jobs=(job(),))
        last = decide(plan, snapshot, STARTED, Orders(), over)
        assert last.suites["core"].judgement.state is State.WAITING
        assert decide(plan, snapshot, STARTED, Orders(), over - 1).wake_at == over
        late = decide(plan, snapshot, STARTED, Orders(), over + 0.1).suites["core"].judgement
        assert late == Judgement(State.ERROR, "SuiteTimeout", "suite core took longer than its timeout of 60 s")
        ended_in_time = replace(snapshot, pods=(environment_pod(), over_pod()))
        read = decide(plan, ended_in_time, STARTED, Orders(), over + 0.1)  # its results are still being read
        assert read.suites["core"].judgement.state is State.WAITING
        closed = replace(snapshot, environment=CLOSED)
        assert decide(plan, closed, STARTED, Orders(), over + 0.1).suites["core"].judgement.state is State.WAITING

    def test_what_a_suite_has_come_to_stays(self) -> None:
        was = SuiteDecision(Judgement(State.FAILED, "TestsFailed", "1 of 2"), (Judgement(State.FAILED),))
        past = replace(STARTED, suites={"core": was})
        decision = Situation({"jobs": (), "shards": {}}, {"suite-core-0": None}, past).decide()
        assert decision.suites["core"] == was

    def test_a_suite_that_runs_does_not_wait_again(self) -> None:
        """A restarted operator reads its log from the start."""
        past = replace(STARTED, suites={"core": SuiteDecision(Judgement(State.RUNNING))})
        assert Situation({"shards": {}}).decide().suites["core"].judgement.state is State.WAITING
        assert Situation({"shards": {}}, past=past).decide().suites["core"].judgement.state is State.RUNNING

    def test_a_shard_that_cannot_start_ends_the_suite_unless_another_runs(self) -> None:
        plan = plan_of({"suites": [suite_spec("core", shards=2)]})
        stuck = pod("suite", "core", waiting("suite", "InvalidImageName"), shard=1, phase="Pending")

        def judged(other: PodView, *shards: ShardEvidence) -> SuiteDecision:
            snapshot = snapshot_of(plan, pods=(other, stuck), jobs=(job("core"),), shards=shards_of(*shards))
            return decide(plan, snapshot, STARTED, Orders(), T0 + 9).suites["core"]

        assert judged(suite_pod("core", 0)).judgement.reason == "InvalidImage"
        started = judged(suite_pod("core", 0), evidence_of(opening()))
        assert started.judgement.state is State.RUNNING
        assert [shard.state for shard in started.shards] == [State.RUNNING, State.ERROR]
        over = judged(over_pod("core", 0), evidence_of(whole(passed("a"), total=2)))
        assert over.judgement.reason == "InvalidImage"
        assert over.judgement.message.startswith("shard 1: ")

    def test_a_second_pod_of_a_shard_is_not_looked_at(self) -> None:
        pods = {"suite-core-0": suite_pod(), "second": replace(over_pod(code=1), name="second", created_at=T0 + 5)}
        assert Situation(pods=pods).decide().suites["core"].judgement.state is State.RUNNING

    @pytest.mark.parametrize("reason", ["Cancelled", "Timeout"])
    def test_what_has_not_ended_with_the_run_was_cut_off(self, reason: str) -> None:
        orders = Orders(cancel=reason == "Cancelled")
        shards = shards_of(done("core", failed("a")))
        decision = Situation({"shards": shards}, orders=orders, now=T0 + 600).decide()
        state = State.CANCELLED if reason == "Cancelled" else State.ERROR
        assert decision.suites["core"].judgement.state is State.FAILED
        assert decision.suites["slow"].judgement == Judgement(state, reason, "the run ended before it did")
        assert decision.suites["slow"].shards == (Judgement(state, reason, "the run ended before it did"),)


# --- What to start ------------------------------------------------------------------------------------------


def three(parallelism: int, **more: Any) -> tuple[str, ...]:
    """The suites that are started next, of a, b and c."""
    plan = plan_of({"suites": [suite_spec(name) for name in "abc"], "parallelism": parallelism})
    past = more.pop("past", STARTED)
    orders = more.pop("orders", Orders())
    applied = frozenset({*FOUNDATION, "services", "environment"}) | more.pop("applied", frozenset())
    steps = decide(plan, snapshot_of(plan, applied=applied, **more), past, orders, T0 + 1).steps
    assert all(step.startswith("suite:") for step in steps)
    return tuple(step.removeprefix("suite:") for step in steps)


class TestSuitesToStart:
    @pytest.mark.parametrize(("parallelism", "started"), [(1, ("a",)), (2, ("a", "b")), (16, ("a", "b", "c"))])
    def test_as_many_as_may_run_at_a_time(self, parallelism: int, started: tuple[str, ...]) -> None:
        assert three(parallelism) == started

    def test_the_next_one_when_one_has_ended(self) -> None:
        running_a: dict[str, Any] = {"pods": (suite_pod("a"),), "jobs": (job("a"),)}
        assert three(1, **running_a) == ()
        assert three(1, **running_a, shards=shards_of(evidence_of(opening(), "a", drained=False))) == ()
        assert three(1, **running_a, shards=shards_of(done("a"))) == ("b",)
        assert three(2, **running_a) == ("b",)

    def test_a_failed_suite_does_not_hold_up_the_others(self) -> None:
        crashed = evidence_of([*opening(), end(None, signal="SIGSEGV")], "a")
        assert three(1, pods=(suite_pod("a"),), jobs=(job("a"),), shards=shards_of(crashed)) == ("b",)

    @pytest.mark.parametrize(
        "sign",
        [
            {"applied": frozenset({"suite:a"})},
            {"jobs": (job("a", created_at=T0 + 1),)},
            {"shards": shards_of(evidence_of([], "a", pod_uid="", drained=False))},
            {"past": replace(STARTED, suites={"a": SuiteDecision(Judgement(State.PASSED))})},
        ],
        ids=lambda sign: next(iter(sign)),
    )
    def test_nothing_is_started_twice(self, sign: dict[str, Any]) -> None:
        """Whichever sign is left of a suite after a restart."""
        assert "a" not in three(16, **sign)

    def test_a_suite_that_was_pending_can_be_started(self) -> None:
        past = replace(STARTED, suites={"a": SuiteDecision(Judgement(State.PENDING))})
        assert three(1, past=past) == ("a",)

    def test_a_suite_that_is_refused_is_not_tried_again(self) -> None:
        assert three(1, refused={"suite:a": ("Refused", "no")}) == ("b",)

    def test_not_while_suspended(self) -> None:
        assert three(16, orders=Orders(suspend=True)) == ()


class TestSteps:
    def steps(self, **more: Any) -> tuple[str, ...]:
        pods: Any = more.pop("without", ())
        situation = Situation(more, dict.fromkeys(pods))
        return situation.decide().steps

    def test_everything_at_once(self) -> None:
        nothing = ("redis", "postgres", "environment", "app", "suite-core-0")
        steps = self.steps(
            without=nothing,
            environment=EnvironmentState(),
            applied=frozenset(),
            jobs=(),
            shards={},
            namespace_exists=False,
            namespace_seen=False,
        )
        assert steps == (*FOUNDATION, "services", "environment", "suite:core")

    def test_only_what_is_not_done(self) -> None:
        assert self.steps(applied=frozenset({"namespace", "copies", "applications"})) == (
            "isolation",
            "connection",
            "services",
            "environment",
        )

    def test_applications_when_the_services_are_seeded(self) -> None:
        applied = ALL_STEPS - {"applications"}
        assert self.steps(environment=CLOSED, applied=applied, without=["app"]) == ()
        seeded = replace(CLOSED, services_ready=True)
        assert self.steps(environment=seeded, applied=applied, without=["app"]) == ("applications",)

    def test_no_applications_where_there_are_none(self) -> None:
        plan = plan_of()
        assert "applications" not in decide(plan, snapshot_of(plan), STARTED, Orders(), T0).steps

    def test_a_restarted_operator_repeats_all_but_the_suites(self) -> None:
        """Each step can be repeated; which ones were done is not known any more."""
        past = replace(STARTED, suites={"core": SuiteDecision(Judgement(State.RUNNING))})
        decision = Situation({"applied": frozenset()}, past=past).decide()
        assert decision.steps == (*FOUNDATION, "services", "environment", "applications")


class TestHeld:
    def unstarted(self, **more: Any) -> Decision:
        orders = more.pop("orders", Orders())
        past = more.pop("past", Past())
        snapshot = snapshot_of(
            PLAN, **({"namespace_exists": False, "namespace_seen": False, "environment": EnvironmentState()} | more)
        )
        return decide(PLAN, replace(snapshot, pods=()), past, orders, T0)

    def test_suspended(self) -> None:
        decision = self.unstarted(orders=Orders(suspend=True), has_slot=False)
        assert decision.held is not None
        assert decision.held.reason == "Suspended"
        assert "set it to false" in decision.held.message
        assert decision.steps == ()
        assert decision.suites["core"].judgement.state is State.PENDING

    def test_queued(self) -> None:
        decision = self.unstarted(has_slot=False)
        assert decision.held is not None
        assert decision.held.reason == "Queued"
        assert decision.wake_at is None

    @pytest.mark.parametrize("begun", [{"past": STARTED}, {"namespace_exists": True}])
    def test_not_once_it_has_begun(self, begun: dict[str, Any]) -> None:
        decision = self.unstarted(orders=Orders(suspend=True), has_slot=False, **begun)
        assert decision.held is None
        assert decision.steps == (*FOUNDATION, "services", "environment")  # but no suite

    def test_cancelled_while_held(self) -> None:
        decision = self.unstarted(orders=Orders(suspend=True, cancel=True), has_slot=False)
        assert decision.verdict is not None
        assert decision.verdict.state is State.CANCELLED


class TestWakeAt:
    def wake_at(self, pods: dict[str, PodView | None] | None = None, now: float = T0 + 20, **more: Any) -> float | None:
        return Situation(more, pods or {}, now=now).decide().wake_at

    def test_the_deadlines(self) -> None:
        assert self.wake_at() == T0 + 600
        assert self.wake_at(environment=CLOSED) == T0 + 122
        assert self.wake_at(environment=EnvironmentState()) == T0 + 120

    @pytest.mark.parametrize(("reason", "seconds"), [("ErrImagePull", 45.1), ("CreateContainerConfigError", 5.1)])
    def test_patience_with_a_pod(self, reason: str, seconds: float) -> None:
        stuck = pod("service", "redis", waiting("redis", reason), phase="Pending", created_at=T0 + 19)
        assert self.wake_at({"redis": stuck}, environment=CLOSED) == T0 + 19 + seconds

    def test_a_job_without_pods(self) -> None:
        fresh: dict[str, Any] = {"shards": {}, "jobs": (job("core", created_at=T0 + 19),)}
        assert self.wake_at({"suite-core-0": None}, **fresh) == T0 + 22
        assert self.wake_at({"suite-core-0": None}, T0 + 30, **fresh) == T0 + 31

    def test_never_in_the_past(self) -> None:
        wake_at = self.wake_at({"redis": pod("service", "redis", waiting("redis", "ErrImagePull"), created_at=T0 + 19)})
        assert wake_at is not None
        assert wake_at > T0 + 20


# --- After the verdict --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passed_", "seconds", "clean_up", "wake_at"),
    [
        (True, 0, False, T0 + 160),
        (True, 59.9, False, T0 + 160),
        (True, 60, True, None),
        (False, 60, False, T0 + 1900),
        (False, 1800, True, None),
    ],
)
def test_the_environment_is_kept_as_long_as_was_asked_for(
    *, passed_: bool, seconds: float, clean_up: bool, wake_at: float | None
) -> None:
    past = Past(started_at=T0, finished_at=T0 + 100, passed=passed_)
    decision = decide(PLAN, snapshot_of(PLAN), past, Orders(), T0 + 100 + seconds)
    assert decision == Decision(clean_up=clean_up, wake_at=wake_at)


def test_no_verdict_is_ever_undone() -> None:
    past = Past(started_at=T0, finished_at=T0 + 100, passed=True)
    for situation in (item[1] for item in ENDS):
        decision = decide(PLAN, situation.snapshot(), past, Orders(cancel=True), T0 + 100)
        assert (decision.verdict, decision.steps, decision.held) == (None, (), None)


def test_nothing_is_left_to_do_once_it_is_clean() -> None:
    past = Past(started_at=T0, finished_at=T0 + 100, cleaned=True)
    assert decide(PLAN, snapshot_of(PLAN), past, Orders(), T0 + 99_999) == Decision()


def test_the_healthy_snapshot_is_healthy() -> None:
    assert service_pod("redis").ready
