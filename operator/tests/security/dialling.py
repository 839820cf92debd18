"""Connections that are tried from inside of pods: as tests of a run, and from a pod that no policy concerns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.kubectl import OPERATOR_NAMESPACE, Tenant, get, items, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterable

Object = dict[str, Any]

DIAL = """\
import socket

def reaches(target):
    protocol, host, port = target.split(":")
    try:
        if protocol == "tcp":
            socket.create_connection((host, int(port)), timeout=2).close()
            return True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.sendto(b"?", (host, int(port)))
            return bool(client.recv(16))
    except OSError:
        return False
"""
TESTS = """
import os, pytest

@pytest.mark.parametrize("target", os.environ["OPEN"].split())
def test_reaches(target):
    assert reaches(target)

@pytest.mark.parametrize("target", os.environ["CLOSED"].split())
def test_does_not_reach(target):
    assert not reaches(target)
"""
ALONE = """
import json, os
print(json.dumps({target: reaches(target) for target in os.environ["TARGETS"].split()}))
"""


def from_a_run(tenant: Tenant, name: str, allowed: Iterable[str], refused: Iterable[str], **spec: Any) -> Object:
    """A run whose tests reach some targets and not others; the TestRun at its end. Each target is a test."""
    tenant.tests(name, DIAL + TESTS)
    env = [{"name": "OPEN", "value": " ".join(allowed)}, {"name": "CLOSED", "value": " ".join(refused)}]
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": name}}, "env": env}
    tenant.run(name, services={"redis": {}}, suites=[suite], **spec)
    return tenant.finished(name)


def from_a_pod(tenant: Tenant, targets: Iterable[str], name: str = "dialler") -> dict[str, bool]:
    """What a pod in the tenant's own namespace reaches."""
    pod = server_pod(name, DIAL + ALONE)
    pod["spec"]["containers"][0]["env"] = [{"name": "TARGETS", "value": " ".join(targets)}]
    tenant.apply(pod)
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "-n", tenant.namespace, "--timeout=90s")
    return dict(json.loads(kubectl("logs", name, "-n", tenant.namespace)))


def server_pod(name: str, program: str) -> Object:
    """A pod that runs a Python program in the operator's image."""
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "it",
        "image": agent_image(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", program],
        "securityContext": restricted,
    }
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def agent_image() -> str:
    config = get("configmap", "seatrial", OPERATOR_NAMESPACE)
    assert config is not None
    return str(yaml.safe_load(config["data"]["config.yaml"])["images"]["agent"])


def address_of(namespace: str, selector: str) -> str:
    """The address of the one pod that a selector means."""
    found = [pod["status"]["podIP"] for pod in items("pods", namespace, selector) if pod["status"].get("podIP")]
    assert len(found) == 1, f"{len(found)} pods are {selector} in {namespace}"
    return str(found[0])
