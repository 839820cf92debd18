"""What tests find out inside of a run, all of it by one run: what it reaches, and what its pods are bounded by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hack.cluster.layout import METADATA_ADDRESS, OUTSIDE_ADDRESS
from tests.e2e.kubectl import OPERATOR_NAMESPACE, get, items, kubectl

from .dialling import address_of, from_a_pod, from_a_run, server_pod

if TYPE_CHECKING:
    from tests.e2e.kubectl import Object, Tenant

    from .scene import Scene

BOUNDS = """\
import os, pathlib, pytest

def first(*paths):
    return next((pathlib.Path(p).read_text().split()[0] for p in paths if os.path.exists(p)), "none")

def test_cpu_is_bounded():
    assert first("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu.max") not in ("-1", "max", "none")

def test_memory_is_bounded():
    limit = first("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max")
    assert 0 < int(limit) < 2**34

def test_no_token_and_no_links_to_services():
    # Of the API server's own address the kubelet tells every container.
    assert [name for name in os.environ if name.endswith("_SERVICE_HOST")] == ["KUBERNETES_SERVICE_HOST"]
    assert not pathlib.Path("/var/run/secrets").exists()

def test_no_capability_and_no_way_to_get_one():
    status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

def test_the_root_is_read_only():
    with pytest.raises(OSError):
        pathlib.Path("/attempt").touch()
"""
PIDS = """\
import threading, pytest

def test_processes_are_bounded():
    \"\"\"Threads count as much as processes: the node's bound holds, and the run lives to tell.\"\"\"
    threading.stack_size(64 << 10)
    end, threads = threading.Event(), []
    try:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            for _ in range(4096):
                threads.append(threading.Thread(target=end.wait))
                threads[-1].start()
    finally:
        end.set()
    assert 10 < len(threads) < 4096
"""


SERVE = "import http.server; http.server.HTTPServer(('', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()"


def _in_the_cluster(tenant: Tenant) -> list[str]:
    """Everything in the cluster that a pod without policies can reach."""
    tenant.apply(server_pod("server", SERVE))
    kubectl("wait", "--for=condition=Ready", "pod/server", "-n", tenant.namespace, "--timeout=60s")
    server = get("pod", "server", tenant.namespace)
    assert server is not None
    operator = address_of(OPERATOR_NAMESPACE, "app.kubernetes.io/name=seatrial")
    dns = items("pods", "kube-system", "k8s-app=kube-dns")[0]["status"]["podIP"]
    api = kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")
    slices = items("endpointslices", "default", "kubernetes.io/service-name=kubernetes")
    endpoint, port = slices[0]["endpoints"][0]["addresses"][0], slices[0]["ports"][0]["port"]
    node = next(i["address"] for i in items("nodes")[0]["status"]["addresses"] if i["type"] == "InternalIP")
    return [
        f"tcp:{operator}:9090",  # the operator's metrics, which tenants may read
        f"tcp:{api}:443",
        f"tcp:{endpoint}:{port}",  # the API server without the Service
        f"tcp:{node}:10250",  # the kubelet
        f"tcp:{dns}:8080",  # the DNS server, at another port than DNS
        f"tcp:{server['status']['podIP']}:8080",  # a pod of the tenant
    ]


def _closed_to_all(scene: Scene) -> list[str]:
    space = scene.names["their_space"]
    redis = address_of(space, "seatrial.dev/name=redis")
    gate = address_of(space, "seatrial.dev/component=environment")
    operator = address_of(OPERATOR_NAMESPACE, "app.kubernetes.io/name=seatrial")
    return [f"tcp:{redis}:6379", f"tcp:{gate}:8377", f"tcp:{operator}:8080"]


OUTSIDE = [
    f"{protocol}:{address}:{port}"
    for address in (OUTSIDE_ADDRESS, METADATA_ADDRESS)
    for protocol, port in (("tcp", 80), ("tcp", 443), ("tcp", 53), ("udp", 53))
]


@dataclass(frozen=True)
class Inside:
    """What a run finds out about the cluster around it."""

    allowed: list[str]
    """What it is to reach."""
    targets: list[str]
    """What it is not to reach, and what a pod without policies does."""
    others: list[str]
    """What nobody reaches from outside."""
    reached: dict[str, bool]
    """From a pod without policies."""
    status: Object
    """Of the run; its suites are `network` and `pod`."""


@dataclass(frozen=True)
class Outside:
    """What a run finds out about what is around the cluster, and about its node."""

    reached: dict[str, bool]
    """From a pod without policies."""
    status: Object
    """Of the run; its suites are `network` and `pids`."""


def look_inside(scene: Scene, tenant: Tenant) -> Inside:
    targets, others = _in_the_cluster(tenant), _closed_to_all(scene)
    dns = kubectl("get", "service", "kube-dns", "-n", "kube-system", "-o", "jsonpath={.spec.clusterIP}")
    allowed = ["tcp:redis:6379", "tcp:environment:8377", f"tcp:{dns}:53"]
    reached = from_a_pod(tenant, [*targets, *others])
    status = from_a_run(tenant, "inside", allowed, [*targets, *others], {"pod": BOUNDS})
    return Inside(allowed, targets, others, reached, status)


def look_outside(tenant: Tenant) -> Outside:
    reached = from_a_pod(tenant, OUTSIDE)
    return Outside(reached, from_a_run(tenant, "outside", ["tcp:redis:6379"], OUTSIDE, {"pids": PIDS}))
