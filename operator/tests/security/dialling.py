"""Connections that are tried from inside of pods: as tests of a run, and from a pod that no policy concerns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tests.e2e.kubectl import OPERATOR_NAMESPACE, Tenant, get, items, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]

DIAL = """\
import concurrent.futures, os, socket

def reaches(target, seconds):
    protocol, host, port = target.split(":")
    try:
        if protocol == "tcp":
            socket.create_connection((host, int(port)), timeout=seconds).close()
            return True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(seconds)
            client.sendto(b"?", (host, int(port)))
            return bool(client.recv(16))
    except OSError:
        return False

def reached(variable, seconds):
    targets = os.environ[variable].split()
    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        return dict(zip(targets, pool.map(lambda target: reaches(target, seconds), targets)))
"""
TESTS = """
import pytest

OPEN, CLOSED = reached("OPEN", 10), reached("CLOSED", 2)

@pytest.mark.parametrize("target", OPEN)
def test_reaches(target):
    assert OPEN[target]

@pytest.mark.parametrize("target", CLOSED)
def test_does_not_reach(target):
    assert not CLOSED[target]
"""
ALONE = """
import json
print(json.dumps(reached("TARGETS", 4)))
"""


def from_a_run(
    tenant: Tenant, name: str, allowed: Iterable[str], refused: Iterable[str], suites: Mapping[str, str] | None = None
) -> Object:
    """A run whose suite `network` reaches some targets and not others, each a test; the status at its end.

    `suites`: more of them, by their names, with their tests.
    """
    sources = {"network": DIAL + TESTS, **(suites or {})}
    env = [{"name": "OPEN", "value": " ".join(allowed)}, {"name": "CLOSED", "value": " ".join(refused)}]
    for suite, source in sources.items():
        tenant.tests(f"{name}-{suite}", source)
    spec = [
        {"name": suite, "testsFrom": {"configMapRef": {"name": f"{name}-{suite}"}}, "env": env} for suite in sources
    ]
    tenant.run(name, services={"redis": {}}, suites=spec, parallelism=len(spec))
    return dict(tenant.finished(name)["status"])


def passed(status: Object, suite: str) -> int:
    """How many tests of a suite have passed, which are to be all of them."""
    failures = [failure for failure in status["failures"] if failure.get("suite") == suite]
    found = next(item for item in status["suites"] if item["name"] == suite)
    assert (found["state"], failures) == ("Passed", []), status["message"]
    return int(found["passed"])


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
