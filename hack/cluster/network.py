"""The node's network: a namespace without any way out, with one address for the node."""

from __future__ import annotations

from hack.cluster import sysctl
from hack.cluster.layout import NODE_ADDRESS, NODE_NETWORK_GATEWAY
from hack.cluster.processes import run

INTERFACE = "node0"
INTERFACE_PEER = "node0-peer"


def set_up() -> None:
    """Make the interface; runs inside the node's network namespace, with which it vanishes."""
    run(["ip", "link", "set", "lo", "up"])
    # Components look for the interface of the default route. The other end of the pair is the `outside` host's.
    run(["ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE_PEER])
    for interface in (INTERFACE, INTERFACE_PEER):
        run(["ip", "link", "set", interface, "up"])
    run(["ip", "address", "add", f"{NODE_ADDRESS}/24", "dev", INTERFACE])
    run(["ip", "route", "add", "default", "via", NODE_NETWORK_GATEWAY, "dev", INTERFACE, "onlink"])
    sysctl.set_node_settings()
    # Pods have IPv4 addresses only, and so have network policies: link-local IPv6 must be no way around them.
    run(["ip6tables", "-w", "-t", "mangle", "-A", "INPUT", "!", "-i", "lo", "-j", "DROP"])
    run(["ip6tables", "-w", "-t", "mangle", "-A", "FORWARD", "-j", "DROP"])
