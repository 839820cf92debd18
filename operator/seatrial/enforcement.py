"""Does this cluster enforce network policies? Tried at start with two pods, and said where people look.

A network plugin that knows no policies ignores them without a word, and then runs are not isolated from each other.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import TYPE_CHECKING

from seatrial import metrics
from seatrial.errors import ClusterError
from seatrial.naming import STATUS_CONFIG_MAP, RunId, run_namespace
from seatrial.policy_trial import NEXT, Enforced, Finding, policies, stuck, try_policies
from seatrial.status import timestamp
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.cluster import Cluster
    from seatrial.settings import Settings

logger = logging.getLogger(__name__)

CHECK_SECONDS = 90.0
AGAIN_SECONDS = 600.0
"""Until the next try, where policies are not enforced."""
UNKNOWN_SECONDS = 30.0
"""Until the next try, where it could not be tried; each time twice as long, up to UNKNOWN_MOST_SECONDS."""
UNKNOWN_MOST_SECONDS = 300.0


class Enforcement:
    """What is known about the cluster's network policies, and what follows for runs."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.finding = Finding(Enforced.UNKNOWN, "whether the cluster enforces network policies is being tried")
        self.in_use: set[str] = set()
        """Uids of the tries that go on: no TestRun has them."""
        self._told: tuple[Enforced, str] | None = None
        """What the last Event says."""
        self._cluster = cluster
        self._settings = settings

    def barred(self) -> Judgement | None:
        """Why no run may start, where policies are required."""
        if not self._settings.network_policies.required or self.finding.enforced is Enforced.TRUE:
            return None
        if self.finding.enforced is Enforced.FALSE:
            return Judgement(State.ERROR, "NetworkPoliciesNotEnforced", self.finding.text)
        return Judgement(State.PENDING, "NetworkPoliciesUnknown", self.finding.text)

    async def watch(self, tell: Callable[[], None]) -> None:
        """Try, and again now and then until policies are enforced. `tell` is called when something is known."""
        self._count()
        pause = UNKNOWN_SECONDS
        while True:
            self.finding = await self._try()
            self._count()
            log = logger.info if self.finding.enforced is Enforced.TRUE else logger.warning
            log("network policies enforced: %s: %s", self.finding.enforced, self.finding.text)
            tell()
            await self._publish()
            if self.finding.enforced is Enforced.TRUE:
                return
            if self.finding.enforced is Enforced.UNKNOWN:
                await asyncio.sleep(pause)
                pause = min(pause * 2, UNKNOWN_MOST_SECONDS)
            else:
                pause = UNKNOWN_SECONDS
                await asyncio.sleep(AGAIN_SECONDS)

    def _count(self) -> None:
        for status in Enforced:
            metrics.NETWORK_POLICIES.labels(status).set(status is self.finding.enforced)

    async def _try(self) -> Finding:
        home = self._settings.account.partition(":")[0] or "default"
        run = RunId("network-check", home, str(uuid.uuid4()))
        self.in_use.add(run.uid)
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await try_policies(self._cluster, self._settings, run, policies(run))
        except TimeoutError:
            return await self._stuck(run)
        except ClusterError as error:
            return _failed(error, run)
        except Exception as error:
            logger.exception("a defect while network policies were tried")  # no reason to stop the operator
            return Finding(Enforced.UNKNOWN, f"it cannot be tried: {error!r}")
        finally:
            await self._clean_up(run)

    async def _stuck(self, run: RunId) -> Finding:
        try:
            return await stuck(self._cluster, run, CHECK_SECONDS)
        except ClusterError as error:
            return _failed(error, run)

    async def _clean_up(self, run: RunId) -> None:
        try:
            await self._cluster.delete_environment(run_namespace(run))
        except ClusterError as error:
            logger.warning("namespace %s is left to the sweep: %s", run_namespace(run), error)
        self.in_use.discard(run.uid)

    async def _publish(self) -> None:
        """Say it in a ConfigMap that everybody may read and, when it is something new, in an Event."""
        home, found, at = self._settings.account.partition(":")[0], self.finding, timestamp(time.time())
        if not home:
            return
        fine = found.enforced is Enforced.TRUE
        reason = {
            Enforced.TRUE: "NetworkPoliciesEnforced",
            Enforced.FALSE: "NetworkPoliciesNotEnforced",
            Enforced.UNKNOWN: "NetworkPoliciesUnknown",
        }[found.enforced]
        data = {
            "networkPoliciesEnforced": found.enforced.value,
            "networkPoliciesMessage": found.text,
            "checkedAt": at,
        }
        status = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": STATUS_CONFIG_MAP, "namespace": home},
            "data": data,
        }
        try:
            await self._cluster.apply(status)
            if self._told != (found.enforced, found.message):
                name = f"seatrial.{uuid.uuid4().hex[:16]}"
                await self._cluster.record_own_event(
                    home, name, warning=not fine, reason=reason, message=found.text, at=at
                )
                self._told = (found.enforced, found.message)
        except ClusterError as error:
            logger.warning("what was found out about network policies cannot be published: %s", error)


def _failed(error: ClusterError, run: RunId) -> Finding:
    space = run_namespace(run)
    same = str(error).replace(space, "seatrial-network-check-...")
    return Finding(
        Enforced.UNKNOWN, f"it cannot be tried: {same}", f"in namespace {space}; look at the next try: {NEXT}"
    )
