"""What the product needs of a cluster, checked on the running one."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from hack.cluster.tests.kubectl import Kubectl, container, pod, service, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.node]


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
