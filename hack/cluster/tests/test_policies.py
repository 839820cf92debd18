"""Network policies on the running cluster, in both directions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hack.cluster.tests.kubectl import Kubectl, pod, policy, service, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.e2e, pytest.mark.node]


class Scene:
    """Two namespaces with a server and a client each, and the reachability between them."""

    def __init__(self, first: Kubectl, second: Kubectl) -> None:
        self.spaces = {"a": first, "b": second}
        for space in self.spaces.values():
            space.apply(pod("server", "serve", "8080", "9090", ports={"web": 8080}), service("server", 80, 8080))
            space.apply(pod("client", "serve", "8080"))
        self.addresses = {
            f"{key}/{name}": space.wait_phase(name, "Running")["status"]["podIP"]
            for key, space in self.spaces.items()
            for name in ("server", "client")
        }
        for key, space in self.spaces.items():
            self.addresses[f"{key}/service"] = space.get("service", "server")["spec"]["clusterIP"]

    def expect(self, what: str, table: dict[str, bool]) -> None:
        """Rows are `a/client > tcp:b/server:8080`; all of them must hold in one and the same round."""
        seen: dict[str, bool] = {}

        def attempt() -> bool | None:
            seen.clear()
            for source in {row.split(" > ")[0] for row in table}:
                rows = [row for row in table if row.startswith(f"{source} > ")]
                key, name = source.split("/")
                dialled = {row: self._target(row.split(" > ")[1]) for row in rows}
                reached = self.spaces[key].dial(name, list(dialled.values()))
                seen.update({row: reached[target] for row, target in dialled.items()})
            return True if seen == table else None

        try:
            wait_for(what, attempt, seconds=30)
        except AssertionError:
            wrong = {row: reached for row, reached in seen.items() if reached != table[row]}
            pytest.fail(f"{what}: reachable or not, contrary to what was expected: {wrong}")

    def _target(self, target: str) -> str:
        protocol, name, port = target.split(":")
        return f"{protocol}:{self.addresses.get(name, name)}:{port}"


def test_network_policies_are_enforced(make_namespace: Callable[[], Kubectl]) -> None:
    scene = Scene(make_namespace(), make_namespace())
    first, second = scene.spaces.values()
    in_first = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": first.namespace}}}
    dns = wait_for("the cluster's DNS", lambda: _dns_address(first))
    scene.expect("no policy", {
        "a/client > tcp:b/server:8080": True,
        "a/client > udp:b/server:8080": True,
        "a/client > tcp:b/service:80": True,
        "b/client > tcp:a/server:9090": True,
        "a/client > tcp:10.96.0.1:443": True,
    })  # fmt: skip

    first.apply(policy("deny-all", policyTypes=["Ingress", "Egress"]))
    scene.expect("everything denied in the first namespace", {
        "a/client > tcp:a/server:8080": False,
        "a/client > tcp:b/server:8080": False,
        "a/client > udp:b/server:8080": False,
        "a/client > tcp:b/service:80": False,
        "a/client > tcp:10.96.0.1:443": False,
        "b/client > tcp:a/server:8080": False,
        "b/client > udp:a/server:8080": False,
        "b/client > tcp:a/service:80": False,
        "b/client > tcp:b/server:8080": True,
        "a/server > tcp:a/server:8080": True,
        "a/server > tcp:a/service:80": True,
    })  # fmt: skip

    everyone: list[dict[str, Any]] = [{"podSelector": {}}]
    first.apply(
        policy("same", policyTypes=["Ingress", "Egress"], ingress=[{"from": everyone}], egress=[{"to": everyone}])
    )
    scene.expect("the same namespace allowed", {
        "a/client > tcp:a/server:8080": True,
        "a/client > udp:a/server:9090": True,
        "a/client > tcp:a/service:80": True,
        "a/client > tcp:b/server:8080": False,
        "b/client > tcp:a/server:8080": False,
        "b/client > tcp:a/service:80": False,
    })  # fmt: skip

    except_client = {"ipBlock": {"cidr": "0.0.0.0/0", "except": [f"{scene.addresses['b/client']}/32", f"{dns}/32"]}}
    first.apply(
        policy(
            "out", policyTypes=["Egress"], egress=[{"to": [except_client], "ports": [{"port": 8000, "endPort": 8100}]}]
        )
    )
    second.apply(
        policy(
            "in",
            podSelector={"matchLabels": {"app": "server"}},
            ingress=[
                {"from": [in_first | {"podSelector": {"matchLabels": {"app": "client"}}}], "ports": [{"port": "web"}]}
            ],
        )
    )
    scene.expect("an address block with exceptions outwards, a named port inwards", {
        "a/client > tcp:b/server:8080": True,
        "a/client > tcp:b/service:80": True,
        "a/client > tcp:b/server:9090": False,
        "a/client > udp:b/server:8080": False,
        "a/client > tcp:b/client:8080": False,
        "a/server > tcp:b/server:8080": False,
        "b/client > tcp:b/server:8080": False,
    })  # fmt: skip

    first.ok("label", "pod", "client", "app=somebody-else", "--overwrite")
    scene.expect("a changed label closes it", {"a/client > tcp:b/server:8080": False})
    for space in (first, second):
        space.ok("delete", "networkpolicy", "--all")
    scene.expect("without policies everything is open again", {
        "a/client > tcp:b/server:9090": True,
        "b/client > tcp:a/server:8080": True,
        "b/client > tcp:b/server:8080": True,
    })  # fmt: skip


def test_a_pod_is_never_open_before_its_policies(make_namespace: Callable[[], Kubectl]) -> None:
    open_space, closed = make_namespace(), make_namespace()
    open_space.apply(pod("server", "serve", "8080"))
    address = open_space.wait_phase("server", "Running")["status"]["podIP"]
    closed.apply(policy("deny-all", policyTypes=["Ingress", "Egress"]))
    target = f"tcp:{address}:8080"
    names = [f"first-dial-{i}" for i in range(5)]
    closed.apply(*(pod(name, "dial", target) for name in names))
    for name in names:
        closed.wait_phase(name, "Succeeded")
        assert json.loads(closed.ok("logs", name)) == {target: False}
    open_space.apply(pod("dialler", "dial", target))
    open_space.wait_phase("dialler", "Succeeded")
    assert json.loads(open_space.ok("logs", "dialler")) == {target: True}, "and the first dial of an open pod works"


def _dns_address(kubectl: Kubectl) -> str | None:
    pods = kubectl.get("pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns")["items"]
    return pods[0]["status"].get("podIP") if pods else None
