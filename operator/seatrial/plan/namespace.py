"""The run's namespace and what isolates it. Everything here exists before the first pod."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from seatrial.naming import (
    OPERATOR_BINDING,
    OPERATOR_ROLE,
    RUN_ANNOTATION,
    RUN_NAMESPACE_ANNOTATION,
    RUN_UID_ANNOTATION,
    RunId,
    run_labels,
    run_namespace,
)
from seatrial.plan.pods import SERVICE_ACCOUNT, metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.plan.model import Object
    from seatrial.settings import DnsSelector, Egress, Quota, Settings


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


def binding(run: RunId, account: str) -> Object | None:
    """What gives the operator's own service account (`NAMESPACE:NAME`) its rights in the run's namespace."""
    if not account:
        return None
    namespace, _, name = account.partition(":")
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(run, OPERATOR_BINDING, run_labels(run)),
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": OPERATOR_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def isolation(run: RunId, settings: Settings) -> tuple[Object, ...]:
    """Service account, quota, limit range and network policies."""
    labels = run_labels(run)
    quota = settings.quota
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
                    "limits.cpu": quota.limits_cpu,
                    "limits.memory": quota.limits_memory,
                    "limits.ephemeral-storage": quota.limits_ephemeral_storage,
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
            "spec": {"limits": [_container_limits(quota)]},
        },
        *network_policies(run, settings.dns, settings.egress),
    )


def _container_limits(quota: Quota) -> Object:
    """What a container gets that says nothing itself."""
    disk = "ephemeral-storage"
    return {
        "type": "Container",
        "default": {"cpu": quota.container_cpu, "memory": "256Mi", disk: quota.container_ephemeral_storage},
        # Nothing is set aside on the node's disk: the limit is there for what goes wrong.
        "defaultRequest": {"cpu": "50m", "memory": "64Mi", disk: "0"},
    }


def network_policies(run: RunId, dns: DnsSelector, egress: Sequence[Egress]) -> tuple[Object, ...]:
    """Nothing goes in or out, but within the namespace, to DNS, and to what the administrator has named."""
    labels = run_labels(run)

    def policy(name: str, spec: Object) -> Object:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(run, name, labels),
            "spec": {"podSelector": {}, **spec},
        }

    everybody_here: list[Object] = [{"podSelector": {}}]
    outside = [_egress_rule(item) for item in egress if _concerns(item, run)]
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
        *([policy("egress", {"policyTypes": ["Egress"], "egress": outside})] if outside else []),
    )


def _concerns(egress: Egress, run: RunId) -> bool:
    return any(fnmatchcase(run.namespace, pattern) for pattern in egress.namespaces)


def _egress_rule(egress: Egress) -> Object:
    block: Object = {"cidr": str(egress.cidr)}
    if egress.excluded:
        block["except"] = [str(network) for network in egress.excluded]
    ports = [port.model_dump(by_alias=True, exclude_none=True) for port in egress.ports]
    return {"to": [{"ipBlock": block}], "ports": ports}
