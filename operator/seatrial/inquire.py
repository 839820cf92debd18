"""Asking for what no watch tells: the last words of a container, and why a controller makes no pod."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from seatrial.credentials import redact
from seatrial.errors import ClusterError
from seatrial.verdict import State

if TYPE_CHECKING:
    from seatrial.cluster import Cluster
    from seatrial.decide import Decision, Past
    from seatrial.naming import RunId
    from seatrial.observe import PodView, Snapshot
    from seatrial.plan import Plan

logger = logging.getLogger(__name__)

REFUSALS_AFTER_SECONDS = 3.0
TAIL_LINES = 12


class Inquiry:
    """What was asked about one run, and answered."""

    def __init__(self, run: RunId, cluster: Cluster) -> None:
        self.tails: dict[str, str] = {}
        """Pod name -> last lines of its log."""
        self.refusals: dict[str, str] = {}
        """Name of a Job or ReplicaSet -> why its controller could not create a pod."""
        self._run = run
        self._cluster = cluster

    async def ask(
        self, plan: Plan, snapshot: Snapshot, decision: Decision, applications_at: float | None, now: float
    ) -> bool:
        """Ask what the decision depends on. Returns whether something was learnt.

        `applications_at` is when the applications were created, if this process did so.
        """
        before = dict(self.tails), dict(self.refusals)
        if decision.held is None and _lacks_pods(plan, snapshot, applications_at, now):
            self.refusals = await self._cluster.list_refusals(plan.namespace_name)
        if _is_error(decision):
            # Before an Error is final, read the last words of whoever may have caused it.
            culprits = [pod for pod in snapshot.pods if is_culprit(pod, snapshot) and pod.name not in self.tails]
            await asyncio.gather(*(self._read_tail(plan, pod) for pod in culprits))
        return before != (self.tails, self.refusals)

    async def _read_tail(self, plan: Plan, pod: PodView) -> None:
        main = pod.main
        if main is None or not (main.running or main.terminated or main.restarts):
            return
        tails = [
            tail
            for previous in (False, True)
            if (tail := await self._read_log(plan, pod.name, main.name, previous=previous)) is not None
        ]
        if tails:
            # A crashed container is started anew at once, and its log is then the previous one. Asked in this order:
            # whoever has no previous log now had none before either, so that the first answer was the right one.
            self.tails[pod.name] = tails[-1]

    async def _read_log(self, plan: Plan, pod: str, container: str, *, previous: bool) -> str | None:
        try:
            tail = await self._cluster.tail_log(plan.namespace_name, pod, container, TAIL_LINES, previous=previous)
        except ClusterError as error:
            logger.debug("%s: no log of pod %s (previous: %s): %s", self._run, pod, previous, error)
            return None
        return redact(tail)


def _is_error(decision: Decision) -> bool:
    """Whether a decision is an Error of the run that does not come from its suites."""
    return decision.verdict is not None and decision.verdict.state is State.ERROR and not decision.complete


def is_doubtful(decision: Decision, snapshot: Snapshot, past: Past) -> bool:
    """Whether a verdict rests on what a watch shows, or its environment has never been seen ready."""
    known = past.environment_ready or snapshot.environment.is_open or snapshot.environment.failed_reason
    return _is_error(decision) or (decision.verdict is not None and not known)


def suites_in_doubt(decision: Decision, past: Past) -> frozenset[str]:
    """The suites that this decision ends with an Error: once that is in the status nothing changes it any more.

    It may rest on what a watch shows of pods and Jobs, as long as others go on as well as at the end of the run.
    """
    return frozenset(
        name
        for name, suite in decision.suites.items()
        if suite.judgement.state is State.ERROR
        and not (name in past.suites and past.suites[name].judgement.state.ended)
    )


def _lacks_pods(plan: Plan, snapshot: Snapshot, applications_at: float | None, now: float) -> bool:
    """Whether a controller has had time enough to create a pod and has not."""
    if any(
        now - job.created_at > REFUSALS_AFTER_SECONDS and not snapshot.pods_of("suite", job.suite)
        for job in snapshot.jobs
    ):
        return True
    return (
        applications_at is not None
        and now - applications_at > REFUSALS_AFTER_SECONDS
        and any(not snapshot.pods_of("application", item.name) for item in plan.applications)
    )


def is_culprit(pod: PodView, snapshot: Snapshot) -> bool:
    """Whether a pod of the environment has died or keeps the others waiting."""
    if pod.component not in {"service", "environment", "application"}:
        return False
    main = pod.main
    if pod.terminated or (main is not None and (main.terminated or main.restarts > 0)):
        return True
    known = {**snapshot.environment.services, **snapshot.environment.applications}.get(pod.role)
    return pod.component != "environment" and (
        known is None or known.ready_after is None or (pod.component == "service" and not known.seeded)
    )
