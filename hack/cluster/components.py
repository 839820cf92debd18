"""The command lines of the node's components."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hack.cluster import pki
from hack.cluster.config import kubeconfig_path
from hack.cluster.layout import API_PORT, NODE_ADDRESS, NODE_NAME, SERVICE_NETWORK
from hack.cluster.mounts import etcd_directory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hack.cluster.layout import Layout

ETCD_CLIENT = "http://127.0.0.1:2379"
ETCD_PEER = "http://127.0.0.1:2380"
SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc"


@dataclass(frozen=True)
class Component:
    """A process of the node; its log has its name."""

    name: str
    command: tuple[str, ...]


def etcd(layout: Layout, programs: Mapping[str, Path]) -> Component:
    return Component(
        "etcd",
        (
            str(programs["etcd"]),
            f"--data-dir={etcd_directory(layout)}/data",
            "--unsafe-no-fsync",  # the data is in memory and dies with the node
            f"--listen-client-urls={ETCD_CLIENT}",
            f"--advertise-client-urls={ETCD_CLIENT}",
            f"--listen-peer-urls={ETCD_PEER}",
            "--log-level=warn",
        ),
    )


def containerd(layout: Layout) -> Component:
    return Component("containerd", ("containerd", f"--config={layout.state}/containerd.toml"))


def api_server(layout: Layout, programs: Mapping[str, Path]) -> Component:
    keys = layout.pki
    authority = keys / f"{pki.AUTHORITY}.crt"
    return Component(
        "kube-apiserver",
        (
            str(programs["kube-apiserver"]),
            f"--etcd-servers={ETCD_CLIENT}",
            f"--advertise-address={NODE_ADDRESS}",
            "--bind-address=0.0.0.0",
            f"--secure-port={API_PORT}",
            f"--tls-cert-file={keys / pki.API_SERVER.file}.crt",
            f"--tls-private-key-file={keys / pki.API_SERVER.file}.key",
            f"--client-ca-file={authority}",
            f"--kubelet-client-certificate={keys / pki.ADMIN.file}.crt",
            f"--kubelet-client-key={keys / pki.ADMIN.file}.key",
            f"--kubelet-certificate-authority={authority}",
            "--kubelet-preferred-address-types=InternalIP",  # nothing resolves the node's name
            f"--service-account-issuer={SERVICE_ACCOUNT_ISSUER}",
            f"--api-audiences={SERVICE_ACCOUNT_ISSUER}",
            f"--service-account-signing-key-file={keys / pki.SERVICE_ACCOUNT_KEY}",
            f"--service-account-key-file={keys / pki.SERVICE_ACCOUNT_PUBLIC_KEY}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--allow-privileged=true",
            "--profiling=false",
        ),
    )


def controller_manager(layout: Layout, programs: Mapping[str, Path]) -> Component:
    keys = layout.pki
    return Component(
        "kube-controller-manager",
        (
            str(programs["kube-controller-manager"]),
            *_identity_flags(layout, pki.CONTROLLER_MANAGER),
            f"--service-account-private-key-file={keys / pki.SERVICE_ACCOUNT_KEY}",
            f"--root-ca-file={keys / pki.AUTHORITY}.crt",
            f"--cluster-signing-cert-file={keys / pki.AUTHORITY}.crt",
            f"--cluster-signing-key-file={keys / pki.AUTHORITY}.key",
            "--use-service-account-credentials",
            # At the default of 20 requests a second its controllers take 4 s longer to start.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--controllers=*,-cloud-node-lifecycle,-service,-route",
        ),
    )


def scheduler(layout: Layout, programs: Mapping[str, Path]) -> Component:
    command = (str(programs["kube-scheduler"]), *_identity_flags(layout, pki.SCHEDULER))
    return Component("kube-scheduler", (*command, "--kube-api-qps=500", "--kube-api-burst=1000"))


def kubelet(layout: Layout, programs: Mapping[str, Path]) -> Component:
    return Component(
        "kubelet",
        (
            str(programs["kubelet"]),
            f"--config={layout.state}/kubelet.json",
            f"--kubeconfig={kubeconfig_path(layout, pki.KUBELET)}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
        ),
    )


def kube_proxy(layout: Layout, programs: Mapping[str, Path]) -> Component:
    return Component("kube-proxy", (str(programs["kube-proxy"]), f"--config={layout.state}/kube-proxy.json"))


def outside() -> Component:
    return Component("outside", (sys.executable, "-m", "hack.cluster.outside"))


def network_policy(layout: Layout) -> Component:
    return Component("network-policy", (sys.executable, "-m", "hack.cluster.netpol", str(layout.checkout)))


def api_proxy(listening_descriptor: int) -> Component:
    command = (sys.executable, "-m", "hack.cluster.apiproxy", str(listening_descriptor), str(API_PORT))
    return Component("api-proxy", command)


def _identity_flags(layout: Layout, identity: pki.Identity) -> tuple[str, ...]:
    path = kubeconfig_path(layout, identity)
    return (
        f"--kubeconfig={path}",
        f"--authentication-kubeconfig={path}",
        f"--authorization-kubeconfig={path}",
        "--authentication-skip-lookup",  # this API server publishes no authority for front proxies to look up
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
    )
