"""Where the API server can reach a program on this machine, and how that program reaches the API server directly."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import yaml

from hack.cluster import cgroups, kind
from hack.cluster.layout import NODE_ADDRESS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

CLONE_NEWNET = 0x40000000
OWN_NAMESPACE = "/proc/self/ns/net"


@dataclass(frozen=True)
class Network:
    """The way between us and an API server."""

    address: str
    """At which the API server reaches us."""
    namespace: str | None = None
    """The network namespace that we have to be in for that; None for our own."""

    def listener(self) -> socket.socket:
        """A listening socket on a free port; a socket belongs for ever to the namespace that it was made in."""
        with _inside(self.namespace):
            made = socket.create_server(("0.0.0.0" if self.namespace is None else self.address, 0), backlog=1024)  # noqa: S104
        made.setblocking(False)  # noqa: FBT003  (its only parameter)
        return made


def find_network(kubeconfig: Path) -> Network:
    """How the cluster of a kubeconfig is reached: its node's network namespace, or kind's bridge."""
    cluster = str(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["name"])
    if cluster == f"kind-{kind.NAME}":
        inspected = subprocess.run(
            ["docker", "network", "inspect", "kind"], check=True, capture_output=True, text=True
        ).stdout
        configs = json.loads(inspected)[0]["IPAM"]["Config"]
        return Network(next(item["Gateway"] for item in configs if "." in item.get("Gateway", "")))
    own = Path(OWN_NAMESPACE).readlink()
    for root in cgroups.hierarchies().roots:
        members = root / cluster / cgroups.NODE_CHILD / "cgroup.procs"
        with contextlib.suppress(OSError):
            for pid in members.read_text().split():
                namespace = f"/proc/{pid}/ns/net"
                with contextlib.suppress(OSError):
                    if Path(namespace).readlink() != own:
                        return Network(NODE_ADDRESS, namespace)
    raise SystemExit(
        f"{kubeconfig}: the cluster {cluster} is neither kind-{kind.NAME} nor a running cluster of hack.cluster on "
        "this machine, so its API server could not reach the stand-in; start one: make cluster"
    )


@contextlib.contextmanager
def _inside(namespace: str | None) -> Iterator[None]:
    """Make sockets in another network namespace; only the calling thread is moved, and back."""
    if namespace is None:
        yield
        return
    with Path(OWN_NAMESPACE).open() as own, Path(namespace).open() as other:
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(own.fileno())


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}; the stand-in has to be run by root")


def connector(limit: int) -> Callable[[ssl.SSLContext], aiohttp.TCPConnector]:
    return lambda context: aiohttp.TCPConnector(limit=limit, ssl=context)
