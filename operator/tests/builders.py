"""What the tests of the operator's core are made of: specs, plans, records, pods, Jobs, snapshots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION, parse_spec
from seatrial.environment import ComponentState, EnvironmentState
from seatrial.evidence import ShardEvidence
from seatrial.naming import (
    COMPONENT_LABEL,
    FINALIZER,
    NAME_LABEL,
    RUN_UID_LABEL,
    SHARD_LABEL,
    RunId,
    component_labels,
    run_namespace,
    suite_job,
)
from seatrial.observe import JobView, PodView, Snapshot, view_jobs, view_pod
from seatrial.plan import Plan, make_plan
from seatrial.records import Attempt, Collected, End, Finish, Gate, Record, Start
from seatrial.settings import Settings, parse_settings
from seatrial.status import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]

T0 = 1_760_000_000.0
"""When the tests' runs start, in seconds since the epoch."""
RUN = RunId("orders", "team-a", "0b9c2f4e-7a51-4d0c-9d53-6f4f5f0f7c11")
NAMESPACE = run_namespace(RUN)
INPOD_FILES = {"supervisor.py": "# the supervisor\n", "pytest_seatrial.py": "# the plugin\n"}

SETTINGS: Settings = parse_settings(
    {
        "images": {"agent": "registry.test/seatrial:1", "suite": "registry.test/suite:1"},
        "catalogue": {
            "kafka": {
                "default": "4.1",
                "versions": {"4.1": "registry.test/kafka:4.1", "4.0": "registry.test/kafka:4.0"},
            },
            "redpanda": {"default": "26.1", "versions": {"26.1": "registry.test/redpanda:26.1"}},
            "redis": {"default": "8", "versions": {"8": "registry.test/redis:8"}},
            "postgres": {"default": "17", "versions": {"17": "registry.test/postgres:17"}},
            "influxdb": {"default": "2.7", "versions": {"2.7": "registry.test/influxdb:2.7"}},
        },
    }
)


def suite_spec(name: str = "core", **more: Any) -> Object:
    return {"name": name} | more


def run_spec(**more: Any) -> Object:
    """A spec with one suite on the default image, and more."""
    return {"suites": [suite_spec()]} | more


def plan_of(spec: Object | None = None, run: RunId = RUN, settings: Settings = SETTINGS) -> Plan:
    return make_plan(run, parse_spec(spec if spec is not None else run_spec()), settings, INPOD_FILES)


def body_of(spec: Object | None = None, run: RunId = RUN, **metadata: Any) -> Object:
    """A TestRun as the API server has it when kopf has put its finalizer on it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "TestRun",
        "metadata": {
            "name": run.name,
            "namespace": run.namespace,
            "uid": run.uid,
            "generation": 1,
            "resourceVersion": "1",
            "finalizers": [FINALIZER],
            "creationTimestamp": "2025-10-09T08:53:20Z",
        }
        | metadata,
        "spec": spec if spec is not None else run_spec(),
        "status": {"observedGeneration": -1},
    }


# --- Records ---------------------------------------------------------------------------------------------------


def passed(test_id: str, **more: Any) -> Attempt:
    return Attempt(test_id, "passed", at=T0 + 5, seconds=0.5, **more)


def failed(test_id: str, **more: Any) -> Attempt:
    return Attempt(test_id, "failed", at=T0 + 5, seconds=0.5, **({"message": "assert 1 == 2"} | more))


def collected(tests: int, total: int | None = None, digest: str = "d0") -> Collected:
    return Collected(T0 + 4, tests, tests if total is None else total, digest, "8.4.2")


def finish(rc: int = 0, ran: int = 0) -> Finish:
    return Finish(T0 + 9, rc, ran)


def end(rc: int | None = 0, **more: Any) -> End:
    return End(T0 + 9.1, rc, **more)


def opening() -> list[Record]:
    """What every suite tells first."""
    return [Start(T0 + 1, "3.12.3", 7), Gate(T0 + 3, 2.0)]


def whole(*tests: Record, rc: int = 0, total: int | None = None, digest: str = "d0") -> list[Record]:
    """The records of a shard that came to its end, with an outcome for every collected test."""
    ended = sum(isinstance(test, Attempt) and test.final for test in tests)
    return [*opening(), collected(ended, total, digest), *tests, finish(rc, ended), end(rc)]


def evidence_of(
    records: Iterable[Record], suite: str = "core", shard: int = 0, *, drained: bool = True, pod_uid: str = "pod-uid"
) -> ShardEvidence:
    evidence = ShardEvidence(suite, shard, pod_uid)
    for sequence, record in enumerate(records, 1):
        evidence.fold(sequence, record)
    evidence.drained = drained
    return evidence


# --- Watched objects ---------------------------------------------------------------------------------------------


def running(name: str, *, ready: bool = True, restarts: int = 0, **more: Any) -> Object:
    """Status of a container that runs."""
    state = {"running": {"startedAt": timestamp(T0)}}
    return {"name": name, "image": f"{name}:1", "ready": ready, "restartCount": restarts, "state": state} | more


def waiting(name: str, reason: str, message: str = "", **more: Any) -> Object:
    """Status of a container that waits."""
    state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    return {"name": name, "image": f"{name}:1", "ready": False, "restartCount": 0, "state": state} | more


def ended(name: str, code: int, reason: str = "", **more: Any) -> Object:
    """Status of a container that has ended."""
    state = {"terminated": {"exitCode": code, "reason": reason or ("Completed" if code == 0 else "Error")} | more}
    return {"name": name, "image": f"{name}:1", "ready": False, "restartCount": 0, "state": state}


def pod_object(
    component: str,
    role: str,
    *containers: Object,
    shard: int | None = None,
    phase: str = "Running",
    created_at: float = T0,
    run: RunId = RUN,
    deleted: bool = False,
    unschedulable: str = "",
    **status: Any,
) -> Object:
    """A pod as the API server shows it."""
    name = role if component != "suite" else f"{suite_job(role)}-{shard or 0}"
    labels = component_labels(run, component, role)
    if shard is not None:
        labels[SHARD_LABEL] = str(shard)
    conditions: list[Object] = [{"type": "Ready", "status": "True" if phase == "Running" else "False"}]
    if unschedulable:
        scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unschedulable}
        conditions.append(scheduled)
    sidecars = [container for container in containers if container["name"] == "relay"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": run_namespace(run),
            "uid": f"uid-of-{name}",
            "labels": labels,
            "creationTimestamp": timestamp(created_at),
        }
        | ({"deletionTimestamp": timestamp(created_at)} if deleted else {}),
        "status": {
            "phase": phase,
            "conditions": conditions,
            "initContainerStatuses": sidecars,
            "containerStatuses": [container for container in containers if container not in sidecars],
        }
        | status,
    }


def pod(component: str, role: str, *containers: Object, **more: Any) -> PodView:
    return view_pod(pod_object(component, role, *containers, **more))


def service_pod(name: str, **more: Any) -> PodView:
    return pod("service", name, running(name), **more)


def environment_pod(**more: Any) -> PodView:
    return pod("environment", "environment", running("environment"), **more)


def suite_pod(suite: str = "core", shard: int = 0, **more: Any) -> PodView:
    """A suite's pod of which both containers run."""
    return pod("suite", suite, running("suite"), running("relay"), shard=shard, **more)


