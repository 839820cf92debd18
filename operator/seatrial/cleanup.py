"""After the verdict: the environment is kept as long as was asked for, and then seen gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.conditions import FALSE, TRUE
from seatrial.status import mark_cleaned, observe_generation, read_past

if TYPE_CHECKING:
    from seatrial.cluster import Cluster, World
    from seatrial.conditions import Aspect
    from seatrial.decide import Decision
    from seatrial.report import Reporter
    from seatrial.status import Moment

LOOK_AGAIN_SECONDS = 15.0
"""The safety net under the watches."""
GONE_SECONDS = 1.0
"""Between two questions whether a namespace that no watch shows is gone."""
PENDING_SECONDS = 120.0
"""How long a deletion may take before that is said."""


class CleanUp:
    """The end of one run's environment."""

    def __init__(self, cluster: Cluster, world: World, reporter: Reporter) -> None:
        self._cluster = cluster
        self._world = world
        self._reporter = reporter
        self._deleted_at: float | None = None
        """When this process asked for the deletion."""
        self._asked_at = 0.0

    async def look(self, namespace: str, decision: Decision, moment: Moment) -> float | None:
        """Do what there is to do. Returns how long to wait for the next look, or None when the environment is gone."""
        if self._reporter.status.observed_generation < moment.generation:
            await self._reporter.write(observe_generation(self._reporter.status, moment), moment.now)
        if read_past(self._reporter.status).cleaned:
            return None
        if not decision.clean_up:
            return min(LOOK_AGAIN_SECONDS, max(0.05, (decision.wake_at or moment.now) - moment.now))
        if self._deleted_at is None:
            await self._cluster.delete_environment(namespace)
            self._deleted_at = self._asked_at = moment.now
        elif await self._is_gone(namespace, moment.now):
            await self._report((TRUE, "Deleted", f"namespace {namespace} is gone"), moment)
            return None
        elif moment.now - self._deleted_at > PENDING_SECONDS:
            # Not how long by now: the status would change with every look.
            what = f"namespace {namespace} is still there after {PENDING_SECONDS:g} s"
            message = f"{what}; see why: kubectl get namespace {namespace} -o yaml"
            await self._report((FALSE, "CleanupPending", message), moment)
        return LOOK_AGAIN_SECONDS if self._world.namespace(namespace) is not None else GONE_SECONDS

    async def _is_gone(self, namespace: str, now: float) -> bool:
        """Whether the namespace is gone, as the API server says it; the watch only tells when to ask."""
        there = self._world.namespace(namespace) is not None
        if there and now < self._asked_at + LOOK_AGAIN_SECONDS:
            return False
        self._asked_at = now
        return (await self._cluster.read_environment(namespace))[0] is None

    async def _report(self, aspect: Aspect, moment: Moment) -> None:
        await self._reporter.write(mark_cleaned(self._reporter.status, aspect, moment), moment.now)
