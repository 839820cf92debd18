"""The cluster's DNS: CoreDNS as a pod behind the usual Service address, and a query to see whether it answers."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import TYPE_CHECKING, Any

from hack.cluster.layout import CLUSTER_DOMAIN, COREDNS_IMAGE, DNS_SERVICE_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE = "kube-system"
LABELS = {"k8s-app": "kube-dns"}
# No cache: it would keep "no such name" for a Service that is about to exist. No forward: there is no world outside.
COREFILE = f"""\
.:53 {{
    errors
    health :8080 {{
        lameduck 0s
    }}
    ready :8181
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        pods disabled
        ttl 0
    }}
}}
"""
TYPE_A, CLASS_IN, RECURSION_DESIRED, ANSWER_CODE_MASK = 1, 1, 0x0100, 0x000F


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """The path to POST to and the object, in order."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    account = {"kind": "ServiceAccount", "name": "coredns", "namespace": NAMESPACE}
    yield (
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns"}},
    )
    yield (
        f"{rbac}/clusterroles",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": [
                {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            ],
        },
    )
    yield (
        f"{rbac}/clusterrolebindings",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
            "subjects": [account],
        },
    )
    yield (
        f"/api/v1/namespaces/{NAMESPACE}/configmaps",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns"}, "data": {"Corefile": COREFILE}},
    )
    yield f"/api/v1/namespaces/{NAMESPACE}/services", _service()
    yield f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _deployment()


def _service() -> dict[str, Any]:
    ports = [{"name": n, "port": 53, "targetPort": n, "protocol": p} for n, p in (("dns", "UDP"), ("dns-tcp", "TCP"))]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "labels": LABELS},
        "spec": {"clusterIP": DNS_SERVICE_ADDRESS, "selector": LABELS, "ports": ports},
    }


def _deployment() -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": COREDNS_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "timeoutSeconds": 5, "failureThreshold": 12},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "170Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            # Port 53 in the pod as well: policies ask for port 53 and are judged after the Service's translation.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "labels": LABELS},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        },
    }


def resolves(name: str, server: str = DNS_SERVICE_ADDRESS, timeout: float = 0.3) -> bool:
    """Whether `server` gives at least one IPv4 address for `name` (a full name without the last dot)."""
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = struct.pack(">6H", number, RECURSION_DESIRED, 1, 0, 0, 0) + labels + struct.pack(">2H", TYPE_A, CLASS_IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        try:
            client.connect((server, 53))
            client.send(question)
            answer = client.recv(512)
        except OSError:
            return False
    if len(answer) < len(question):
        return False
    got, flags, _, answers, _, _ = struct.unpack(">6H", answer[:12])
    return bool(got == number and flags & ANSWER_CODE_MASK == 0 and answers)
