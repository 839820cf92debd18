"""Where each kind is in the API. Fixed REST paths: discovery would cost 0.6 s at start."""

from __future__ import annotations

from typing import Any

from seatrial.api import GROUP, VERSION

_NAMESPACED = {
    ("v1", "ConfigMap"): "/api/v1/namespaces/{}/configmaps",
    ("v1", "Event"): "/api/v1/namespaces/{}/events",
    ("v1", "LimitRange"): "/api/v1/namespaces/{}/limitranges",
    ("v1", "Pod"): "/api/v1/namespaces/{}/pods",
    ("v1", "ResourceQuota"): "/api/v1/namespaces/{}/resourcequotas",
    ("v1", "Secret"): "/api/v1/namespaces/{}/secrets",
    ("v1", "Service"): "/api/v1/namespaces/{}/services",
    ("v1", "ServiceAccount"): "/api/v1/namespaces/{}/serviceaccounts",
    ("apps/v1", "Deployment"): "/apis/apps/v1/namespaces/{}/deployments",
    ("batch/v1", "Job"): "/apis/batch/v1/namespaces/{}/jobs",
    ("events.k8s.io/v1", "Event"): "/apis/events.k8s.io/v1/namespaces/{}/events",
    ("networking.k8s.io/v1", "NetworkPolicy"): "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    (f"{GROUP}/{VERSION}", "TestRun"): f"/apis/{GROUP}/{VERSION}/namespaces/{{}}/testruns",
    (f"{GROUP}/{VERSION}", "TestResultSlice"): f"/apis/{GROUP}/{VERSION}/namespaces/{{}}/testresultslices",
}

NAMESPACES = "/api/v1/namespaces"
TESTRUNS = f"/apis/{GROUP}/{VERSION}/testruns"
"""Those of all namespaces."""


def collection(api_version: str, kind: str, namespace: str) -> str:
    """Path of a kind's objects in a namespace."""
    return _NAMESPACED[api_version, kind].format(namespace)


def collection_of(item: dict[str, Any]) -> str:
    """Path of the collection that an object belongs to."""
    if item["kind"] == "Namespace":
        return NAMESPACES
    return collection(item["apiVersion"], item["kind"], item["metadata"]["namespace"])


def ours(kind: str, namespace: str) -> str:
    """Path of the objects of one of the product's own kinds."""
    return collection(f"{GROUP}/{VERSION}", kind, namespace)


def resource_of(path: str) -> str:
    """The resource that a path is about, for metrics: its plural, with the subresource behind a slash."""
    parts = path.strip("/").split("/")
    rest = (parts[2:] if parts[0] == "api" else parts[3:]) or parts  # /version has neither group nor resource
    if len(rest) > 2 and rest[0] == "namespaces":  # noqa: PLR2004  (namespaces/NAME/...)
        rest = rest[2:]
    return "/".join([rest[0], *rest[2:]])