def over_pod(suite: str = "core", shard: int = 0, code: int = 0, reason: str = "", **more: Any) -> PodView:
    """A suite's pod that has ended."""
    containers = (ended("suite", code, reason, **more.pop("terminated", {})), ended("relay", 0))
    phase = "Succeeded" if code == 0 else "Failed"
    return pod("suite", suite, *containers, shard=shard, phase=phase, **more)


def job_object(suite: str = "core", *, created_at: float = T0, run: RunId = RUN, failed: str = "") -> Object:
    condition = {"type": "Failed", "status": "True", "reason": failed, "message": f"because of {failed}"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": suite_job(suite),
            "namespace": run_namespace(run),
            "labels": {RUN_UID_LABEL: run.uid, COMPONENT_LABEL: "suite", NAME_LABEL: suite},
            "creationTimestamp": timestamp(created_at),
        },
        "status": {"conditions": [condition]} if failed else {},
    }


def job(suite: str = "core", **more: Any) -> JobView:
    return view_jobs([job_object(suite, **more)], RUN.uid)[0]


def open_environment(plan: Plan, *, at: float = T0 + 3) -> EnvironmentState:
    """An environment whose gate is open."""
    return EnvironmentState(
        started_at=T0 + 1,
        services={item.name: ComponentState(1.5, seeded=True) for item in plan.services},
        applications={item.name: ComponentState(2.5) for item in plan.applications},
        services_ready=True,
        open_at=at,
    )


def snapshot_of(plan: Plan, **more: Any) -> Snapshot:
    """A run whose environment runs and whose gate is open; its suites' Jobs and pods are in `more`."""
    pods: tuple[PodView, ...] = (
        *(service_pod(item.name) for item in plan.services),
        environment_pod(),
        *(pod("application", item.name, running(item.name)) for item in plan.applications),
    )
    values: dict[str, Any] = {
        "namespace_exists": True,
        "namespace_terminating": False,
        "namespace_seen": True,
        "jobs": (),
        "environment": open_environment(plan),
    }
    return Snapshot(pods=(*pods, *more.pop("pods", ())), **(values | more))


def shards_of(*shards: ShardEvidence) -> Mapping[tuple[str, int], ShardEvidence]:
    return {(shard.suite, shard.shard): shard for shard in shards}


def event_line(event: str, at: float = T0, /, **members: Any) -> bytes:
    """A line of the environment pod's log."""
    return json.dumps({"t": event, "at": at, **members}).encode()
