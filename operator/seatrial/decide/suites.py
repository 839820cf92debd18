"""How the suites stand: their records, their pods and their Jobs, put together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seatrial.decide.model import (
    CONFIG_GRACE_SECONDS,
    REFUSED_PODS_SECONDS,
    SUITE_PREFIX,
    Orders,
    Past,
    SuiteDecision,
    suite_step,
)
from seatrial.evidence import ShardEvidence
from seatrial.observe import CONFIG_REASONS, IMAGE_REASONS, PULL_REASONS
from seatrial.verdict import Judgement, State, judge_shard, judge_suite

if TYPE_CHECKING:
    from seatrial.observe import PodView, Snapshot
    from seatrial.plan import PlannedSuite


def decide_suite(
    suite: PlannedSuite, snapshot: Snapshot, past: Past, orders: Orders, now: float, *, room_seconds: float
) -> SuiteDecision:
    """Judge one suite by all that is known of it now. `room_seconds`: how long a pod may wait for a node."""
    evidence = [shard_evidence(snapshot, suite.name, index) for index in range(suite.shards)]
    pods = snapshot.pods_of("suite", suite.name)
    refused = snapshot.refused.get(suite_step(suite.name))
    if refused is not None:
        return SuiteDecision(Judgement(State.ERROR, *refused))
    known = past.suites.get(suite.name)
    was = known.judgement.state if known else State.PENDING
    if known is not None and was.ended:  # whatever becomes of its pods
        return known
    if was in {State.WAITING, State.RUNNING} and snapshot.job(suite.name) is None and not pods:
        complete = all(item.end is not None for item in evidence)
        if not complete:
            return SuiteDecision(Judgement(State.ERROR, "JobDeleted", f"the Job of suite {suite.name} is gone"))
    shards = []
    for item in evidence:
        pod = next((pod for pod in pods if pod.shard == item.shard), None)
        judgement = judge_shard(item, pod, shards=suite.shards, junit=suite.junit)
        if item.end is None and _past_deadline(suite, snapshot, item, pod):
            message = f"suite {suite.name} was stopped by its Job's deadline: {_known(item)}"
            judgement = Judgement(State.ERROR, "SuiteTimeout", message)
        elif pod is not None and not pod.terminated and now > overdue_at(suite, snapshot, pod):
            message = f"suite {suite.name} took longer than its timeout of {suite.timeout_seconds:g} s"
            judgement = Judgement(State.ERROR, "SuiteTimeout", message)
        elif pod is None and item.pod_uid and item.end is None:
            judgement = Judgement(State.ERROR, "PodDeleted", f"the pod of shard {item.shard} is gone: {_known(item)}")
        elif pod is not None and not judgement.state.ended:
            judgement = stuck(pod, orders, now) or _without_room(pod, snapshot, now, room_seconds) or judgement
        shards.append(judgement)
    judgement = judge_suite(shards, evidence)
    if not judgement.state.ended:
        failed = next((shard for shard in shards if shard.state is State.ERROR), None)
        never_started = all(shard.state in {State.PENDING, State.WAITING, State.ERROR} for shard in shards)
        if failed is not None and never_started:
            judgement = failed
        elif (refusal := _no_pods(suite, snapshot, now)) is not None:
            judgement = Judgement(State.ERROR, "PodRefused", refusal)
        elif was is State.RUNNING and judgement.state is not State.RUNNING:
            judgement = Judgement(State.RUNNING)  # who has been restarted reads its log from the start
    return SuiteDecision(judgement, tuple(shards))


def shard_evidence(snapshot: Snapshot, suite: str, index: int) -> ShardEvidence:
    return snapshot.shards.get((suite, index)) or ShardEvidence(suite, index)


def _known(evidence: ShardEvidence) -> str:
    return f"{evidence.finals} of {evidence.collected or 0} collected tests have an outcome"


def _past_deadline(suite: PlannedSuite, snapshot: Snapshot, evidence: ShardEvidence, pod: PodView | None) -> bool:
    """Whether Kubernetes has stopped the suite: a suite that is not pytest has no supervisor to do it."""
    job = snapshot.job(suite.name)
    over = pod is None or (pod.terminated and evidence.drained)
    return job is not None and job.failed_reason == "DeadlineExceeded" and over


def overdue_at(suite: PlannedSuite, snapshot: Snapshot, pod: PodView) -> float:
    """When a shard that is not pytest has had its time; it has no supervisor that would end it."""
    if not suite.junit or snapshot.environment.open_at is None:
        return math.inf
    return max(snapshot.environment.open_at, pod.created_at) + suite.timeout_seconds


def _no_pods(suite: PlannedSuite, snapshot: Snapshot, now: float) -> str | None:
    job = snapshot.job(suite.name)
    if job is None or snapshot.pods_of("suite", suite.name) or now - job.created_at < REFUSED_PODS_SECONDS:
        return None
    message = snapshot.events.get(f"{SUITE_PREFIX.rstrip(':')}-{suite.name}")
    if message is None:
        return None
    others = any(not pod.terminated for pod in snapshot.pods_of("suite"))
    if others and "quota" in message:
        return None  # the quota is freed when another suite ends
    return f"no pod could be created for suite {suite.name}: {message}"


def room_until(pod: PodView, snapshot: Snapshot, room_seconds: float) -> float:
    """Until when a suite's pod may wait for a node: as long as others run, one of them may make room."""
    others = any(other.phase == "Running" for other in snapshot.pods_of("suite"))
    return math.inf if others or not pod.unschedulable else pod.created_at + room_seconds


def _without_room(pod: PodView, snapshot: Snapshot, now: float, room_seconds: float) -> Judgement | None:
    if now < room_until(pod, snapshot, room_seconds):
        return None
    message = f"pod {pod.name} cannot be scheduled for {now - pod.created_at:.0f} s: {pod.unschedulable}"
    return Judgement(State.ERROR, "Unschedulable", message)


def stuck(pod: PodView, orders: Orders, now: float) -> Judgement | None:
    """A pod that cannot start, with the kubelet's own words."""
    age = now - pod.created_at
    for container in pod.containers:
        reason, said = container.waiting_reason, container.waiting_message
        message = f"pod {pod.name}, image {container.image!r}: {said or reason}"
        if reason in IMAGE_REASONS:
            return Judgement(State.ERROR, "InvalidImage", message)
        if reason in PULL_REASONS and age > orders.image_pull_seconds:
            return Judgement(State.ERROR, "ImagePullFailed", f"{message} (tried for {age:.0f} s)")
        if reason in CONFIG_REASONS and age > CONFIG_GRACE_SECONDS:
            return Judgement(State.ERROR, "ContainerRefused", message)
    return None
