"""Walks a packet through computed rules as the kernel would, so that tests can speak of packets instead of rules."""

from __future__ import annotations

import ipaddress
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hack.cluster.netpol.rules import FORWARD, INPUT

if TYPE_CHECKING:
    from hack.cluster.netpol.rules import AddressSet, Ruleset


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection."""

    source: str
    destination: str
    port: int
    protocol: str = "tcp"

    def address(self, side: str) -> str:
        return self.source if side == "src" else self.destination


def passes(ruleset: Ruleset, packet: Packet, *, to_node: bool = False) -> bool:
    return _walk(ruleset, INPUT if to_node else FORWARD, packet) != "DROP"


def _walk(ruleset: Ruleset, chain: str, packet: Packet) -> str:
    """`DROP` or `RETURN`: falling off the end of a chain goes on where it was called."""
    for line in ruleset.lines:
        words = shlex.split(line)
        if words[1] != chain or not _matches(ruleset, words[2:-2], packet):
            continue
        assert words[-2] == "-j", line
        target = words[-1]
        if target in ("DROP", "RETURN"):
            return target
        if _walk(ruleset, target, packet) == "DROP":
            return "DROP"
    return "RETURN"


def _matches(ruleset: Ruleset, words: list[str], packet: Packet) -> bool:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        negate = word == "!"
        if negate:
            word = rest.pop(0)
        if word == "-m":
            rest.pop(0)
            continue
        if _option(ruleset, word, rest, packet) == negate:
            return False
    return True


def _option(ruleset: Ruleset, word: str, rest: list[str], packet: Packet) -> bool:
    value = rest.pop(0)
    match word:
        case "-s" | "-d":
            side = "src" if word == "-s" else "dst"
            return ipaddress.ip_address(packet.address(side)) in ipaddress.ip_network(value)
        case "-p":
            return packet.protocol == value
        case "-i":
            return False  # no packet of these tests comes from the loopback interface
        case "--ctstate":
            return False  # every packet is a first one
        case "--dports":
            first, _, last = value.partition(":")
            return int(first) <= packet.port <= int(last or first)
        case "--match-set":
            return _in_set(ruleset.sets[value], rest.pop(0), packet)
        case _:
            raise AssertionError(f"the tests do not know the option {word}")


def _in_set(addresses: AddressSet, sides: str, packet: Packet) -> bool:
    address = packet.address(sides.partition(",")[0])
    if addresses.kind == "hash:ip":
        return address in addresses.entries
    if addresses.kind == "hash:ip,port":
        return f"{address},{packet.protocol}:{packet.port}" in addresses.entries
    assert addresses.kind == "hash:net"
    best = None
    for entry in addresses.entries:  # the longest matching prefix decides
        network = ipaddress.ip_network(entry.partition(" ")[0])
        if ipaddress.ip_address(address) in network and (best is None or network.prefixlen > best[0]):
            best = (network.prefixlen, "nomatch" not in entry)
    return best is not None and best[1]
