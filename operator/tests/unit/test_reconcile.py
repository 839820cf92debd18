"""Whole runs, from the first pass to the last, in every way they can go."""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from seatrial import cleanup, follow, logs, reconcile, report
from seatrial.cluster import Cluster
from seatrial.credentials import redact
from seatrial.errors import AlreadyExistsError, ForbiddenError, InvalidError, UnavailableError
from seatrial.inquire import is_culprit
from seatrial.kube import KubernetesCluster
from seatrial.naming import FINALIZER, RunId
from seatrial.reconcile import Run, acknowledge
from seatrial.records import CollectError, End
from seatrial.status import timestamp
from tests.builders import (
    NAMESPACE,
    RUN,
    SETTINGS,
    T0,
    collected,
    end,
    ended,
    event_line,
    failed,
    finish,
    opening,
    passed,
    plan_of,
    pod,
    pod_object,
    run_spec,
    running,
    service_pod,
    snapshot_of,
    suite_spec,
    waiting,
    whole,
)
from tests.fake_cluster import FakeCluster, Killed, Write
from tests.simulation import Clock, Simulation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

Object = dict[str, Any]

SPEC = {
    "services": {"redis": {}, "postgres": {}},
    "applications": [{"name": "app", "image": "app:1"}],
    "suites": [suite_spec("core", shards=2), suite_spec("slow")],
    "retention": {"onFailure": "30m"},
}
SHARED = {
    ("core", 0): whole(passed("a"), passed("b"), total=3),
    ("core", 1): whole(passed("c"), total=3),
    ("slow", 0): whole(passed("d"), failed("e", final=False), passed("e", attempt=2)),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still, and no pauses between attempts."""
    clock = Clock()
    monkeypatch.setattr(reconcile, "time", clock)
    monkeypatch.setattr(report, "time", clock)
    monkeypatch.setattr(reconcile, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(cleanup, "GONE_SECONDS", 0.001)
    monkeypatch.setattr(follow, "AGAIN_SECONDS", 0.001)
    return clock


@pytest.fixture
async def sim(clock: Clock) -> AsyncIterator[Simulation]:
    simulation = Simulation(clock)
    simulation.node.records |= SHARED
    yield simulation
    await simulation.stop()


def creations(cluster: FakeCluster, kind: str) -> dict[str, int]:
    return {key[2]: times for key, times in cluster.created.items() if key[0] == kind}


def phases(cluster: FakeCluster) -> list[str]:
    """The phases that a run went through; whether somebody saw it Collecting is a matter of microseconds."""
    seen = [status["phase"] for status in cluster.statuses if status["phase"] != "Collecting"]
    return [phase for phase, _ in itertools.groupby(seen)]


def written(cluster: FakeCluster, *verbs: str) -> list[str]:
    return [str(write) for write in cluster.writes if write.verb in verbs]


# --- From Pending to the end --------------------------------------------------------------------------------


class TestPassed:
    async def test_from_the_first_pass_to_the_last(self, sim: Simulation) -> None:
        sim.start(sim.add(SPEC))
        status = await sim.until_over()
        assert (status["phase"], status["reason"], status["passed"]) == ("Passed", "AllTestsPassed", "5/5")
        assert status["summary"]["flaky"] == 1
        assert status["environment"] == "3/3"
        assert status["namespace"] == NAMESPACE
        assert [suite["state"] for suite in status["suites"]] == ["Passed", "Passed"]
        assert [part["passed"] for part in status["suites"][0]["shards"]] == [2, 1]
        assert sim.condition("EnvironmentCleaned")["reason"] == "Deleted"
        assert sim.cluster.of_kind("Namespace") == []
        assert phases(sim.cluster) == ["Provisioning", "Running", "Passed"]
        assert [reason for reason, _ in sim.cluster.events] == ["Accepted", "EnvironmentReady", "AllTestsPassed"]

    async def test_everything_is_created_once(self, sim: Simulation) -> None:
        sim.start(sim.add(SPEC))
        await sim.until_over()
        assert creations(sim.cluster, "Job") == {"suite-core": 1, "suite-slow": 1}
        assert creations(sim.cluster, "Deployment") == {"app": 1}
        assert creations(sim.cluster, "Pod") == {"redis": 1, "postgres": 1, "environment": 1}
        assert set(sim.cluster.created.values()) == {1}
        assert len(written(sim.cluster, "create")) == len(set(written(sim.cluster, "create")))

    async def test_nothing_runs_before_it_is_fenced_in(self, sim: Simulation) -> None:
        sim.start(sim.add(SPEC))
        await sim.until_over()
        order = [write.what for write in sim.cluster.writes]
        assert order[:2] == [f"status of {RUN}", f"Namespace {NAMESPACE}"]
        first_pod = min(order.index(what) for what in ("Pod redis", "Pod environment", "Job suite-core"))
        for what in ("ResourceQuota run", "LimitRange run", "NetworkPolicy default-deny", "Secret connection"):
            assert order.index(what) < first_pod
        assert order.index("Deployment app") > order.index("Pod environment")

    async def test_the_record_is_complete_before_the_verdict(self, sim: Simulation) -> None:
        sim.start(sim.add(SPEC))
        await sim.until_over()
        last_slice = max(n for n, write in enumerate(sim.cluster.writes) if "TestResultSlice" in write.what)
        verdict = next(n for n, status in enumerate(sim.cluster.statuses) if status["phase"] == "Passed")
        patches = [n for n, write in enumerate(sim.cluster.writes) if write.verb == "patch"]
        assert last_slice < patches[verdict]
        tests = [test["id"] for item in sim.cluster.of_kind("TestResultSlice") for test in item["spec"]["tests"]]
        assert sorted(tests) == ["a", "b", "c", "d", "e", "e"]

    async def test_the_verdict_does_not_wait_for_the_clean_up(self, sim: Simulation) -> None:
        sim.cluster.stuck.add(NAMESPACE)
        sim.start(sim.add(SPEC))
        status = await sim.until("Passed")
        assert status["timings"]["finished"]
        assert sim.condition("EnvironmentCleaned")["status"] == "False"

    async def test_suites_run_one_after_the_other(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(SPEC))
        await sim.until("Running")
        assert creations(sim.cluster, "Job") == {"suite-core": 1}
        sim.node.tell("core", 99)
        await sim.until_over()
        assert creations(sim.cluster, "Job") == {"suite-core": 1, "suite-slow": 1}

    async def test_or_as_many_at_a_time_as_was_asked_for(self, sim: Simulation) -> None:
        sim.node.told |= {("core", 0): 3, ("slow", 0): 2}
        sim.start(sim.add(SPEC | {"parallelism": 2}))
        await sim.until("Running")
        assert creations(sim.cluster, "Job") == {"suite-core": 1, "suite-slow": 1}

    async def test_no_secret_is_ever_told(self, sim: Simulation) -> None:
        sim.cluster.stuck.add(NAMESPACE)
        sim.start(sim.add(SPEC))
        await sim.until("Passed")
        secret = sim.cluster.objects["Secret", NAMESPACE, "connection"]["stringData"]
        told = repr([sim.cluster.statuses, sim.cluster.events, sim.cluster.of_kind("TestResultSlice")])
        for name in ("REDIS_PASSWORD", "DATABASE_PASSWORD"):
            assert redact(secret[name]).startswith("[redacted ")
            assert secret[name] not in told
            assert secret[name] in secret[name.replace("PASSWORD", "URL")]


class TestFailed:
    async def test_the_environment_is_kept_for_a_look(self, sim: Simulation) -> None:
        sim.node.records["slow", 0] = whole(passed("d"), failed("e", location="t.py:3"), rc=1)
        sim.start(sim.add(SPEC))
        status = await sim.until("Failed")
        assert (status["reason"], status["passed"]) == ("TestsFailed", "4/5")
        assert status["failures"] == [
            {
                "suite": "slow",
                "id": "e",
                "outcome": "failed",
                "message": "assert 1 == 2",
                "location": "t.py:3",
                "attempt": 1,
            }
        ]
        assert sim.condition("Stalled")["status"] == "True"
        assert sim.condition("EnvironmentCleaned")["reason"] == "Retained"
        await sim.cluster.until(lambda: len(sim.cluster.events) == 3)
        sim.advance(1799)
        sim.advance(0)
        assert sim.cluster.namespace(NAMESPACE) is not None
        assert sim.cluster.of_kind("Job")  # everything is as it was
        sim.advance(1)
        status = await sim.until_over()
        assert status["phase"] == "Failed"
        assert sim.condition("EnvironmentCleaned")["reason"] == "Deleted"
        assert sim.cluster.namespace(NAMESPACE) is None

    async def test_retention_may_change_while_it_is_kept(self, sim: Simulation) -> None:
        sim.node.records["slow", 0] = whole(failed("e"), rc=1)
        sim.start(sim.add(SPEC))
        await sim.until("Failed")
        sim.change(RUN, retention={"onFailure": "0s"})
        status = await sim.until_over()
        assert status["observedGeneration"] == 2

    async def test_the_second_suite_runs_though_the_first_has_failed(self, sim: Simulation) -> None:
        sim.node.records["core", 0] = whole(failed("a"), failed("b"), rc=1, total=3)
        sim.start(sim.add(SPEC))
        status = await sim.until("Failed")
        assert [suite["state"] for suite in status["suites"]] == ["Failed", "Passed"]


class TestError:
    async def test_a_suite_that_crashed(self, sim: Simulation) -> None:
        sim.node.records["slow", 0] = [*opening(), collected(2), passed("d"), end(None, signal="SIGSEGV")]
        sim.start(sim.add(SPEC))
        status = await sim.until("Error")
        assert status["reason"] == "SuiteCrashed"
        assert status["summary"]["notRun"] == 1

    async def test_exit_code_0_without_an_end(self, sim: Simulation) -> None:
        sim.node.records["slow", 0] = [*opening(), collected(1), passed("d"), finish(0, 1), end(0)]
        sim.node.told["slow", 0] = 5
        sim.start(sim.add(SPEC))
        await sim.cluster.until(
            lambda: "suite-slow-0" in {item["metadata"]["name"] for item in sim.cluster.of_kind("Pod")}
        )
        await sim.until("Running")
        sim.node.end_pod(NAMESPACE, "suite-slow-0", 0)
        status = await sim.until("Error")
        assert status["reason"] == "Incomplete"
        assert "without an end marker" in status["message"]

    async def test_modules_that_cannot_be_collected(self, sim: Simulation) -> None:
        sim.node.records["slow", 0] = [*opening(), CollectError("test_a.py", "boom"), collected(0), finish(2), end(2)]
        sim.start(sim.add(SPEC))
        assert (await sim.until("Error"))["reason"] == "CollectionError"

    async def test_the_culprits_own_last_words(self, sim: Simulation) -> None:
        sim.node.environment = [
            event_line("started", T0),
            event_line("ready", T0 + 1, kind="service", name="redis", seconds=1),
            event_line(
                "failed", T0 + 9, kind="service", name="postgres", reason="SeedFailed", message="001.sql is wrong"
            ),
        ]
        sim.cluster.tails = {"postgres": 'ERROR: syntax error at or near "CRATE"\n', "redis": "ready"}
        sim.start(sim.add(SPEC))
        status = await sim.until("Error")
        assert status["reason"] == "SeedFailed"
        assert status["message"] == ('001.sql is wrong; its log ends with: ERROR: syntax error at or near "CRATE"')
        assert sim.condition("EnvironmentReady")["status"] == "False"

    async def test_suites_that_still_run_are_stopped_when_the_environment_is_kept(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(SPEC))
        await sim.until("Running")
        redis = sim.cluster.objects["Pod", NAMESPACE, "redis"]
        redis["status"]["containerStatuses"] = [ended("redis", 137, "OOMKilled")]
        sim.cluster.tails["redis"] = "# about to die"
        sim.cluster.touch()
        status = await sim.until("Error")
        assert status["reason"] == "ServiceFailed"
        assert status["message"] == "service redis died (OOMKilled, exit code 137); its log ends with: # about to die"
        await sim.cluster.until(lambda: not sim.cluster.of_kind("Job"))
        assert "redis" in {item["metadata"]["name"] for item in sim.cluster.of_kind("Pod")}
        assert written(sim.cluster, "delete") == [f"delete suites of {NAMESPACE}"]
        assert [suite["state"] for suite in status["suites"]] == ["Error", "Error"]

    async def test_a_namespace_that_somebody_deleted(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(SPEC))
        await sim.until("Running")
        sim.cluster.finalize(NAMESPACE)
        status = await sim.until("Error")
        assert status["reason"] == "EnvironmentDeleted"
        assert creations(sim.cluster, "Namespace") == {NAMESPACE: 1}  # and it is not created again

    async def test_a_pod_that_somebody_deleted(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(SPEC))
        await sim.until("Running")
        del sim.cluster.objects["Pod", NAMESPACE, "postgres"]
        sim.cluster.touch()
        status = await sim.until("Error")
        assert status["message"] == "the pod of service postgres was deleted by somebody else"

    async def test_it_takes_too_long(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(SPEC | {"timeouts": {"total": "10m"}}))
        await sim.until("Running")
        sim.advance(600)
        status = await sim.until("Error")
        assert status["reason"] == "Timeout"

    async def test_the_environment_is_not_ready_in_time(self, sim: Simulation) -> None:
        sim.node.environment = [
            event_line("started", T0),
            event_line("waiting", T0, kind="service", name="redis", message="connection refused"),
        ]
        sim.start(sim.add(SPEC))
        logs = sim.runs[RUN]._logs
        await sim.cluster.until(lambda: "redis" in logs.environment.services)
        sim.advance(302)
        status = await sim.until("Error")
        assert status["reason"] == "ProvisionTimeout"
        assert "service redis is not ready: connection refused" in status["message"]

    async def test_a_controller_that_cannot_create_pods(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(SPEC | {"parallelism": 2, "suites": [suite_spec("core")]}))
        await sim.until("Running")
        sim.cluster.refusals["suite-core"] = 'pods "suite-core-0" is forbidden: violates PodSecurity'
        del sim.cluster.objects["Pod", NAMESPACE, "suite-core-0"]
        sim.cluster.touch()
        status = await sim.until("Error")
        assert status["reason"] in {"PodDeleted", "PodRefused"}

    async def test_pods_that_were_never_created(self, sim: Simulation) -> None:
        sim.node.idle = True
        sim.start(sim.add(run_spec()))
        await sim.cluster.until(lambda: bool(sim.cluster.of_kind("Job")))
        job = sim.cluster.objects["Job", NAMESPACE, "suite-core"]
        job["metadata"]["creationTimestamp"] = timestamp(T0)
        sim.cluster.refusals["suite-core"] = "exceeded quota: run"
        sim.advance(4)
        status = await sim.until("Error")
        assert (status["reason"], "exceeded quota: run" in status["message"]) == ("PodRefused", True)

    async def test_an_application_whose_pod_cannot_be_created(self, sim: Simulation) -> None:
        sim.start(sim.add(SPEC))
        sim.node.without = {"Deployment"}
        await sim.cluster.until(lambda: bool(sim.cluster.of_kind("Deployment")))
        sim.cluster.refusals["app-5f6b8c7d9"] = "exceeded quota: run"
        await sim.cluster.until(lambda: "applications" in sim.runs[RUN]._applied)
        sim.advance(4)
        status = await sim.until("Error")
        assert status["reason"] == "PodRefused"
        assert status["message"] == "no pod could be created for application app: exceeded quota: run"

    async def test_an_application_that_was_started_anew_before_its_log_was_read(self, sim: Simulation) -> None:
        sim.node.idle = True
        sim.start(sim.add(SPEC))
        await sim.cluster.until(lambda: bool(sim.cluster.of_kind("Pod")))
        sim.cluster.tails["app"] = ""
        sim.cluster.previous_tails["app"] = "no exchange key"
        sim.cluster.objects["Pod", NAMESPACE, "app"] = pod_object("application", "app", ended("app", 1, "Error"))
        sim.cluster.touch()
        status = await sim.until("Error")
        assert status["message"] == ("application app stopped (Error, exit code 1); its log ends with: no exchange key")

    async def test_pods_that_never_started_have_no_last_words(self, sim: Simulation) -> None:
        sim.node.idle = True
        sim.start(sim.add(SPEC))
        await sim.cluster.until(lambda: bool(sim.cluster.of_kind("Pod")))
        for status in (waiting("redis", "InvalidImageName", "bad name"),):
            item = pod_object("service", "redis", status, phase="Pending")
            sim.cluster.objects["Pod", NAMESPACE, "redis"] = item
        sim.cluster.tails["redis"] = "never said"
        sim.cluster.touch()
        status = await sim.until("Error")
        assert status["reason"] == "InvalidImage"
        assert "never said" not in status["message"]


class TestCancelled:
    async def test_while_suites_run(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 4
        sim.start(sim.add(SPEC))
        await sim.until("Running")
        sim.change(RUN, cancel=True)
        status = await sim.until("Cancelled")
        assert status["observedGeneration"] == 2
        assert [suite["state"] for suite in status["suites"]] == ["Cancelled", "Cancelled"]
        assert creations(sim.cluster, "Job") == {"suite-core": 1}
        await sim.cluster.until(lambda: not sim.cluster.of_kind("Job"))

    async def test_what_was_told_before_is_kept(self, sim: Simulation) -> None:
        """A restarted operator learns of the order before its followers have read the first line."""
        sim.node.records["core", 0] = whole(*(passed(f"t{number}") for number in range(5)))
        sim.node.told["core", 0] = 4
        sim.start(sim.add(SPEC))
        await sim.until("Running")
        await sim.stop()
        sim.node.tell("core", 6)
        sim.change(RUN, cancel=True)
        sim.start()
        status = await sim.until("Cancelled")
        kept = [test["id"] for item in sim.cluster.of_kind("TestResultSlice") for test in item["spec"]["tests"]]
        assert {"t0", "t1", "t2"} <= set(kept)
        assert status["summary"]["passed"] == len(kept)

    async def test_before_anything_was_started(self, sim: Simulation) -> None:
        sim.start(sim.add(SPEC | {"suspend": True, "retention": {"onFailure": "0s"}}))
        await sim.until("Pending")
        sim.change(RUN, cancel=True)
        status = await sim.until_over()
        assert status["phase"] == "Cancelled"
        assert sim.cluster.created.keys() == set()
        assert "namespace" not in status

    async def test_after_the_verdict_it_changes_nothing(self, sim: Simulation) -> None:
        sim.start(sim.add(SPEC | {"retention": {"onSuccess": "1m"}}))
        await sim.until("Passed")
        sim.change(RUN, cancel=True)
        await sim.cluster.until(lambda: sim.cluster.status(RUN)["observedGeneration"] == 2)
        sim.advance(60)
        assert (await sim.until_over())["phase"] == "Passed"


# --- Refusals -----------------------------------------------------------------------------------------------


def refusing(what: str, error: Exception) -> Callable[[int, Write], None]:
    def before(_: int, write: Write) -> None:
        if write.what == what and write.verb in {"create", "apply"}:
            raise error

    return before


QUOTA = ForbiddenError('pods "redis" is forbidden: exceeded quota: run, requested: limits.memory=1Gi')
SECURITY = ForbiddenError('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot')


@pytest.mark.parametrize(
    ("what", "error", "reason", "message"),
    [
        ("Pod redis", QUOTA, "QuotaExceeded", "Pod redis: pods"),
        ("Pod redis", SECURITY, "PodSecurityViolation", "violates PodSecurity"),
        (f"Namespace {NAMESPACE}", ForbiddenError("cannot create namespaces"), "Forbidden", "cannot create namespaces"),
        (f"Namespace {NAMESPACE}", AlreadyExistsError("taken"), "NameConflict", "belongs to something else; delete it"),
        ("Secret connection", AlreadyExistsError("taken"), "NameConflict", "Secret connection exists"),
        ("Deployment app", InvalidError("spec.replicas: no"), "Refused", "Deployment app: spec.replicas: no"),
        ("NetworkPolicy dns", ForbiddenError("no right"), "Forbidden", "NetworkPolicy dns: no right"),
        (
            "Pod environment",
            ForbiddenError("gone", reason="NamespaceTerminating"),
            "EnvironmentDeleted",
            "somebody else",
        ),
    ],
)
async def test_what_the_api_server_refuses_ends_the_run(
    sim: Simulation, what: str, error: Exception, reason: str, message: str
) -> None:
    sim.cluster.before = refusing(what, error)
    sim.start(sim.add(SPEC))
    status = await sim.until("Error")
    assert status["reason"] == reason
    assert message in status["message"]
    tried = [write for write in sim.cluster.writes if write.what == what]
    assert len(tried) == 1  # it is not asked again


async def test_a_suite_that_is_refused_does_not_keep_the_others_from_running(sim: Simulation) -> None:
    sim.cluster.before = refusing("Job suite-core", InvalidError("spec.template: no"))
    sim.start(sim.add(SPEC))
    status = await sim.until("Error")
    assert [suite["state"] for suite in status["suites"]] == ["Error", "Passed"]
    assert status["message"] == "suite core: Job suite-core: spec.template: no"


class TestCopies:
    SPEC = run_spec(
        suites=[suite_spec(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "k"}}}])]
    )

    async def test_of_a_secret(self, sim: Simulation) -> None:
        source = {
            "kind": "Secret",
            "metadata": {"name": "credentials"},
            "data": {"k": "djE="},
            "type": "kubernetes.io/tls",
        }
        sim.cluster.objects["Secret", "team-a", "credentials"] = source
        sim.cluster.stuck.add(NAMESPACE)
        sim.start(sim.add(self.SPEC))
        await sim.until("Passed")
        copied = sim.cluster.objects["Secret", NAMESPACE, "secret-credentials"]
        assert copied["data"] == {"k": "djE="}
        assert "type" not in copied
        assert copied["metadata"]["labels"]["seatrial.dev/run-uid"] == RUN.uid

    async def test_of_one_that_is_not_there(self, sim: Simulation) -> None:
        sim.start(sim.add(self.SPEC))
        status = await sim.until("Error")
        assert status["reason"] == "SecretNotFound"
        assert "Secret team-a/credentials, which the spec names, does not exist" in status["message"]

    async def test_of_one_that_may_not_be_read(self, sim: Simulation) -> None:
        sim.cluster.read_error = ForbiddenError(
            'secrets "credentials" is forbidden: User "system:serviceaccount:tools:my-operator" cannot get resource'
        )
        sim.start(sim.add(self.SPEC))
        status = await sim.until("Error")
        assert status["reason"] == "SecretAccessDenied"
        assert (
            "kubectl create rolebinding seatrial-secrets -n team-a --clusterrole=seatrial-read-secrets "
            "--serviceaccount=tools:my-operator"
        ) in status["message"]


class TestUnplannable:
    async def test_a_spec_that_is_not_valid(self, sim: Simulation) -> None:
        sim.start(sim.add({"suites": []}))
        status = await sim.until_over()
        assert (status["phase"], status["reason"]) == ("Error", "InvalidSpec")
        assert status["message"].startswith("spec.suites: ")
        assert sim.condition("EnvironmentCleaned")["reason"] == "NothingToClean"
        assert sim.cluster.created.keys() == set()

    async def test_a_version_that_is_not_in_the_catalogue(self, sim: Simulation) -> None:
        sim.start(sim.add(run_spec(services={"redis": {"version": "1"}})))
        status = await sim.until_over()
        assert status["reason"] == "UnknownVersion"
        assert sim.cluster.events[0][0] == "UnknownVersion"


# --- Restarts -----------------------------------------------------------------------------------------------


def essence(sim: Simulation, run: RunId = RUN) -> Object:
    """The end of a run, without what depends on the moment."""
    status = copy.deepcopy(sim.cluster.status(run))
    for name in ("timings", "duration"):
        status.pop(name)
    status["summary"].pop("durationSeconds")
    for condition in status["conditions"]:
        condition.pop("lastTransitionTime")
    slices = {item["metadata"]["name"]: item["spec"] for item in sim.cluster.of_kind("TestResultSlice")}
    return {"status": status, "created": dict(sim.cluster.created), "slices": slices}


async def reference(clock: Clock, spec: Object = SPEC) -> tuple[Object, int]:
    """A run that nothing disturbs: how it ends, and after how many writes."""
    sim = Simulation(clock)
    sim.node.records |= SHARED
    sim.start(sim.add(spec))
    await sim.until_over()
    await sim.stop()
    return essence(sim), len(sim.cluster.writes)


async def finish_after(sim: Simulation) -> int:
    """Start operators, each of which goes on where the last one was killed, until one comes to the end.

    Returns how many were killed.
    """
    for killed in range(50):
        sim.start()
        task = sim.tasks[RUN]
        await sim.cluster.until(task.done, "the end of the run, or of the operator")
        if not isinstance(task.exception(), Killed):
            task.result()
            return killed
        await sim.stop()
    raise AssertionError("it is killed again and again")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_it_ends_the_same_wherever_the_operator_is_killed(clock: Clock, when: str) -> None:
    expected, writes = await reference(clock)
    assert writes > 25
    for fatal in range(1, writes + 1):
        sim = Simulation(clock)
        sim.node.records |= SHARED

        def kill(number: int, write: Write, fatal: int = fatal) -> None:
            if number == fatal:
                raise Killed(f"{when} write {number}: {write}")

        setattr(sim.cluster, when, kill)
        sim.add(SPEC)
        assert await finish_after(sim) == 1
        assert essence(sim) == expected, f"killed {when} write {fatal}: {sim.cluster.writes[fatal - 1]}"
        assert len(sim.cluster.writes) <= 2 * writes + 5
        await sim.stop()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_it_ends_the_same_whichever_answer_is_lost(clock: Clock, when: str) -> None:
    expected, writes = await reference(clock)
    for lost in range(1, writes + 1):
        sim = Simulation(clock)
        sim.node.records |= SHARED

        def lose(number: int, write: Write, lost: int = lost) -> None:
            if number == lost:
                raise UnavailableError(f"{write}: connection reset by peer")

        setattr(sim.cluster, when, lose)
        sim.start(sim.add(SPEC))
        await sim.until_over()
        assert essence(sim) == expected, f"lost {when} write {lost}: {sim.cluster.writes[lost - 1]}"
        await sim.stop()


@pytest.mark.parametrize("told", range(1, 7))
async def test_a_restart_in_the_middle_of_a_suite(sim: Simulation, clock: Clock, told: int) -> None:
    expected, _ = await reference(clock)
    sim.node.told["core", 0] = told
    sim.start(sim.add(SPEC))
    await sim.until("Running")
    clock.now += 10
    sim.wake()
    await sim.cluster.until(lambda: any("TestResultSlice" in write.what for write in sim.cluster.writes))
    await sim.stop()
    sim.start()
    sim.node.tell("core", 99)
    await sim.until_over()
    found = essence(sim)
    assert found["created"] == expected["created"]
    assert found["slices"] == expected["slices"]
    assert found["status"] == expected["status"]


async def test_a_restart_after_the_log_is_gone(sim: Simulation) -> None:
    """What was read is in the slices: the pod and its log are not needed any more."""
    sim.node.told["slow", 0] = 3
    sim.start(sim.add(SPEC))
    await sim.cluster.until(lambda: sim.cluster.status(RUN).get("suites", [{}])[0].get("state") == "Passed")
    sim.advance(10)
    await sim.cluster.until(lambda: len(sim.cluster.of_kind("TestResultSlice")) >= 2)
    await sim.stop()
    for name in ("suite-core-0", "suite-core-1"):
        sim.cluster.logs.pop((NAMESPACE, name, "relay"), None)
        del sim.cluster.objects["Pod", NAMESPACE, name]
    sim.cluster.logs.pop((NAMESPACE, "environment", "environment"))
    sim.start()
    sim.node.tell("slow", 99)
    status = await sim.until("Passed")
    assert status["passed"] == "5/5"
    assert status["environment"] == "3/3"
    assert phases(sim.cluster) == ["Provisioning", "Running", "Passed"]


async def test_a_restart_after_the_verdict_only_cleans_up(sim: Simulation) -> None:
    sim.start(sim.add(SPEC | {"retention": {"onSuccess": "1m"}}))
    await sim.until("Passed")
    await sim.cluster.until(lambda: len(sim.cluster.events) == 3)
    await sim.stop()
    before = len(sim.cluster.writes)
    sim.clock.now += 60
    sim.start()
    status = await sim.until_over()
    assert status["phase"] == "Passed"
    assert {write.verb for write in sim.cluster.writes[before:]} == {"delete", "patch"}


async def test_a_run_that_is_over_and_clean_is_left_alone(sim: Simulation) -> None:
    sim.start(sim.add(SPEC))
    await sim.until_over()
    writes = len(sim.cluster.writes)
    await sim.stop()
    sim.start()
    await sim.until_over()
    assert len(sim.cluster.writes) == writes


async def test_a_finished_run_stays_finished_though_another_version_wrote_its_status(sim: Simulation) -> None:
    sim.start(sim.add(SPEC))
    await sim.until_over()
    await sim.stop()
    status = sim.cluster.objects["TestRun", "team-a", "orders"]["status"]
    status |= {"newMember": 1}
    status["suites"][0] |= {"another": {"a": 1}}
    status["tests"][0] |= {"outcome": 7}
    created = dict(sim.cluster.created)
    sim.start()
    await sim.until_over()
    assert sim.cluster.created == created
    assert sim.cluster.status(RUN)["phase"] == "Passed"


# --- Deletion -----------------------------------------------------------------------------------------------


class TestDeletion:
    async def test_while_objects_are_being_created(self, sim: Simulation) -> None:
        """No object is created behind the deletion's back."""
        sim.cluster.hold = asyncio.Event()
        run = sim.start(sim.add(SPEC))
        await sim.cluster.until(lambda: len(sim.cluster.writes) == 1)
        deletion = asyncio.create_task(run.delete())
        deletion.add_done_callback(lambda _: sim.cluster.changed.beat())
        await sim.cluster.until(lambda: run.stopped)
        assert written(sim.cluster, "delete") == []
        sim.cluster.hold.set()
        await sim.cluster.until(deletion.done)
        await sim.until_over()
        assert sim.cluster.of_kind("Namespace") == []
        after = sim.cluster.writes[sim.cluster.writes.index(Write("delete", f"Namespace {NAMESPACE}")) :]
        assert [write.verb for write in after] == ["delete"]

    async def test_while_suites_run(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        run = sim.start(sim.add(SPEC))
        await sim.until("Running")
        await run.delete()
        await sim.until_over()
        assert {key[0] for key in sim.cluster.objects} <= {"TestRun", "TestResultSlice"}

    async def test_of_a_run_that_this_process_does_not_know(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(SPEC))
        await sim.until("Running")
        await sim.stop()
        daemon = sim.start()
        await daemon.delete()
        await sim.until_over()
        assert sim.cluster.of_kind("Namespace") == []

    async def test_a_slot_is_given_back(self, clock: Clock) -> None:
        sim = Simulation(clock, SETTINGS.model_copy(update={"max_active_runs": 1}))
        sim.node.told["core", 0] = 3
        first, second = sim.add(SPEC), sim.add(run_spec(), RunId("second", "team-a", "uid-2"))
        run = sim.start(first)
        await sim.until("Running")
        sim.start(second)
        await sim.until("Queued", second)
        await run.delete()
        sim.node.told.clear()
        await sim.until("Passed", second)
        await sim.stop()


# --- Queue and suspension -----------------------------------------------------------------------------------


async def test_runs_wait_for_their_turn(clock: Clock) -> None:
    sim = Simulation(clock, SETTINGS.model_copy(update={"max_active_runs": 1}))
    sim.node.told["core", 0] = 3
    runs = [RunId(f"run-{n}", "team-a", f"uid-{n}") for n in range(3)]
    for n, run in enumerate(runs):
        sim.add(run_spec(), run, creationTimestamp=f"2025-10-09T08:53:2{n}Z")
        sim.start(run)
    await sim.until("Running", runs[0])
    for run in runs[1:]:
        status = await sim.until("Queued", run)
        assert "namespace" not in status
        assert "started" not in status["timings"]
    assert len(sim.cluster.of_kind("Namespace")) == 1
    sim.node.told.clear()
    sim.node.react()
    for run in runs:
        await sim.until("Passed", run)
    finished = [sim.cluster.status(run)["phase"] for run in runs]
    assert finished == ["Passed"] * 3
    order = [
        write.what for write in sim.cluster.writes if write.what.startswith("Namespace") and write.verb == "create"
    ]
    assert [what.split("-")[2] for what in order] == ["0", "1", "2"]
    await sim.stop()


async def test_a_restarted_operator_counts_the_runs_that_are_active(clock: Clock) -> None:
    sim = Simulation(clock, SETTINGS.model_copy(update={"max_active_runs": 1}))
    sim.node.told["core", 0] = 3
    first = sim.add(run_spec())
    second = sim.add(run_spec(), RunId("second", "team-a", "uid-2"), creationTimestamp="2020-01-01T00:00:00Z")
    sim.start(first)
    await sim.until("Running", first)
    await sim.stop()
    sim.start(second)  # it asks before the other one's daemon has had its first pass
    await sim.until("Queued", second)
    sim.start(first)
    sim.node.tell("core", 9)
    await sim.until("Passed", second)
    assert sim.cluster.status(first)["phase"] == "Passed"
    await sim.stop()


class TestClaim:
    """A run is started by whoever knows that it has not been started; and by nobody else."""

    async def test_nothing_is_created_before_the_finalizer_is_there(self, sim: Simulation) -> None:
        sim.start(sim.add(run_spec(), finalizers=[]))
        body = sim.cluster.objects["TestRun", RUN.namespace, RUN.name]
        await sim.cluster.until(lambda: sim.runs[RUN].last_pass == sim.clock.now)
        sim.wake()
        assert sim.cluster.writes == []
        body["metadata"] |= {"finalizers": [FINALIZER], "resourceVersion": "2"}
        sim.wake()
        assert (await sim.until_over())["phase"] == "Passed"

    async def test_a_run_that_is_over_is_not_run_again_by_one_who_has_not_heard(self, sim: Simulation) -> None:
        sim.add(run_spec())
        unseen = sim.cluster.body(RUN)
        sim.start()
        finished = await sim.until_over()
        created = dict(sim.cluster.created)
        await sim.stop()
        late = Run(unseen, sim._tools)
        await asyncio.wait_for(late.run(lambda: unseen), 30)
        assert sim.cluster.status(RUN) == finished
        assert sim.cluster.created == created

    async def test_nor_by_one_who_believes_that_it_still_runs(self, sim: Simulation) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(run_spec()))
        await sim.until("Running")
        stale = sim.cluster.body(RUN)
        sim.node.tell("core", 9)
        finished = await sim.until_over()
        writes = len(sim.cluster.writes)
        await sim.stop()
        late = Run(stale, sim._tools)
        await asyncio.wait_for(late.run(lambda: stale), 30)
        assert sim.cluster.status(RUN) == finished
        assert len(sim.cluster.writes) == writes

    async def test_two_operators_come_to_one_verdict(self, sim: Simulation) -> None:
        sim.add(SPEC)
        other = Run(sim.cluster.body(RUN), sim._new_tools())
        sim.start()
        sim.cluster.on_change.append(other.wake.set)
        await asyncio.wait_for(other.run(lambda: sim.cluster.body(RUN)), 30)
        status = await sim.until_over()
        assert (status["phase"], status["passed"]) == ("Passed", "5/5")
        assert set(sim.cluster.created.values()) == {1}
        ended = [status["timings"]["finished"] for status in sim.cluster.statuses if status["phase"] == "Passed"]
        assert len(set(ended)) == 1

    async def test_the_environment_of_a_run_that_is_gone_goes_too(self, sim: Simulation) -> None:
        body = sim.cluster.body(sim.add(run_spec()))
        sim.cluster.after = lambda *_: sim.cluster.objects.pop(("TestRun", RUN.namespace, RUN.name), None)
        run = Run(body, sim._tools)
        await asyncio.wait_for(run.run(lambda: body), 30)
        assert sim.cluster.of_kind("Namespace") == []
        assert sim._tools.slots.active == 0


class TestLaggingWatches:
    """What is seen may be old; an Error is told only of what the API server itself says."""

    @pytest.mark.parametrize("kind", ["pods", "jobs", "namespace"])
    async def test_what_is_not_seen_is_not_gone(self, sim: Simulation, kind: str) -> None:
        sim.node.told["core", 0] = 3
        sim.start(sim.add(run_spec(services={"redis": {}})))
        await sim.until("Running")
        blind = {"pods": lambda _: [], "jobs": lambda _: [], "namespace": lambda _: None}
        names = {"pods", kind} if kind == "jobs" else {kind}
        await self.restart(sim, {name: blind[name] for name in names})
        sim.node.tell("core", 9)
        assert (await sim.until_over())["phase"] == "Passed"

    @pytest.mark.parametrize("others", [(), ("slow",)], ids=["alone", "beside-another"])
    async def test_a_suite_that_is_not_seen_is_not_gone(self, sim: Simulation, others: tuple[str, ...]) -> None:
        """Neither when its end would be that of the run, nor as long as another one goes on."""
        for name in ("core", *others):
            sim.node.told[name, 0] = 2
        suites = [suite_spec(name) for name in ("core", *others)]
        sim.start(sim.add(run_spec(suites=suites, parallelism=2)))
        await sim.until("Running")
        sim.advance(2)
        await sim.cluster.until(
            lambda: {item["state"] for item in sim.cluster.status(RUN)["suites"]} == {"Running"}, "all suites run"
        )
        unseen = ("suite-core", "suite-core-0")

        def seen(read: Callable[[str], list[Object]]) -> Callable[[str], list[Object]]:
            return lambda uid: [item for item in read(uid) if item["metadata"]["name"] not in unseen]

        await self.restart(sim, {name: seen(getattr(sim.cluster, name)) for name in ("pods", "jobs")})
        for name in ("core", *others):
            sim.node.tell(name, 9)
        assert (await sim.until_over())["phase"] == "Passed"

    async def test_an_environment_that_is_not_seen_was_ready(self, sim: Simulation) -> None:
        """Whoever takes over finds all results in the slices, and has not seen the pod whose log tells of the rest."""

        def refuse(_: int, write: Write) -> None:
            if write.what.startswith("status") and sim.cluster.of_kind("Namespace"):
                raise UnavailableError("no statuses now")

        sim.cluster.before = refuse
        sim.start(sim.add(run_spec(services={"redis": {}})))
        await sim.cluster.until(lambda: len(sim.cluster.of_kind("TestResultSlice")) == 1)
        sim.cluster.before = lambda *_: None
        await self.restart(sim, dict.fromkeys(("pods", "jobs"), lambda _: []))
        status = await sim.until("Passed")
        assert status["environment"] == "1/1"
        assert sim.condition("EnvironmentReady")["status"] == "True"

    async def restart(self, sim: Simulation, lagging: Mapping[str, Callable[[str], object]]) -> None:
        """Another operator takes over, whose watches lag behind until it has had its first pass."""
        await sim.stop()
        with pytest.MonkeyPatch.context() as patch:
            for name, read in lagging.items():
                patch.setattr(sim.cluster, name, read)
            sim.start()
            await sim.cluster.until(lambda: bool(sim.runs[RUN]._logs._keys), "the logs are followed")
            sim.wake()
            await asyncio.sleep(0)


async def test_a_suspended_run_starts_nothing_until_it_may(sim: Simulation) -> None:
    sim.start(sim.add(SPEC | {"suspend": True}))
    status = await sim.until("Pending")
    assert status["reason"] == "Suspended"
    assert sim.cluster.created.keys() == set()
    sim.change(RUN, suspend=False)
    assert (await sim.until_over())["phase"] == "Passed"


async def test_no_suite_is_started_while_it_is_suspended(sim: Simulation) -> None:
    sim.node.told["core", 0] = 3
    sim.start(sim.add(SPEC))
    await sim.until("Running")
    sim.change(RUN, suspend=True)
    await sim.cluster.until(lambda: sim.cluster.status(RUN)["observedGeneration"] == 2)
    sim.node.tell("core", 99)
    await sim.cluster.until(lambda: sim.cluster.status(RUN)["suites"][0]["state"] == "Passed")
    assert creations(sim.cluster, "Job") == {"suite-core": 1}
    sim.change(RUN, suspend=False)
    assert (await sim.until_over())["phase"] == "Passed"


# --- Clean-up -----------------------------------------------------------------------------------------------


async def test_a_namespace_that_does_not_go(sim: Simulation) -> None:
    sim.cluster.stuck.add(NAMESPACE)
    sim.start(sim.add(SPEC))
    await sim.cluster.until(lambda: bool(written(sim.cluster, "delete")))
    sim.advance(121)
    await sim.cluster.until(lambda: sim.condition("EnvironmentCleaned").get("reason") == "CleanupPending")
    assert f"kubectl get namespace {NAMESPACE} -o yaml" in sim.condition("EnvironmentCleaned")["message"]
    assert sim.cluster.status(RUN)["phase"] == "Passed"
    sim.cluster.finalize(NAMESPACE)
    await sim.until_over()
    assert sim.condition("EnvironmentCleaned")["reason"] == "Deleted"
    assert written(sim.cluster, "delete") == [f"delete Namespace {NAMESPACE}"]


async def test_a_change_after_the_end_is_acknowledged(sim: Simulation) -> None:
    """Whoever waits for the generation that was applied last (kstatus) must not wait for ever."""
    sim.start(sim.add(SPEC))
    await sim.until_over()
    await sim.stop()
    writes = len(sim.cluster.writes)
    await acknowledge(sim.cluster.body(RUN), sim.cluster)
    assert len(sim.cluster.writes) == writes  # nothing has changed
    sim.change(RUN, cancel=True)
    await acknowledge(sim.cluster.body(RUN), sim.cluster)
    status = sim.cluster.status(RUN)
    assert (status["observedGeneration"], status["phase"]) == (2, "Passed")
    body = sim.cluster.body(RUN)
    body["metadata"] |= {"generation": 9, "deletionTimestamp": "2025-10-09T09:00:00Z"}
    await acknowledge(body, sim.cluster)
    assert sim.cluster.status(RUN)["observedGeneration"] == 2


# --- How often the status is written ---------------------------------------------------------------------------


async def test_a_short_run_takes_few_writes(sim: Simulation) -> None:
    sim.start(sim.add(SPEC))
    await sim.until_over()
    assert len(written(sim.cluster, "patch")) <= 12
    assert len(written(sim.cluster, "event")) == 3


async def test_counts_are_written_once_a_second_at_most(sim: Simulation) -> None:
    tests = [passed(f"t{n}") for n in range(200)]
    sim.node.records["core", 0] = whole(*tests)
    sim.node.told["core", 0] = 3
    sim.start(sim.add(run_spec()))
    await sim.until("Running")
    before = len(sim.cluster.statuses)
    for told in range(4, 204):
        sim.node.tell("core", told)
        await asyncio.sleep(0)
        sim.advance(0.05)  # 10 s in all
    await sim.cluster.until(lambda: sim.cluster.status(RUN)["passed"].endswith("/200"))
    assert len(sim.cluster.statuses) - before <= 11
    sim.node.tell("core", 999)
    status = await sim.until("Passed")
    assert status["passed"] == "200/200"


# --- Trouble ------------------------------------------------------------------------------------------------


async def test_what_was_told_is_kept_though_nothing_more_is_told(sim: Simulation) -> None:
    """A suite that hangs wakes nobody: the run itself looks again when its slices are to be written."""
    sim.node.records["core", 0] = whole(passed("a"), passed("b"), passed("c"))
    told = sim.node.told["core", 0] = len(opening()) + 2
    run = sim.start(sim.add(run_spec()))
    await sim.cluster.until(lambda: len(sim.cluster.of_kind("TestResultSlice")) == 1)
    sim.clock.now += report.STATUS_SECONDS
    sim.node.tell("core", told + 1)
    await sim.cluster.until(lambda: sim.cluster.status(RUN)["summary"]["passed"] == 2)
    assert run._logs.flush_at == sim.clock.now - report.STATUS_SECONDS + logs.FLUSH_SECONDS
    wait = await run._locked_pass(lambda: sim.cluster.body(RUN))
    assert wait == pytest.approx(logs.FLUSH_SECONDS - report.STATUS_SECONDS)


async def test_an_api_server_that_cannot_answer_for_a_while(sim: Simulation) -> None:
    outage = iter(range(40))

    def before(_: int, write: Write) -> None:
        if next(outage, None) is not None:
            raise UnavailableError(f"{write}: 503")

    sim.cluster.before = before
    sim.start(sim.add(SPEC))
    assert (await sim.until_over())["phase"] == "Passed"
    assert creations(sim.cluster, "Job") == {"suite-core": 1, "suite-slow": 1}


async def test_a_defect_in_a_pass_does_not_end_the_run(
    sim: Simulation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pods, broken = sim.cluster.pods, iter([True, True])

    def flaky(uid: str) -> list[Object]:
        if next(broken, False):
            raise ZeroDivisionError("a defect")
        return pods(uid)

    monkeypatch.setattr(sim.cluster, "pods", flaky)
    sim.start(sim.add(SPEC))
    assert (await sim.until_over())["phase"] == "Passed"
    assert "a pass failed" in caplog.text


async def test_a_log_that_breaks_off_is_followed_again(sim: Simulation) -> None:
    sim.node.told["core", 0] = 4
    sim.start(sim.add(SPEC))
    await sim.until("Running")
    log = sim.cluster.logs[NAMESPACE, "suite-core-0", "relay"]
    log.close()  # the connection, not the container
    log.closed = False
    sim.node.tell("core", 99)
    assert (await sim.until_over())["passed"] == "5/5"


async def test_a_line_that_the_relay_cannot_have_written(sim: Simulation) -> None:
    sim.node.told["core", 0] = 3
    sim.start(sim.add(SPEC))
    await sim.until("Running")
    sim.cluster.logs[NAMESPACE, "suite-core-0", "relay"].write(b"Traceback (most recent call last):")
    sim.node.tell("core", 99)
    status = await sim.until("Error")
    assert status["reason"] == "Incomplete"
    assert "not a line of the relay" in status["message"]


async def test_an_environment_is_cleaned_up_though_its_run_cannot_be_planned_any_more(sim: Simulation) -> None:
    """The catalogue may have changed while the operator was away."""
    sim.node.told["core", 0] = 3
    sim.start(sim.add(SPEC))
    await sim.until("Running")
    await sim.stop()
    sim.settings = SETTINGS.model_copy(update={"catalogue": {}})
    await sim.stop()
    sim.start()
    status = await sim.until("Error")
    assert status["reason"] == "UnknownService"
    await sim.cluster.until(lambda: sim.cluster.of_kind("Namespace") == [])
    await sim.until_over()
    assert sim.condition("EnvironmentCleaned")["status"] == "True"


async def test_an_environment_that_is_kept_goes_though_its_run_cannot_be_planned_any_more(sim: Simulation) -> None:
    sim.node.records["slow", 0] = whole(failed("e"), rc=1)
    sim.start(sim.add(SPEC))
    await sim.until("Failed")
    await sim.stop()
    sim.settings = SETTINGS.model_copy(update={"catalogue": {}})
    await sim.stop()
    sim.clock.now += 1800
    sim.start()
    await sim.cluster.until(lambda: sim.cluster.of_kind("Namespace") == [])
    await sim.until_over()
    assert sim.cluster.status(RUN)["phase"] == "Failed"


# --- What the tests stand on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in vars(Cluster) if not name.startswith("_")])
def test_the_cluster_in_memory_has_the_protocol(name: str) -> None:
    """Same parameters as in the Protocol, and as in what speaks to Kubernetes."""
    wanted = inspect.signature(getattr(Cluster, name)).parameters
    for implementation in (FakeCluster, KubernetesCluster):
        found = inspect.signature(getattr(implementation, name)).parameters
        assert [(item.name, item.kind, item.default) for item in found.values()] == [
            (item.name, item.kind, item.default) for item in wanted.values()
        ]


PLAN = plan_of(SPEC)


@pytest.mark.parametrize(
    ("item", "culprit"),
    [
        (service_pod("redis"), False),
        (pod("service", "redis", ended("redis", 1)), True),
        (pod("service", "unheard-of", running("unheard-of")), True),
        (pod("application", "app", running("app", restarts=1)), True),
        (pod("environment", "environment", running("environment")), False),
        (pod("environment", "environment", phase="Failed"), True),
        (pod("suite", "core", ended("suite", 1), phase="Failed", shard=0), False),
    ],
)
def test_whose_last_words_are_read(*, item: Any, culprit: bool) -> None:
    assert is_culprit(item, snapshot_of(PLAN)) == culprit


def test_the_builders_end_is_an_end() -> None:
    assert isinstance(end(), End)
