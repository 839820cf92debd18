"""Network policies as tables of packets: what passes and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from hack.cluster.layout import NODE_ADDRESS, POD_NETWORK
from hack.cluster.netpol.model import NamedPort, Namespace, Pod, Policy, World, selects
from hack.cluster.netpol.rules import compute
from hack.cluster.tests.packetfilter import Packet, passes

A1, A2, A3, B1, DNS = (f"10.244.0.{n}" for n in (11, 12, 13, 21, 53))
STRANGER, OUTSIDE = "10.244.0.99", "203.0.113.7"
PODS = (
    Pod("a", "client", A1, {"app": "client"}),
    Pod("a", "server", A2, {"app": "server"}, (NamedPort("web", "TCP", 8080),)),
    Pod("a", "other", A3, {"app": "other"}),
    Pod("b", "server", B1, {"app": "server"}, (NamedPort("web", "TCP", 9090),)),
    Pod(
        "kube-system",
        "dns",
        DNS,
        {"k8s-app": "kube-dns"},
        (NamedPort("dns", "UDP", 53), NamedPort("dns-tcp", "TCP", 53)),
    ),
    Pod("a", "pending", None, {"app": "client"}),
)
NAMESPACES = tuple(Namespace(name, {"kubernetes.io/metadata.name": name}) for name in ("a", "b", "kube-system"))


def world(*specs: dict[str, Any], namespace: str = "a") -> World:
    return World(PODS, NAMESPACES, tuple(Policy(namespace, f"p{i}", spec) for i, spec in enumerate(specs)))


DENY_ALL: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
SAME_NAMESPACE: dict[str, Any] = {
    **DENY_ALL,
    "ingress": [{"from": [{"podSelector": {}}]}],
    "egress": [{"to": [{"podSelector": {}}]}],
}
TO_DNS: dict[str, Any] = {
    "podSelector": {},
    "policyTypes": ["Egress"],
    "egress": [
        {
            "to": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                }
            ],
            "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
        }
    ],
}


def egress(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"app": "client"}}, "policyTypes": ["Egress"], "egress": list(rules)}


def ingress(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"], "ingress": list(rules)}


CASES: list[tuple[str, World, dict[Packet, bool]]] = [
    ("no policy: everything but strangers", world(), {
        Packet(A1, B1, 80): True,
        Packet(OUTSIDE, A1, 80): True,
        Packet(A1, OUTSIDE, 80): True,
        Packet(STRANGER, A1, 80): False,
        Packet(A1, STRANGER, 80): False,
    }),
    ("deny all: only oneself", world(DENY_ALL), {
        Packet(A1, A2, 80): False,
        Packet(A1, B1, 80): False,
        Packet(B1, A1, 80): False,
        Packet(A1, A1, 80): True,
        Packet(B1, DNS, 53, "udp"): True,
    }),
    ("same namespace both ways", world(SAME_NAMESPACE), {
        Packet(A1, A2, 1): True,
        Packet(A2, A1, 1, "udp"): True,
        Packet(A1, B1, 80): False,
        Packet(B1, A1, 80): False,
        Packet(A1, DNS, 53, "udp"): False,
    }),
    ("policies add up", world(SAME_NAMESPACE, TO_DNS), {
        Packet(A1, DNS, 53, "udp"): True,
        Packet(A1, DNS, 53): True,
        Packet(A1, DNS, 54): False,
        Packet(A1, A2, 80): True,
        Packet(DNS, A1, 53): False,
    }),
    ("one direction leaves the other open", world(ingress()), {
        Packet(A1, A2, 80): False,
        Packet(A2, A1, 80): True,
    }),
    ("port range and protocol", world(egress({"ports": [{"port": 8000, "endPort": 8100}]})), {
        Packet(A1, B1, 8000): True,
        Packet(A1, B1, 8100): True,
        Packet(A1, B1, 8101): False,
        Packet(A1, B1, 8000, "udp"): False,
    }),
    ("a protocol without a port", world(egress({"ports": [{"protocol": "UDP"}]})), {
        Packet(A1, B1, 7, "udp"): True,
        Packet(A1, B1, 7): False,
    }),
    ("named port of the policy's own pods", world(ingress({"ports": [{"port": "web"}]})), {
        Packet(B1, A2, 8080): True,
        Packet(B1, A2, 9090): False,
    }),
    ("named port means each receiver's own number", world(egress({"ports": [{"port": "web"}]})), {
        Packet(A1, A2, 8080): True,
        Packet(A1, A2, 9090): False,
        Packet(A1, B1, 9090): True,
        Packet(A1, B1, 8080): False,
    }),
    ("a port name that nobody has", world(egress({"ports": [{"port": "none"}]})), {Packet(A1, A2, 8080): False}),
    ("address block with an exception", world(
        egress({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [f"{B1}/32", "203.0.113.0/24"]}}]})
    ), {
        Packet(A1, A2, 80): True,
        Packet(A1, B1, 80): False,
        Packet(A1, OUTSIDE, 80): False,
        Packet(A1, "198.51.100.1", 80): True,
    }),
    ("an exception of half the world", world(
        egress({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["0.0.0.0/1"]}}]})
    ), {Packet(A1, A2, 80): False, Packet(A1, OUTSIDE, 80): True}),
    ("an IPv6 block allows nothing", world(egress({"to": [{"ipBlock": {"cidr": "::/0"}}]})), {
        Packet(A1, A2, 80): False,
    }),
    ("pods of another namespace", world(ingress({"from": [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}, "podSelector": {}}
    ]})), {Packet(B1, A2, 80): True, Packet(A1, A2, 80): False}),
    ("a selector that nobody matches", world(ingress({"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]})), {
        Packet(A1, A2, 80): False,
    }),
    ("an empty rule allows everything", world(ingress({})), {Packet(B1, A2, 1): True, Packet(OUTSIDE, A2, 1): True}),
    ("policyTypes absent: egress rules imply both", world({"podSelector": {}, "egress": [{}]}), {
        Packet(A1, B1, 80): True,
        Packet(B1, A1, 80): False,
    }),
    ("policyTypes absent: ingress only", world({"podSelector": {}}), {
        Packet(A1, B1, 80): True,
        Packet(B1, A1, 80): False,
    }),
]  # fmt: skip


@pytest.mark.parametrize(("state", "packets"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_packets(state: World, packets: dict[Packet, bool]) -> None:
    ruleset = compute(state, POD_NETWORK)
    assert {packet: passes(ruleset, packet) for packet in packets} == packets


def test_what_pods_send_to_the_node_is_egress() -> None:
    to_node = Packet(A1, NODE_ADDRESS, 6443)
    allow = egress({"to": [{"ipBlock": {"cidr": f"{NODE_ADDRESS}/32"}}], "ports": [{"port": 6443}]})
    assert passes(compute(world(), POD_NETWORK), to_node, to_node=True)
    assert not passes(compute(world(DENY_ALL), POD_NETWORK), to_node, to_node=True)
    assert passes(compute(world(DENY_ALL, allow), POD_NETWORK), to_node, to_node=True)
    assert not passes(compute(world(DENY_ALL, allow), POD_NETWORK), Packet(A1, NODE_ADDRESS, 22), to_node=True)
    assert not passes(compute(world(), POD_NETWORK), Packet(STRANGER, NODE_ADDRESS, 6443), to_node=True)


def test_same_content_gives_the_same_rules() -> None:
    first = compute(world(SAME_NAMESPACE, TO_DNS), POD_NETWORK)
    again = compute(world(SAME_NAMESPACE, TO_DNS), POD_NETWORK)
    assert first == again
    assert all(len(name) <= 31 for name in first.sets), "the kernel's limit for set names"


EXPRESSIONS: list[tuple[str, list[str], dict[str, str], bool]] = [
    ("In", ["x", "y"], {"k": "x"}, True),
    ("In", ["x", "y"], {"k": "z"}, False),
    ("In", ["x"], {}, False),
    ("NotIn", ["x"], {"k": "x"}, False),
    ("NotIn", ["x"], {"k": "z"}, True),
    ("NotIn", ["x"], {}, True),
    ("Exists", [], {"k": ""}, True),
    ("Exists", [], {}, False),
    ("DoesNotExist", [], {"k": ""}, False),
    ("DoesNotExist", [], {}, True),
]


@pytest.mark.parametrize(("operator", "values", "labels", "holds"), EXPRESSIONS)
def test_label_expressions(operator: str, values: list[str], labels: dict[str, str], holds: bool) -> None:  # noqa: FBT001
    assert selects({"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}, labels) is holds


def test_selectors() -> None:
    assert selects({}, {})
    assert not selects(None, {})
    both = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
    assert selects(both, {"a": "1", "b": "2"})
    assert not selects(both, {"a": "1"})
    assert not selects(both, {"b": "2"})
