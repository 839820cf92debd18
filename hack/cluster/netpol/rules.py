"""From the policies to packet filter rules; pure.

Packets are judged in the mangle table (kube-proxy's chains in the filter table accept early), after a Service's
translation: in FORWARD for pods, in INPUT for what pods send to the node. Traffic from the node to its pods is always
allowed, as Kubernetes says.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hack.cluster.netpol.model import Pod, World, selects

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "NETPOL"
FORWARD, INPUT, EGRESS, INGRESS = (f"{PREFIX}-{name}" for name in ("FORWARD", "INPUT", "EGRESS", "INGRESS"))
CHAINS = (FORWARD, INPUT, EGRESS, INGRESS)
HOOKS = {"FORWARD": FORWARD, "INPUT": INPUT}


@dataclass(frozen=True)
class AddressSet:
    """An ipset; never changed: its name is made from its content, so other content is another set."""

    kind: str
    entries: tuple[str, ...]

    @property
    def name(self) -> str:
        digest = hashlib.sha256(f"{self.kind}|{','.join(self.entries)}".encode()).hexdigest()
        return f"{PREFIX}{digest[:20]}"


@dataclass
class Ruleset:
    """What the kernel shall hold: sets by name, and the lines of the chains in iptables-restore's language."""

    sets: dict[str, AddressSet] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def match(self, kind: str, entries: Iterable[str], side: str, *, negate: bool = False) -> str:
        """A match on a set, which becomes part of the ruleset."""
        addresses = AddressSet(kind, tuple(sorted(set(entries))))
        self.sets[addresses.name] = addresses
        return f"-m set {'! ' if negate else ''}--match-set {addresses.name} {side}"


@dataclass(frozen=True)
class Direction:
    """The words of one policy direction: of the API, and which end of a packet is the policy's pod."""

    name: str
    rules: str
    peers: str
    own_side: str
    peer_side: str
    chain: str


DIRECTIONS = (
    Direction("Ingress", "ingress", "from", own_side="dst", peer_side="src", chain=INGRESS),
    Direction("Egress", "egress", "to", own_side="src", peer_side="dst", chain=EGRESS),
)


def compute(world: World, pod_network: str) -> Ruleset:
    """The rules for everything in `world`; a pod address that is not in it gets nothing through."""
    ruleset = Ruleset()
    pods = [pod for pod in world.pods if pod.address]
    isolated: dict[str, set[str]] = {direction.name: set() for direction in DIRECTIONS}
    allowed: dict[str, list[str]] = {direction.name: [] for direction in DIRECTIONS}
    for policy in sorted(world.policies, key=lambda policy: (policy.namespace, policy.name)):
        own = [
            p
            for p in pods
            if p.namespace == policy.namespace and selects(policy.spec.get("podSelector") or {}, p.labels)
        ]
        for direction in DIRECTIONS:
            if not own or direction.name not in policy.directions():
                continue
            isolated[direction.name].update(_addresses(own))
            own_match = ruleset.match("hash:ip", _addresses(own), direction.own_side)
            for rule in policy.spec.get(direction.rules) or []:
                for peer_match, port_match in _alternatives(
                    ruleset, world, policy.namespace, own, direction=direction, rule=rule
                ):
                    allowed[direction.name].append(" ".join(f"{own_match} {peer_match} {port_match}".split()))
    _dispatch(ruleset, pods, isolated, pod_network)
    for direction in DIRECTIONS:
        ruleset.lines += [
            f"-A {direction.chain} {matches} -j RETURN" for matches in dict.fromkeys(allowed[direction.name])
        ]
        ruleset.lines.append(f"-A {direction.chain} -j DROP")
    return ruleset


