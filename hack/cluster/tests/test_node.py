"""What the product needs of a cluster, checked on the running one."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from hack.cluster.tests.kubectl import Kubectl, container, pod, policy, service, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.e2e


def test_pod_security_refuses_a_privileged_pod(namespace: Kubectl) -> None:
    wanted = pod("bad", "hold")
    wanted["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    refused = namespace.run("apply", "-f", "-", stdin=json.dumps(wanted))
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_a_service_resolves_and_answers(namespace: Kubectl) -> None:
    namespace.apply(pod("server", "serve", "8080"), service("server", 80, 8080), pod("client", "hold"))
    namespace.wait_phase("server", "Running")
    namespace.wait_phase("client", "Running")
    address = namespace.get("service", "server")["spec"]["clusterIP"]

    def resolved() -> str | None:
        found = namespace.run("exec", "client", "--", "/probe", "lookup", f"server.{namespace.namespace}")
        return found.stdout.strip() or None

    assert wait_for("the Service's name", resolved) == address
    target = f"tcp:server.{namespace.namespace}.svc.cluster.local:80"
    wait_for("the Service's answer", lambda: namespace.dial("client", [target])[target] or None)


def test_logs_are_followed_while_the_container_runs(namespace: Kubectl) -> None:
    namespace.apply(pod("ticker", "tick", "600", "100"))
    namespace.wait_phase("ticker", "Running")
    with subprocess.Popen(namespace.command("logs", "-f", "ticker"), stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        lines = [follower.stdout.readline().strip() for _ in range(20)]
        running = namespace.get("pod", "ticker")["status"]["phase"]
        follower.kill()
    assert lines == [f"tick {i}" for i in range(20)]
    assert running == "Running"


def test_a_native_sidecar_outlives_the_main_container_and_lets_the_pod_finish(namespace: Kubectl) -> None:
    sidecar = container("sidecar", "hold", restartPolicy="Always")
    namespace.apply(pod("both", "tick", "3", "100", initContainers=[sidecar]))
    finished = namespace.wait_phase("both", "Succeeded", "Failed")
    assert finished["status"]["phase"] == "Succeeded"
    main = finished["status"]["containerStatuses"][0]["state"]["terminated"]
    beside = finished["status"]["initContainerStatuses"][0]["state"]["terminated"]
    assert beside["startedAt"] <= main["startedAt"]
    assert beside["finishedAt"] >= main["finishedAt"]


def test_pod_events_can_be_read(namespace: Kubectl) -> None:
    namespace.apply(pod("short", "tick", "1", "1"))
    namespace.wait_phase("short", "Succeeded")

    def reasons() -> set[str] | None:
        found = {event["reason"] for event in namespace.get("events")["items"]}
        return found if {"Scheduled", "Pulled", "Created", "Started"} <= found else None

    wait_for("the pod's events", reasons)


def test_admission_policies_with_expressions_are_enforced(namespace: Kubectl) -> None:
    name = namespace.namespace
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]
    in_namespace = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    group = "admissionregistration.k8s.io/v1"
    admission: dict[str, Any] = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": rules},
            "validations": [
                {"expression": "!has(object.data) || !('forbidden' in object.data)", "message": "no such key"}
            ],
        },
    }
    binding: dict[str, Any] = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": in_namespace},
        },
    }
    try:
        namespace.apply(admission, binding)

        def refusal() -> str | None:
            done = namespace.run("create", "configmap", "x", "--from-literal=forbidden=1", "--dry-run=server")
            return done.stderr if done.returncode else None

        assert "no such key" in wait_for("the policy's refusal", refusal)
        namespace.ok("create", "configmap", "y", "--from-literal=allowed=1", "--dry-run=server")
    finally:
        namespace.ok("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)


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
