"""Pods, Jobs and namespaces with any labels and any status: seen without an exception, and foreign ones not at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.status import TestRunStatus
from seatrial.decide import Orders, Past, decide
from seatrial.evidence import ShardEvidence
from seatrial.inquire import is_culprit
from seatrial.naming import (
    COMPONENT_LABEL,
    NAME_LABEL,
    RUN_UID_LABEL,
    SHARD_LABEL,
    RunId,
    component_labels,
    run_namespace,
)
from seatrial.observe import CONFIG_REASONS, IMAGE_REASONS, PULL_REASONS, view_jobs, view_pods
from seatrial.status import Moment, project
from seatrial.sweep import find_orphans
from seatrial.verdict import State
from tests.builders import NAMESPACE, RUN, T0, ended, failed, plan_of, pod_object, run_spec, running, snapshot_of, whole
from tests.property.conftest import few
from tests.property.openapi import problems, schema_of
from tests.property.strategies import TEXT
from tests.simulation import Clock, Simulation

Object = dict[str, Any]

STATUS_SCHEMA = schema_of("TestRun", "status")
OTHER = RunId("orders", "team-b", "11111111-7a51-4d0c-9d53-6f4f5f0f7c11")
PLAN = plan_of(
    run_spec(
        services={"redis": {}}, applications=[{"name": "app", "image": "app:1"}], suites=[{"name": "core", "shards": 2}]
    )
)

LABEL = st.sampled_from(
    ["", "redis", "app", "core", "environment", "service", "suite", "application", "9" * 63, "-1", "0", "1"]
)
LABELS = st.fixed_dictionaries(
    {},
    optional={
        RUN_UID_LABEL: st.sampled_from([RUN.uid, RUN.uid, RUN.uid, OTHER.uid, ""]),
        COMPONENT_LABEL: st.sampled_from(["service", "suite", "application", "environment", "x"]) | LABEL,
        NAME_LABEL: LABEL,
        SHARD_LABEL: LABEL,
    },
)
TIMES = st.none() | st.sampled_from(["2025-10-09T08:53:20Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])


def members(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    """An object of the API server: each member is of its type, or missing."""
    return st.fixed_dictionaries({}, optional=dict(values))


MESSAGE = TEXT | st.just("m" * 5000)
REASON = TEXT | st.sampled_from([*PULL_REASONS, *IMAGE_REASONS, *CONFIG_REASONS, "OOMKilled", "StartError", "r" * 300])
TERMINATED = members(
    exitCode=st.integers(-(2**31), 2**31 - 1), reason=REASON, message=MESSAGE, signal=st.integers(0, 99)
)
STATE = members(
    waiting=members(reason=REASON, message=MESSAGE), running=members(startedAt=TIMES), terminated=TERMINATED
)
CONTAINERS = st.none() | st.lists(
    members(
        name=st.sampled_from(["suite", "relay", "redis", "environment", "app", "x"]),
        image=st.just("i" * 600) | TEXT,
        ready=st.booleans(),
        restartCount=st.integers(0, 2**31 - 1),
        state=st.none() | STATE,
        lastState=st.none() | STATE,
    ),
    max_size=3,
)
CONDITIONS = st.none() | st.lists(
    members(
        type=st.sampled_from(["Ready", "PodScheduled", "Failed", "Complete"]) | TEXT,
        status=st.sampled_from(["True", "False", "Unknown"]),
        reason=st.sampled_from(["DeadlineExceeded", "Unschedulable"]) | REASON,
        message=MESSAGE,
    ),
    max_size=3,
)


def objects(status: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    metadata = st.fixed_dictionaries(
        {
            "name": st.sampled_from(["redis", "environment", "suite-core-0", "p" * 253]),
            "namespace": st.sampled_from([NAMESPACE, NAMESPACE, NAMESPACE, "team-a", run_namespace(OTHER)]),
        },
        optional={
            "uid": st.sampled_from(["u1", "u2"]),
            "labels": st.none() | LABELS,
            "annotations": st.none() | st.dictionaries(TEXT, TEXT, max_size=2),
            "creationTimestamp": TIMES,
            "deletionTimestamp": TIMES,
        },
    )
    return st.fixed_dictionaries({"metadata": metadata}, optional={"status": st.none() | status, "spec": st.just({})})


PODS = objects(
    members(
        phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", ""]),
        reason=st.sampled_from(["Evicted", "DeadlineExceeded"]) | REASON,
        message=MESSAGE,
        conditions=CONDITIONS,
        containerStatuses=CONTAINERS,
        initContainerStatuses=CONTAINERS,
    )
)
JOBS = objects(members(conditions=CONDITIONS, active=st.integers(0, 9), failed=st.integers(0, 9)))


def is_mine(item: Object) -> bool:
    metadata = item["metadata"]
    return metadata["namespace"] == NAMESPACE and (metadata.get("labels") or {}).get(RUN_UID_LABEL) == RUN.uid


@given(pods=st.lists(PODS, max_size=6), jobs=st.lists(JOBS, max_size=3), drained=st.booleans())
def test_whatever_is_seen_can_be_decided_on_and_shown(pods: list[Object], jobs: list[Object], drained: bool) -> None:  # noqa: FBT001
    views, works = view_pods(pods, RUN.uid), view_jobs(jobs, RUN.uid)
    assert len(views) == sum(map(is_mine, pods))
    assert len(works) == sum(map(is_mine, jobs))
    shards = {("core", n): ShardEvidence("core", n, "u1", drained=drained) for n in range(2)}
    base = snapshot_of(PLAN, pods=views, jobs=works, shards=shards)
    for past in (Past(started_at=T0), Past()):
        decision = decide(PLAN, base, past, Orders(), T0 + 60)
        assert decision == decide(PLAN, base, past, Orders(), T0 + 60)
        assert decision.verdict is None or decision.verdict.state is not State.PASSED
        status = project(PLAN, base, decision, TestRunStatus(), Moment(T0 + 60, 1))
        stored = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        assert not list(problems(STATUS_SCHEMA, stored))
        assert len(json.dumps(stored, allow_nan=False)) < 100 * 1024
    for view in views:
        assert is_culprit(view, base) in {True, False}


@given(st.lists(objects(st.just({})), max_size=6), st.sets(st.sampled_from([RUN.uid, OTHER.uid, "gone"])))
def test_only_what_has_the_name_of_an_environment_is_swept(namespaces: list[Object], uids: set[str]) -> None:
    for item, name in zip(
        namespaces, [NAMESPACE, "kube-system", run_namespace(OTHER), "team-a", NAMESPACE], strict=False
    ):
        item["metadata"]["name"] = name
    orphans = find_orphans(namespaces, uids)
    assert set(orphans) <= {NAMESPACE, run_namespace(OTHER)}
    assert not (NAMESPACE in orphans and RUN.uid in uids)
    assert not (run_namespace(OTHER) in orphans and OTHER.uid in uids)


@st.composite
def poison(draw: st.DrawFn) -> Object:
    """An object of a tenant that says it is of the other's run."""
    component = draw(st.sampled_from(["service", "environment", "application", "suite"]))
    role = {"service": "redis", "environment": "environment", "application": "app", "suite": "core"}[component]
    container = draw(st.sampled_from([running, lambda name: ended(name, 1)]))
    shard = 0 if component == "suite" else None
    phase = draw(st.sampled_from(["Running", "Failed", "Succeeded"]))
    item = pod_object(component, role, container(role if shard is None else "suite"), shard=shard, phase=phase, run=RUN)
    item["metadata"] |= {"namespace": draw(st.sampled_from(["team-b", run_namespace(OTHER)])), "uid": "foreign"}
    item["metadata"]["labels"] |= draw(LABELS) | component_labels(RUN, component, role)
    return item


