"""Does this cluster enforce network policies? Tried at start with two pods, and said where people look.

A network plugin that knows no policies ignores them without a word, and then runs are not isolated from each other.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from seatrial import metrics
from seatrial.agent.network_check import NOT_IN, NOT_OUT, OPEN, PORTS
from seatrial.errors import ClusterError
from seatrial.naming import NAME_LABEL, STATUS_CONFIG_MAP, RunId, component_labels, run_labels, run_namespace
from seatrial.plan.environment import AGENT_USER
from seatrial.plan.namespace import binding, isolation, namespace
from seatrial.plan.pods import container_security, metadata, pod_spec, resources
from seatrial.status import timestamp
from seatrial.verdict import Judgement, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.cluster import Cluster
    from seatrial.plan.model import Object
    from seatrial.settings import Settings

logger = logging.getLogger(__name__)

COMPONENT = "check"
SERVER, CLIENT = "server", "client"
CHECK_SECONDS = 90.0
LOOK_SECONDS = 0.2
AGAIN_SECONDS = 600.0
"""Until the next try, where policies are not enforced."""
UNKNOWN_SECONDS = 30.0
"""Until the next try, where it could not be tried."""


class Enforced(StrEnum):
    """As in a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Finding:
    """What was found out, for people."""

    enforced: Enforced
    message: str


class Enforcement:
    """What is known about the cluster's network policies, and what follows for runs."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self.finding = Finding(Enforced.UNKNOWN, "whether the cluster enforces network policies is being tried")
        self.in_use: set[str] = set()
        """Uids of the tries that go on: no TestRun has them."""
        self._cluster = cluster
        self._settings = settings

    def barred(self) -> Judgement | None:
        """Why no run may start, where policies are required."""
        if not self._settings.network_policies.required or self.finding.enforced is Enforced.TRUE:
            return None
        if self.finding.enforced is Enforced.FALSE:
            return Judgement(State.ERROR, "NetworkPoliciesNotEnforced", self.finding.message)
        return Judgement(State.PENDING, "NetworkPoliciesUnknown", self.finding.message)

    async def watch(self, tell: Callable[[], None]) -> None:
        """Try, and again now and then until policies are enforced. `tell` is called when something is known."""
        self._count()
        while True:
            self.finding = await self._try()
            self._count()
            log = logger.info if self.finding.enforced is Enforced.TRUE else logger.warning
            log("network policies enforced: %s: %s", self.finding.enforced, self.finding.message)
            tell()
            await self._publish()
            if self.finding.enforced is Enforced.TRUE:
                return
            known = self.finding.enforced is not Enforced.UNKNOWN
            await asyncio.sleep(AGAIN_SECONDS if known else UNKNOWN_SECONDS)

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
            return Finding(Enforced.UNKNOWN, f"the pods that try it did not run within {CHECK_SECONDS:g} s")
        except ClusterError as error:
            return Finding(Enforced.UNKNOWN, f"it cannot be tried: {error}")
        except Exception as error:
            logger.exception("a defect while network policies were tried")  # no reason to stop the operator
            return Finding(Enforced.UNKNOWN, f"it cannot be tried: {error!r}")
        finally:
            await self._clean_up(run)

    async def _clean_up(self, run: RunId) -> None:
        try:
            await self._cluster.delete_environment(run_namespace(run))
        except ClusterError as error:
            logger.warning("namespace %s is left to the sweep: %s", run_namespace(run), error)
        self.in_use.discard(run.uid)

    async def _publish(self) -> None:
        """Say it in an Event, and in a ConfigMap that everybody may read."""
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
            "networkPoliciesMessage": found.message,
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
            await self._cluster.record_own_event(
                home, f"seatrial.{uuid.uuid4().hex[:16]}", warning=not fine, reason=reason, message=found.message, at=at
            )
        except ClusterError as error:
            logger.warning("what was found out about network policies cannot be published: %s", error)


async def try_policies(cluster: Cluster, settings: Settings, run: RunId, wanted: tuple[Object, ...]) -> Finding:
    """Try connections under some policies, in a namespace like that of a run. The caller deletes it."""
    await cluster.create_once(namespace(run))
    if (own := binding(run, settings.account)) is not None:
        await cluster.create_once(own)
    for item in (*isolation(run, settings), *wanted):
        if item["kind"] != "NetworkPolicy" or item in wanted:
            await cluster.apply(item)
    await cluster.create_once(_pod(run, settings, SERVER, "serve"))
    server = await _status(
        cluster, run, SERVER, lambda status: bool(status.get("podIP")) and status.get("phase") == "Running"
    )
    await cluster.create_once(_pod(run, settings, CLIENT, "dial", server["podIP"]))
    client = await _status(cluster, run, CLIENT, lambda status: status.get("phase") in {"Succeeded", "Failed"})
    return judge(_last_words(client))


def judge(seen: Any) -> Finding:
    """What the client's words say about the cluster."""
    if not isinstance(seen, dict) or not seen.get("reached"):
        return Finding(Enforced.UNKNOWN, f"a connection that policies allow did not come about either: {seen!r}")
    open_ways = [
        what for way, what in (("ingress", "into"), ("egress", "out of")) if not seen.get(way)
    ]  # fmt: skip
    if open_ways:
        ways = " and ".join(open_ways)
        return Finding(
            Enforced.FALSE,
            f"the cluster's network plugin lets connections {ways} pods pass that a NetworkPolicy refuses: runs are "
            "not isolated; install a plugin that enforces policies, or none but trusted people may create TestRuns",
        )
    return Finding(Enforced.TRUE, "connections that a NetworkPolicy refuses were refused, on both of their ends")


