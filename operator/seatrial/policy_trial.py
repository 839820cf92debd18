"""Connections between two pods that tell whether the cluster enforces network policies."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from seatrial.agent.network_check import NOT_IN, NOT_OUT, OPEN, PORTS
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, RunId, component_labels, run_labels, run_namespace
from seatrial.observe import PodView, view_pods
from seatrial.plan.environment import AGENT_USER
from seatrial.plan.namespace import binding, isolation, namespace
from seatrial.plan.pods import container_security, metadata, placement, pod_spec, resources

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.cluster import Cluster
    from seatrial.plan.model import Object
    from seatrial.settings import Settings

COMPONENT = "check"
SERVER, CLIENT = "server", "client"
LOOK_SECONDS = 0.2
NEXT = f"kubectl get pods --all-namespaces --watch -l {COMPONENT_LABEL}={COMPONENT}"
"""Shows the pods of the next try: those of the last one are gone with their namespace."""


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
    """The same for the same reason."""
    details: str = ""
    """What is different each time."""

    @property
    def text(self) -> str:
        return f"{self.message}; {self.details}" if self.details else self.message


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
        "spec": pod_spec(user=AGENT_USER, restartPolicy="Never", containers=[container]) | placement(settings.runs),
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


async def stuck(cluster: Cluster, run: RunId, seconds: float) -> Finding:
    """Why nothing was found out in that time: what its pods say. Raises ClusterError."""
    space = run_namespace(run)
    _, pods, _ = await cluster.read_environment(space)
    seen = [f"pod {pod.name} {_state(pod)}" for pod in view_pods(pods, run.uid)] or ["there is no pod"]
    return Finding(
        Enforced.UNKNOWN,
        f"the two pods that try it did not come to their end: {', '.join(seen)}",
        f"waited {seconds:g} s for pods {SERVER} and {CLIENT} in namespace {space}; look at the next try: {NEXT}",
    )


def _state(pod: PodView) -> str:
    for container in pod.containers:
        if container.waiting_reason:
            return f"waits ({container.waiting_reason}) {container.waiting_message}".rstrip()
    if pod.unschedulable:
        return f"is not scheduled: {pod.unschedulable}"
    return f"is {pod.phase or 'not seen by any node yet'}"
