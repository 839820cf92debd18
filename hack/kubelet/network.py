"""Where the API server can reach a program on this machine."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING

import aiohttp
import yaml

from hack.cluster import cgroups, kind
from hack.cluster.layout import NODE_ADDRESS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

CLONE_NEWNET = 0x40000000
OWN_NAMESPACE = Path("/proc/self/ns/net")
KIND_CLUSTER = f"kind-{kind.NAME}"


def listen(kubeconfig: Path) -> tuple[str, socket.socket]:
    """An address that the API server reaches, and a socket that listens there on a free port."""
    cluster = str(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["name"])
    if cluster == KIND_CLUSTER:
        address = _bridge_address()
        made = socket.create_server((address, 0), backlog=1024)
    else:
        address = NODE_ADDRESS
        # A socket belongs for ever to the network namespace that it was made in.
        with inside(cluster):
            made = socket.create_server((address, 0), backlog=1024)
    made.setblocking(False)  # noqa: FBT003  (its only parameter)
    return address, made


def _bridge_address() -> str:
    """Address of this machine on the network of kind's containers."""
    command = ["docker", "network", "inspect", "kind"]
    inspected = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    configs = json.loads(inspected)[0]["IPAM"]["Config"]
    return next(str(item["Gateway"]) for item in configs if "." in item.get("Gateway", ""))


@contextlib.contextmanager
def inside(cluster: str) -> Iterator[None]:
    """Be in the network namespace of a cluster of hack.cluster; only the calling thread is moved, and back."""
    with OWN_NAMESPACE.open() as own, node_namespace(cluster) as other:
        _enter(other)
        try:
            yield
        finally:
            _enter(own)


def node_namespace(cluster: str) -> IO[str]:
    """The network namespace of a running cluster's node."""
    for root in cgroups.hierarchies().roots:
        with contextlib.suppress(OSError):
            for pid in (root / cluster / cgroups.NODE_CHILD / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):  # some processes of the node are short
                    return Path(f"/proc/{pid}/ns/net").open()
    raise OSError(
        f"the cluster {cluster} is neither {KIND_CLUSTER} nor a running cluster of hack.cluster on this machine, so "
        "its API server could not reach the stand-in; start one: make cluster"
    )


def _enter(namespace: IO[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}; the stand-in has to be run by root")


def connector(limit: int) -> Callable[[ssl.SSLContext], aiohttp.TCPConnector]:
    return lambda context: aiohttp.TCPConnector(limit=limit, ssl=context)