def policies(run: RunId) -> tuple[Object, ...]:
    """One port is allowed on both ends, one where it leaves alone, and one where it arrives alone."""

    def policy(name: str, selector: Object, **spec: Any) -> Object:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(run, name, run_labels(run)),
            "spec": {"podSelector": selector, **spec},
        }

    client, server = ({"matchLabels": {NAME_LABEL: name}} for name in (CLIENT, SERVER))
    out, into = ([{"protocol": "TCP", "port": port} for port in (OPEN, other)] for other in (NOT_IN, NOT_OUT))
    return (
        policy("default-deny", {}, policyTypes=["Ingress", "Egress"]),
        policy("out", client, policyTypes=["Egress"], egress=[{"to": [{"podSelector": server}], "ports": out}]),
        policy("in", server, policyTypes=["Ingress"], ingress=[{"from": [{"podSelector": client}], "ports": into}]),
    )


def _pod(run: RunId, settings: Settings, name: str, *arguments: str) -> Object:
    container = {
        "name": name,
        "image": settings.images.agent,
        "imagePullPolicy": settings.images.pull_policy,
        "command": ["python", "-m", "seatrial.agent.network_check", *arguments],
        "ports": [{"containerPort": port} for port in PORTS] if name == SERVER else [],
        "resources": resources("20m", "32Mi", "64Mi"),
        "securityContext": container_security(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(run, name, component_labels(run, COMPONENT, name)),
        "spec": pod_spec(user=AGENT_USER, restartPolicy="Never", containers=[container]),
    }


async def _status(cluster: Cluster, run: RunId, name: str, holds: Callable[[Object], bool]) -> Object:
    """The status of a pod once it is as wanted; the caller has a deadline."""
    while True:
        _, pods, _ = await cluster.read_environment(run_namespace(run))
        for pod in pods:
            status: Object = pod.get("status") or {}
            if pod["metadata"]["name"] == name and holds(status):
                return status
        await asyncio.sleep(LOOK_SECONDS)


def _last_words(status: Object) -> Any:
    for container in status.get("containerStatuses") or ():
        text = ((container.get("state") or {}).get("terminated") or {}).get("message") or ""
        try:
            return json.loads(text)
        except ValueError:
            return text
    return None
