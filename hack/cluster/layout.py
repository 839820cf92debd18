"""Where everything lives and what it is called; two checkouts on one machine share only the cache of built binaries."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

NODE_NAME = "node"
# These addresses exist inside the node's own network namespace only, so every cluster may use the same ones.
NODE_ADDRESS = "10.250.0.1"
NODE_NETWORK_GATEWAY = "10.250.0.254"
# The one host outside: an address kept for documentation (RFC 5737), and the one at which clouds serve metadata.
OUTSIDE_ADDRESS = "203.0.113.10"
METADATA_ADDRESS = "169.254.169.254"
POD_NETWORK = "10.244.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
API_PORT = 6443
CLUSTER_DOMAIN = "cluster.local"

PAUSE_IMAGE = "localhost/pause:1"
COREDNS_IMAGE = "localhost/coredns:1"

STATE_ROOT = Path("/var/lib/seatrial")
# Below the range that kernels hand out for outgoing connections, so that nobody takes a port by chance.
PORT_RANGE = range(20000, 30000)


def cache_directory() -> Path:
    """Folder of built binaries and images for all checkouts: $SEATRIAL_CACHE, or seatrial/ in the XDG cache folder."""
    if own := os.environ.get("SEATRIAL_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seatrial"


@dataclass(frozen=True)
class Layout:
    """The names and paths of one checkout's cluster, all derived from the checkout's path."""

    checkout: Path

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(os.fsencode(self.checkout)).hexdigest()[:8]

    @property
    def cgroup(self) -> str:
        return f"seatrial-{self.key}"

    @property
    def state(self) -> Path:
        """Short, since the path of a unix socket is limited to 108 bytes."""
        return STATE_ROOT / self.key

    @property
    def node_file(self) -> Path:
        """JSON about the running node; the node's processes hold an flock on it for as long as one of them lives."""
        return self.state / "node.json"

    @property
    def ready_file(self) -> Path:
        """There once the node has started completely."""
        return self.state / "ready"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def containerd_socket(self) -> Path:
        return self.state / "containerd.sock"

    @property
    def netpol_socket(self) -> Path:
        return self.state / "netpol.sock"

    @property
    def policies_off_file(self) -> Path:
        """While it is there, network policies are not enforced: many a cluster is like that."""
        return self.state / "policies-off"

    @property
    def local(self) -> Path:
        """The folder in the checkout that people look into."""
        return self.checkout / ".cluster"

    @property
    def kubeconfig(self) -> Path:
        return self.local / "kubeconfig"

    @property
    def logs(self) -> Path:
        return self.local / "log"

    @property
    def failure(self) -> Path:
        """Why the node stopped by itself; absent while it runs and after an ordinary stop."""
        return self.local / "failure"

    @property
    def lock(self) -> Path:
        return self.local / "lock"

    def ports(self) -> list[int]:
        """Loopback ports to try for the API server, the checkout's own one first."""
        first = int(self.key, 16)
        return [PORT_RANGE[(first + step * 101) % len(PORT_RANGE)] for step in range(20)]


def this_checkout() -> Layout:
    return Layout(Path(__file__).resolve().parents[2])
