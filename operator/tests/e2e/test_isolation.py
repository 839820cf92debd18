"""A run has the network, the rights and the credentials of its own, and no others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .ends import PASSED, error, expect
from .kubectl import get, items, kubectl

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

INSIDE = """\
import os, pathlib, socket

def reaches(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False

def test_its_own_services_can_be_reached():
    assert reaches("redis", 6379)

def test_the_api_server_cannot():
    assert not reaches(os.environ.get("API", "10.96.0.1"), 443)

def test_another_run_cannot():
    assert not reaches(os.environ["OTHER"], 6379)

def test_there_is_no_token():
    assert not pathlib.Path("/var/run/secrets/kubernetes.io").exists()

def test_it_is_not_root_and_cannot_write():
    assert os.getuid() != 0
    try:
        pathlib.Path("/written").touch()
    except OSError:
        return
    raise AssertionError("the root file system can be written")

def test_set_up_credentials_stay_with_the_environment_pod():
    assert "INFLUXDB_PASSWORD" not in os.environ
"""


def test_from_inside(tenant: Tenant) -> None:
    tenant.tests("other", "import time\ndef test_wait(): time.sleep(120)\n")
    tenant.run("other", services={"redis": {}})
    namespace = tenant.in_phase("other", "Running")["status"]["namespace"]
    other = get("pod", "redis", namespace)
    assert other is not None
    tenant.tests("inside", INSIDE)
    suite = {
        "name": "it",
        "testsFrom": {"configMapRef": {"name": "inside"}},
        "env": [
            {"name": "OTHER", "value": other["status"]["podIP"]},
            {"name": "API", "value": kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}")},
        ],
    }
    tenant.run("inside", services={"redis": {}, "influxdb": {}}, suites=[suite])
    status = tenant.finished("inside")["status"]
    assert status["phase"] == "Passed", status["failures"]


def test_from_outside(tenant: Tenant) -> None:
    """The namespace is restricted, everything in it is labelled, and no secret value is in status or events."""
    tenant.tests("outside", "import os\ndef test_print(): raise AssertionError(os.environ['REDIS_HOST'])\n")
    tenant.run("outside", services={"redis": {}, "postgres": {}}, retention={"onFailure": "10m"})
    run = tenant.finished("outside")
    name = run["status"]["namespace"]
    namespace = get("namespace", name)
    assert namespace is not None
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    uid = run["metadata"]["uid"]
    for kind in ("pods", "jobs", "services", "secrets", "networkpolicies", "resourcequotas", "limitranges"):
        found = items(kind, name)
        assert found, kind
        assert {item["metadata"]["labels"].get("seatrial.dev/run-uid") for item in found} == {uid}, kind
    secret = get("secret", "connection", name)
    assert secret is not None
    password = kubectl(
        "get", "secret", "connection", "-n", name, "-o", "go-template={{.data.REDIS_PASSWORD | base64decode}}"
    )
    assert len(password) >= 32
    said = json.dumps([run, items("events", tenant.namespace), items("testresultslices", tenant.namespace)])
    assert password not in said
    tenant.patch("outside", retention={"onFailure": "0s"})
    tenant.cleaned("outside")


def test_a_secret_needs_a_grant(tenant: Tenant) -> None:
    """Without it the run ends with the command that grants it."""
    kubectl("create", "secret", "generic", "api-key", "-n", tenant.namespace, "--from-literal=key=k-123")
    tenant.tests("secret", "import os\ndef test_key(): assert os.environ['API_KEY'] == 'k-123'\n")
    env = [{"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "key"}}}]
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "secret"}}, "env": env}
    tenant.run("denied", suites=[suite])
    run = expect(tenant, "denied", error("SecretAccessDenied", "api-key"))
    command = run["status"]["message"].split("with: kubectl ")[1].split("; ")[0]
    kubectl(*command.split())
    tenant.run("granted", suites=[suite])
    expect(tenant, "granted", PASSED)
