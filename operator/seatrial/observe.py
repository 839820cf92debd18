"""Watched objects -> Snapshot: what can be seen of a run right now, in the run's own words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from seatrial.credentials import redact
from seatrial.naming import (
    COMPONENT_LABEL,
    NAME_LABEL,
    RELAY_CONTAINER,
    RUN_UID_LABEL,
    SHARD_LABEL,
    SUITE_CONTAINER,
    is_environment_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial.environment import EnvironmentState
    from seatrial.evidence import ShardEvidence

Object = dict[str, Any]

PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "SignatureValidationFailed"})
"""Waiting reasons that may pass: a registry can come back."""
IMAGE_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
"""Waiting reasons of an image that will never run."""
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
"""Waiting reasons of a container that cannot be made from its image."""


@dataclass(frozen=True)
class ContainerView:
    """One container of a pod."""

    name: str
    image: str
    running: bool
    ready: bool
    restarts: int
    waiting_reason: str = ""
    waiting_message: str = ""
    exit_code: int | None = None
    end_reason: str = ""
    end_message: str = ""

    @property
    def terminated(self) -> bool:
        return self.exit_code is not None and not self.running


@dataclass(frozen=True)
class PodView:
    """One pod of the run."""

    name: str
    uid: str
    component: str
    role: str
    """Name of the service, application or suite."""
    shard: int
    phase: str
    created_at: float
    deleted: bool
    ready: bool
    containers: tuple[ContainerView, ...]
    reason: str = ""
    message: str = ""
    unschedulable: str = ""

    @property
    def terminated(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.phase in {"Succeeded", "Failed"}

    def container(self, name: str) -> ContainerView | None:
        return next((container for container in self.containers if container.name == name), None)

    @property
    def main(self) -> ContainerView | None:
        """The container that the pod is there for."""
        if self.component == "suite":
            return self.container(SUITE_CONTAINER)
        return self.container(self.role)

    def container_runs(self, name: str) -> bool:
        """Whether a container has something to say: it runs, or it has run."""
        container = self.container(name)
        return container is not None and (container.running or container.terminated)

    @property
    def relay_speaks(self) -> bool:
        return self.container_runs(RELAY_CONTAINER)


@dataclass(frozen=True)
class JobView:
    """A suite's Job."""

    suite: str
    created_at: float
    failed_reason: str = ""
    failed_message: str = ""
    deleted: bool = False


@dataclass(frozen=True)
class Snapshot:
    """All that is known about a run at one moment."""

    namespace_exists: bool
    namespace_terminating: bool
    namespace_seen: bool
    """Whether it existed at some moment since this process knows the run: watches lag behind creations."""
    pods: tuple[PodView, ...]
    jobs: tuple[JobView, ...]
    environment: EnvironmentState
    shards: Mapping[tuple[str, int], ShardEvidence] = field(default_factory=dict)
    """By (suite, shard)."""
    applied: frozenset[str] = frozenset()
    """Steps that this process has carried out."""
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Step -> (reason, message) of an object that the API server refused for good."""
    tails: Mapping[str, str] = field(default_factory=dict)
    """Pod name -> last lines of a failed container's log."""
    events: Mapping[str, str] = field(default_factory=dict)
    """Job name -> message of its last warning event (a quota, an admission refusal)."""
    has_slot: bool = True
    """Whether the run may start now."""
    place: str = ""
    """What it waits for, and where it stands, when it may not."""

    def pods_of(self, component: str, role: str | None = None) -> tuple[PodView, ...]:
        return tuple(pod for pod in self.pods if pod.component == component and (role is None or pod.role == role))

    def job(self, suite: str) -> JobView | None:
        return next((job for job in self.jobs if job.suite == suite), None)


def seconds(timestamp: str | None) -> float:
    """Seconds since the epoch of an API timestamp; 0 when there is none."""
    if not timestamp:
        return 0.0
    return datetime.fromisoformat(timestamp).timestamp()


def view_pods(pods: Iterable[Object], uid: str) -> tuple[PodView, ...]:
    """The run's pods, oldest first."""
    mine = (pod for pod in pods if _is_of(pod, uid))
    return tuple(sorted((view_pod(pod) for pod in mine), key=lambda pod: (pod.created_at, pod.name)))


def view_pod(pod: Object) -> PodView:
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels = _labels(pod)
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    shard = labels.get(SHARD_LABEL, "0")
    return PodView(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        component=labels.get(COMPONENT_LABEL, ""),
        role=labels.get(NAME_LABEL, ""),
        shard=int(shard) if shard.isdecimal() else 0,
        phase=status.get("phase", ""),
        created_at=seconds(metadata.get("creationTimestamp")),
        deleted="deletionTimestamp" in metadata,
        ready=(conditions.get("Ready") or {}).get("status") == "True",
        containers=tuple(_view_container(item) for item in statuses),
        reason=status.get("reason", ""),
        message=redact(status.get("message", "")),
        unschedulable=scheduled.get("message", "") if scheduled.get("status") == "False" else "",
    )


def _view_container(status: Object) -> ContainerView:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    terminated = state.get("terminated")
    if terminated is None and status.get("restartCount", 0) > 0:
        # Between two attempts of a crash loop, and during the next, only the last state tells how it ended.
        terminated = (status.get("lastState") or {}).get("terminated")
    terminated = terminated or {}
    return ContainerView(
        name=status.get("name", ""),
        image=status.get("image", ""),
        running="running" in state,
        ready=bool(status.get("ready")),
        restarts=int(status.get("restartCount", 0)),
        waiting_reason=waiting.get("reason", ""),
        waiting_message=redact(waiting.get("message", "")),
        exit_code=terminated.get("exitCode"),
        end_reason=terminated.get("reason", ""),
        end_message=redact(terminated.get("message", "")),
    )


def view_jobs(jobs: Iterable[Object], uid: str) -> tuple[JobView, ...]:
    """The run's Jobs."""
    return tuple(_view_job(job) for job in jobs if _is_of(job, uid))


def _view_job(job: Object) -> JobView:
    status = job.get("status") or {}
    failed: Object = next(
        (
            item
            for item in status.get("conditions") or ()
            if item.get("type") == "Failed" and item.get("status") == "True"
        ),
        {},
    )
    return JobView(
        suite=_labels(job).get(NAME_LABEL, ""),
        created_at=seconds(job["metadata"].get("creationTimestamp")),
        failed_reason=failed.get("reason", ""),
        failed_message=failed.get("message", ""),
        deleted="deletionTimestamp" in job["metadata"],
    )


def _is_of(item: Object, uid: str) -> bool:
    """Whether an object is of a run: anybody can put its uid into a label, in a namespace of their own."""
    return _labels(item).get(RUN_UID_LABEL) == uid and is_environment_of(item["metadata"].get("namespace", ""), uid)


def _labels(item: Object) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}
