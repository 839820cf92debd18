"""The run's namespace and what isolates it. Everything here exists before the first pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.naming import (
    RUN_ANNOTATION,
    RUN_NAMESPACE_ANNOTATION,
    RUN_UID_ANNOTATION,
    RunId,
    run_labels,
    run_namespace,
)
from seatrial.plan.pods import SERVICE_ACCOUNT, metadata

if TYPE_CHECKING:
    from seatrial.plan.model import Object
    from seatrial.settings import DnsSelector, Quota


def namespace(run: RunId) -> Object:
    """The namespace. A namespaced TestRun cannot own it, so labels and annotations say whose it is."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": run_namespace(run),
            "labels": {
                **run_labels(run),
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/audit": "restricted",
            },
            "annotations": {
                RUN_ANNOTATION: run.name,
                RUN_NAMESPACE_ANNOTATION: run.namespace,
                RUN_UID_ANNOTATION: run.uid,
            },
        },
    }


def isolation(run: RunId, quota: Quota, dns: DnsSelector) -> tuple[Object, ...]:
    """Service account, quota, limit range and network policies."""
    labels = run_labels(run)
    return (
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(run, SERVICE_ACCOUNT, labels),
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata(run, "run", labels),
            "spec": {
                "hard": {
                    "pods": str(quota.pods),
                    "requests.cpu": quota.requests_cpu,
                    "requests.memory": quota.requests_memory,
                    "limits.memory": quota.limits_memory,
                    "services.nodeports": "0",
                    "services.loadbalancers": "0",
                    "persistentvolumeclaims": "0",
                }
            },
        },
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": metadata(run, "run", labels),
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"memory": "256Mi"},
                        "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
                    }
                ]
            },
        },
        *_network_policies(run, labels, dns),
    )


def _network_policies(run: RunId, labels: dict[str, str], dns: DnsSelector) -> tuple[Object, ...]:
    def policy(name: str, spec: Object) -> Object:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(run, name, labels),
            "spec": {"podSelector": {}, **spec},
        }

    everybody_here: list[Object] = [{"podSelector": {}}]
    dns_servers = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": dns.namespace}},
        "podSelector": {"matchLabels": dict(dns.labels)},
    }
    return (
        policy("default-deny", {"policyTypes": ["Ingress", "Egress"]}),
        policy(
            "same-namespace",
            {
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": everybody_here}],
                "egress": [{"to": everybody_here}],
            },
        ),
        policy(
            "dns",
            {
                "policyTypes": ["Egress"],
                "egress": [
                    {
                        "to": [dns_servers],
                        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
                    }
                ],
            },
        ),
    )
