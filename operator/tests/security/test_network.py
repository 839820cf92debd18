"""From inside of a run there is the run, and the names that DNS knows, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hack.cluster.layout import METADATA_ADDRESS, OUTSIDE_ADDRESS
from tests.e2e.kubectl import OPERATOR_NAMESPACE, get, items, kubectl

from .dialling import address_of, from_a_pod, from_a_run, server_pod

if TYPE_CHECKING:
    from tests.e2e.kubectl import Tenant

    from .scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.security]

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
        f"tcp:{operator}:8080",  # the operator's health
        f"tcp:{operator}:9090",  # and its metrics
        f"tcp:{api}:443",
        f"tcp:{endpoint}:{port}",  # the API server without the Service
        f"tcp:{node}:10250",  # the kubelet
        f"tcp:{dns}:8080",  # the DNS server, at another port than DNS
        f"tcp:{server['status']['podIP']}:8080",  # a pod of the tenant
    ]


def _in_another_run(scene: Scene) -> list[str]:
    space = scene.names["their_space"]
    redis = address_of(space, "seatrial.dev/name=redis")
    gate = address_of(space, "seatrial.dev/component=environment")
    return [f"tcp:{redis}:6379", f"tcp:{gate}:8377"]


def test_nothing_in_the_cluster_but_its_own_run_and_dns(scene: Scene, tenant: Tenant) -> None:
    targets, others = _in_the_cluster(tenant), _in_another_run(scene)
    reached = from_a_pod(tenant, [*targets, *others])
    assert {target: reached[target] for target in targets} == dict.fromkeys(targets, True), "without policies"
    assert {target: reached[target] for target in others} == dict.fromkeys(others, False), "into a run, from outside"
    dns = kubectl("get", "service", "kube-dns", "-n", "kube-system", "-o", "jsonpath={.spec.clusterIP}")
    allowed = ["tcp:redis:6379", "tcp:environment:8377", f"tcp:{dns}:53"]
    run = from_a_run(tenant, "inside", allowed, [*targets, *others])
    status = run["status"]
    assert status["phase"] == "Passed", status["failures"]
    assert status["summary"]["passed"] == len(targets) + len(others) + len(allowed)


def test_what_is_refused_would_have_answered(scene: Scene) -> None:
    """The other run's services accept connections: from their own namespace, through the same address."""
    space = scene.names["their_space"]
    found = items("endpointslices", space, "kubernetes.io/service-name=redis")
    assert found[0]["endpoints"][0]["addresses"] == [address_of(space, "seatrial.dev/name=redis")]
    assert scene.theirs.get("theirs")["status"]["services"][0]["ready"] is True


OUTSIDE = [
    f"{protocol}:{address}:{port}"
    for address in (OUTSIDE_ADDRESS, METADATA_ADDRESS)
    for protocol, port in (("tcp", 80), ("tcp", 443), ("tcp", 53), ("udp", 53))
]


@pytest.mark.node
def test_nothing_outside_of_the_cluster(tenant: Tenant) -> None:
    """Both addresses are those of a host that is part of the test cluster: a host on the internet, and metadata."""
    assert from_a_pod(tenant, OUTSIDE) == dict.fromkeys(OUTSIDE, True), "without policies"
    status = from_a_run(tenant, "outside", ["tcp:redis:6379"], OUTSIDE)["status"]
    assert status["phase"] == "Passed", status["failures"]
    assert status["summary"]["passed"] == len(OUTSIDE) + 1