@few(10)
@given(items=st.lists(poison(), min_size=1, max_size=3), when=st.booleans())
def test_nobody_can_reach_into_the_run_of_another(clock: Clock, items: list[Object], when: bool) -> None:  # noqa: FBT001
    """Two runs side by side; whoever may make pods labels some with the uid of one of them."""

    async def go() -> tuple[Object, Object]:
        simulation = Simulation(clock)
        simulation.node.records["core", 0] = whole(failed("theirs"), rc=1)
        simulation.start(simulation.add({"services": {"redis": {}}, "suites": [{"name": "core"}]}, OTHER))
        theirs = await simulation.until("Failed", OTHER)
        del simulation.node.records["core", 0]

        def plant() -> None:
            for number, item in enumerate(items):
                key = ("Pod", item["metadata"]["namespace"], f"poison-{number}")
                simulation.cluster.objects[key] = item

        if when:
            plant()
        spec = {
            "services": {"redis": {}},
            "applications": [{"name": "app", "image": "app:1"}],
            "suites": [{"name": "core"}],
        }
        simulation.start(simulation.add(spec, RUN))
        plant()
        simulation.cluster.touch()
        mine = await simulation.until_over(RUN)
        await simulation.stop()
        return mine, theirs

    mine, theirs = asyncio.run(go())
    assert (mine["phase"], mine["reason"], theirs["phase"]) == ("Passed", "AllTestsPassed", "Failed")