def _dispatch(ruleset: Ruleset, pods: list[Pod], isolated: dict[str, set[str]], pod_network: str) -> None:
    """The rules of the two hooked chains, which lead to the chains of the two directions."""
    known = list(_addresses(pods))
    for chain in (FORWARD, INPUT):
        ruleset.lines.append(f"-A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN")
    ruleset.lines += [
        f"-A {FORWARD} -s {pod_network} {ruleset.match('hash:ip', known, 'src', negate=True)} -j DROP",
        f"-A {FORWARD} -d {pod_network} {ruleset.match('hash:ip', known, 'dst', negate=True)} -j DROP",
        f"-A {INPUT} ! -i lo -s {pod_network} {ruleset.match('hash:ip', known, 'src', negate=True)} -j DROP",
    ]
    # A pod may always reach itself, also through its own Service.
    itself = sorted(set().union(*isolated.values()))
    ruleset.lines += [f"-A {FORWARD} -s {address} -d {address} -j RETURN" for address in itself]
    sending = ruleset.match("hash:ip", isolated["Egress"], "src")
    receiving = ruleset.match("hash:ip", isolated["Ingress"], "dst")
    ruleset.lines += [
        f"-A {FORWARD} {sending} -j {EGRESS}",
        f"-A {INPUT} {sending} -j {EGRESS}",
        f"-A {FORWARD} {receiving} -j {INGRESS}",
    ]


def _alternatives(
    ruleset: Ruleset, world: World, namespace: str, own: list[Pod], *, direction: Direction, rule: dict[str, Any]
) -> list[tuple[str, str]]:
    """Every pair of a peer match and a port match that `rule` allows; an absent list allows anyone, or any port."""
    peers = rule.get(direction.peers)
    if peers:
        peer_pods = _peer_pods(world, namespace, peers)
        peer_matches = [
            ruleset.match("hash:net", networks, direction.peer_side)
            for peer in peers
            if "ipBlock" in peer and (networks := _block_entries(peer["ipBlock"]))
        ]
        if peer_pods:
            peer_matches.append(ruleset.match("hash:ip", _addresses(peer_pods), direction.peer_side))
    else:
        peer_pods = [pod for pod in world.pods if pod.address]
        peer_matches = [""]
    # A named port is a name of the receiving pods.
    receivers = own if direction.name == "Ingress" else peer_pods
    ports = rule.get("ports")
    port_matches = [m for port in ports for m in _port_match(ruleset, port, receivers)] if ports else [""]
    return [(peer, port) for peer in peer_matches for port in port_matches]


def _peer_pods(world: World, namespace: str, peers: list[dict[str, Any]]) -> list[Pod]:
    labels = {entry.name: entry.labels for entry in world.namespaces}

    def chosen(pod: Pod, peer: dict[str, Any]) -> bool:
        of_namespaces = peer.get("namespaceSelector")
        if of_namespaces is None:
            right_namespace = pod.namespace == namespace
        else:
            right_namespace = pod.namespace in labels and selects(of_namespaces, labels[pod.namespace])
        return right_namespace and selects(peer.get("podSelector") or {}, pod.labels)

    by_labels = [peer for peer in peers if "ipBlock" not in peer]
    return [pod for pod in world.pods if pod.address and any(chosen(pod, peer) for peer in by_labels)]


def _port_match(ruleset: Ruleset, port: dict[str, Any], receivers: list[Pod]) -> list[str]:
    """At most one match; none for a port name that no receiver has."""
    protocol, number = port.get("protocol", "TCP"), port.get("port")
    kernel_name = protocol.lower()
    if number is None:
        return [f"-p {kernel_name}"]
    if isinstance(number, int):
        last = port.get("endPort")
        return [f"-p {kernel_name} -m multiport --dports {number}{f':{last}' if last else ''}"]
    entries = [
        f"{pod.address},{kernel_name}:{named.number}"
        for pod in receivers
        for named in pod.ports
        if named.name == number and named.protocol == protocol
    ]
    return [f"-p {kernel_name} {ruleset.match('hash:ip,port', entries, 'dst,dst')}"] if entries else []


def _block_entries(block: dict[str, Any]) -> list[str]:
    """Entries of a hash:net set; IPv6 blocks have none: pods have IPv4 addresses only."""
    included = _networks([block["cidr"]])
    excluded = _networks(block.get("except") or [])
    return [str(network) for network in included if network not in excluded] + [
        f"{network} nomatch" for network in excluded
    ]


def _networks(blocks: list[str]) -> list[ipaddress.IPv4Network]:
    found: list[ipaddress.IPv4Network] = []
    for block in blocks:
        network = ipaddress.ip_network(block, strict=False)
        if isinstance(network, ipaddress.IPv4Network):
            # A hash:net set cannot hold a network of length 0.
            found += network.subnets(1) if network.prefixlen == 0 else [network]
    return found


def _addresses(pods: Iterable[Pod]) -> list[str]:
    return [pod.address for pod in pods if pod.address]
