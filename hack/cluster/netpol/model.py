"""What the rules are computed from: the few fields of pods, namespaces and policies that matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class NamedPort:
    """A container port that policies may name."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True)
class Pod:
    """A pod; `address` is None as long as it has none, when it has finished, and when it uses the node's network."""

    namespace: str
    name: str
    address: str | None
    labels: dict[str, str] = field(default_factory=dict)
    ports: tuple[NamedPort, ...] = ()


@dataclass(frozen=True)
class Namespace:
    """A namespace, for selectors over its labels."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """A NetworkPolicy with its spec as the API gives it."""

    namespace: str
    name: str
    spec: dict[str, Any]

    def directions(self) -> tuple[str, ...]:
        """`Ingress`, `Egress` or both; the API server fills in policyTypes, this is its rule for when it is absent."""
        default = ("Ingress", "Egress") if self.spec.get("egress") else ("Ingress",)
        return tuple(self.spec.get("policyTypes") or default)


@dataclass(frozen=True)
class World:
    """Everything at one moment."""

    pods: tuple[Pod, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    policies: tuple[Policy, ...] = ()


def parse_pod(item: dict[str, Any]) -> Pod:
    spec, status, metadata = item["spec"], item.get("status", {}), item["metadata"]
    own_network = not spec.get("hostNetwork") and status.get("phase") not in FINISHED
    sidecars = [c for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
    ports = tuple(
        NamedPort(port["name"], port.get("protocol", "TCP"), port["containerPort"])
        for container in (*spec["containers"], *sidecars)
        for port in container.get("ports", [])
        if port.get("name")
    )
    address = status.get("podIP") if own_network else None
    return Pod(metadata["namespace"], metadata["name"], address, metadata.get("labels") or {}, ports)


def takes_address(item: dict[str, Any]) -> bool:
    """Whether an address that the network plugin gave to this pod is (still) its own."""
    return not item["spec"].get("hostNetwork") and item.get("status", {}).get("phase") not in FINISHED


def parse_namespace(item: dict[str, Any]) -> Namespace:
    return Namespace(item["metadata"]["name"], item["metadata"].get("labels") or {})


def parse_policy(item: dict[str, Any]) -> Policy:
    return Policy(item["metadata"]["namespace"], item["metadata"]["name"], item["spec"])


def selects(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    """metav1.LabelSelector: None selects nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression_holds(expression, labels) for expression in selector.get("matchExpressions") or [])


def _expression_holds(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
