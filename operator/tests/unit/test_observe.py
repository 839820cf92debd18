"""What is seen of pods and Jobs."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.observe import ContainerView, Snapshot, seconds, view_jobs, view_pod, view_pods
from tests.builders import (
    RUN,
    T0,
    ended,
    job_object,
    plan_of,
    pod_object,
    running,
    service_pod,
    snapshot_of,
    suite_pod,
    waiting,
)


def test_a_suite_pod_is_seen_whole() -> None:
    pod = view_pod(pod_object("suite", "core", running("suite"), running("relay"), shard=3, created_at=T0))
    assert (pod.component, pod.role, pod.shard, pod.phase) == ("suite", "core", 3, "Running")
    assert (pod.name, pod.uid, pod.created_at) == ("suite-core-3", "uid-of-suite-core-3", T0)
    assert (pod.ready, pod.deleted, pod.terminated) == (True, False, False)
    assert pod.main is not None
    assert pod.main.name == "suite"
    assert pod.main.image == "suite:1"
    assert pod.relay_speaks


def test_only_the_runs_own_pods_and_jobs_are_seen() -> None:
    foreign = pod_object("service", "kafka", running("kafka"))
    foreign["metadata"]["labels"] = {"seatrial.dev/run-uid": "another"}
    unlabelled: dict[str, Any] = {"metadata": {"name": "x"}}
    assert view_pods([foreign, unlabelled], RUN.uid) == ()
    assert view_jobs([{"metadata": {"name": "x", "labels": None}}], RUN.uid) == ()


def test_pods_come_oldest_first() -> None:
    pods = [
        pod_object("service", "redis", created_at=T0 + 1),
        pod_object("service", "postgres", created_at=T0),
        pod_object("service", "kafka", created_at=T0),
    ]
    assert [pod.name for pod in view_pods(pods, RUN.uid)] == ["kafka", "postgres", "redis"]


def test_a_pod_without_status_is_seen() -> None:
    item = pod_object("service", "redis")
    del item["status"]
    del item["metadata"]["creationTimestamp"]
    pod = view_pod(item)
    assert (pod.phase, pod.containers, pod.main, pod.created_at, pod.ready) == ("", (), None, 0.0, False)
    assert not pod.relay_speaks


def test_why_a_container_waits() -> None:
    container = view_pod(pod_object("service", "redis", waiting("redis", "ErrImagePull", "no such tag"))).containers[0]
    assert (container.waiting_reason, container.waiting_message) == ("ErrImagePull", "no such tag")
    assert not container.running
    assert not container.terminated


def test_how_a_container_ended() -> None:
    pod = view_pod(pod_object("suite", "core", ended("suite", 137, "OOMKilled", message="too much"), shard=0))
    assert pod.main is not None
    assert pod.main.terminated
    assert (pod.main.exit_code, pod.main.end_reason, pod.main.end_message) == (137, "OOMKilled", "too much")
    assert pod.container_runs("suite")
    assert not pod.container_runs("relay")


def test_between_two_attempts_the_last_state_tells_how_it_ended() -> None:
    status = waiting("app", "CrashLoopBackOff", restartCount=2)
    status["lastState"] = {"terminated": {"exitCode": 3, "reason": "Error"}}
    container = view_pod(pod_object("application", "app", status)).main
    assert container is not None
    assert (container.restarts, container.exit_code, container.waiting_reason) == (2, 3, "CrashLoopBackOff")


def test_a_container_that_was_never_restarted_has_no_last_state() -> None:
    status = waiting("app", "ContainerCreating")
    status["lastState"] = {"terminated": {"exitCode": 3}}
    container = view_pod(pod_object("application", "app", status)).main
    assert container is not None
    assert not container.terminated


def test_a_container_of_which_little_is_said() -> None:
    (container,) = view_pod(pod_object("application", "app", {"name": "app"})).containers
    assert container == ContainerView("app", "", running=False, ready=False, restarts=0)


def test_a_container_that_runs_again_has_not_ended() -> None:
    status = running("app", restarts=1, lastState={"terminated": {"exitCode": 3, "reason": "Error"}})
    container = view_pod(pod_object("application", "app", status)).main
    assert container is not None
    assert (container.restarts, container.terminated, container.running) == (1, False, True)
    assert (container.exit_code, container.end_reason) == (3, "Error")


def test_why_a_pod_cannot_be_scheduled() -> None:
    pod = view_pod(pod_object("service", "redis", phase="Pending", unschedulable="0/1 nodes are available"))
    assert pod.unschedulable == "0/1 nodes are available"
    assert not pod.ready


def test_a_pod_that_was_evicted() -> None:
    pod = view_pod(pod_object("suite", "core", phase="Failed", reason="Evicted", message="low on memory", deleted=True))
    assert (pod.terminated, pod.deleted, pod.reason, pod.message) == (True, True, "Evicted", "low on memory")


@pytest.mark.parametrize(("label", "shard"), [("7", 7), ("", 0), ("x", 0), ("-1", 0)])
def test_the_shard_is_the_jobs_completion_index(label: str, shard: int) -> None:
    item = pod_object("suite", "core", shard=0)
    item["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] = label
    assert view_pod(item).shard == shard


def test_jobs() -> None:
    fine, over = view_jobs([job_object("core"), job_object("slow", failed="DeadlineExceeded")], RUN.uid)
    assert (fine.suite, fine.created_at, fine.failed_reason) == ("core", T0, "")
    assert (over.suite, over.failed_reason, over.failed_message) == (
        "slow",
        "DeadlineExceeded",
        "because of DeadlineExceeded",
    )


def test_a_job_condition_that_is_not_true_is_no_failure() -> None:
    item = job_object("core", failed="DeadlineExceeded")
    item["status"]["conditions"][0]["status"] = "False"
    item["metadata"]["deletionTimestamp"] = "2025-10-09T08:53:20Z"
    assert view_jobs([item], RUN.uid)[0].failed_reason == ""
    assert view_jobs([item], RUN.uid)[0].deleted


def test_a_snapshot_is_asked_by_component_and_name() -> None:
    plan = plan_of({"services": {"redis": {}}, "suites": [{"name": "core"}]})
    snapshot: Snapshot = snapshot_of(plan, pods=(suite_pod("core"),), jobs=view_jobs([job_object("core")], RUN.uid))
    assert snapshot.pods_of("service", "redis") == (service_pod("redis"),)
    assert [pod.name for pod in snapshot.pods_of("suite")] == ["suite-core-0"]
    assert snapshot.pods_of("suite", "other") == ()
    assert snapshot.job("core") is not None
    assert snapshot.job("other") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, 0.0), ("", 0.0), ("2025-10-09T08:53:20Z", T0), ("2025-10-09T08:53:20.5+00:00", T0 + 0.5)],
)
def test_seconds_of_a_timestamp(text: str | None, expected: float) -> None:
    assert seconds(text) == expected
