"""The configuration files of the components. JSON is valid YAML, so every YAML file is written as JSON."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from hack.cluster.layout import (
    API_PORT,
    CLUSTER_DOMAIN,
    DNS_SERVICE_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    PAUSE_IMAGE,
    POD_NETWORK,
)
from hack.cluster.pki import ADMIN, AUTHORITY, CONTROLLER_MANAGER, KUBELET, PROXY, SCHEDULER, Identity

if TYPE_CHECKING:
    from pathlib import Path

    from hack.cluster.layout import Layout

CNI_VERSION = "0.4.0"
POLICY_PLUGIN = "network-policy-hold"
POD_PIDS = 1024
"""Processes and threads of one pod: there is no such field in a pod, so it is up to whoever configures the nodes."""


def containerd(layout: Layout) -> str:
    """Settings of containerd (version 2 of the format)."""
    state = layout.state
    return f"""\
version = 2
root = "{state}/containerd/root"
state = "{state}/containerd/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]
[debug]
  level = "warn"
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  # Lowering a process's OOM score takes a capability that containers and restricted machines lack.
  restrict_oom_score_adj = true
  max_container_log_line_size = 16384
  max_concurrent_downloads = 10
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{state}/cni/bin"
    conf_dir = "{state}/cni/conf"
"""


def cni(layout: Layout) -> str:
    """Point-to-point links, so that every packet between pods is routed and meets the network policies."""
    addresses = {
        "type": "host-local",
        "dataDir": f"{layout.state}/cni/addresses",
        "ranges": [[{"subnet": POD_NETWORK}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugins = [
        {"type": "ptp", "ipMasq": True, "ipam": addresses},
        {"type": POLICY_PLUGIN, "socket": str(layout.netpol_socket)},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return json.dumps({"cniVersion": CNI_VERSION, "name": "pods", "plugins": plugins}, indent=1)


def kubelet(layout: Layout) -> str:
    settings: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxPods": 110,
        "podPidsLimit": POD_PIDS,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": f"{layout.state}/resolv.conf",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / f"{AUTHORITY}.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / f"{KUBELET.file}.crt"),
        "tlsPrivateKeyFile": str(layout.pki / f"{KUBELET.file}.key"),
        # A nearly full disk of a developer's machine is no reason to refuse pods, and images cannot be pulled again.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "10s",
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
        # People and tests read pod events: enough for every pod of the node to start at once.
        "eventRecordQPS": 500,
        "eventBurst": 1000,
    }
    return json.dumps(settings, indent=1)


def kube_proxy(layout: Layout) -> str:
    settings: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig_path(layout, PROXY))},
        "mode": "iptables",
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": POD_NETWORK,
        "oomScoreAdj": 0,
        # 0 means the default of a whole second, for which a new Service would refuse connections.
        "iptables": {"syncPeriod": "30s", "minSyncPeriod": "20ms"},
        # Zeros leave the machine's connection tracking as it is.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    return json.dumps(settings, indent=1)


def kubeconfig(server: str, name: str, pki: Path, identity: Identity) -> str:
    """A kubeconfig that holds its certificates, so that it can be copied anywhere."""

    def embedded(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": embedded(f"{AUTHORITY}.crt")}
    user = {
        "client-certificate-data": embedded(f"{identity.file}.crt"),
        "client-key-data": embedded(f"{identity.file}.key"),
    }
    settings = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return json.dumps(settings, indent=1) + "\n"


def kubeconfig_path(layout: Layout, identity: Identity) -> Path:
    return layout.state / f"{identity.file}.kubeconfig"


def write_all(layout: Layout) -> None:
    """Write every file that the components read; the certificates must be there."""
    state = layout.state
    (state / "cni" / "conf").mkdir(parents=True)
    (state / "containerd.toml").write_text(containerd(layout))
    (state / "cni" / "conf" / "10-pods.conflist").write_text(cni(layout))
    (state / "kubelet.json").write_text(kubelet(layout))
    (state / "kube-proxy.json").write_text(kube_proxy(layout))
    (state / "resolv.conf").write_text(f"nameserver {DNS_SERVICE_ADDRESS}\n")
    for identity in (ADMIN, CONTROLLER_MANAGER, SCHEDULER, PROXY, KUBELET):
        target = kubeconfig_path(layout, identity)
        target.write_text(kubeconfig(f"https://{NODE_ADDRESS}:{API_PORT}", "cluster", layout.pki, identity))
        target.chmod(0o600)
