"""What goes wrong around a suite ends the run with the culprit's own words, and leaves nothing behind."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
import yaml

from seatrial.naming import RunId, run_namespace

from .kubectl import OPERATOR_NAMESPACE, condition, eventually, get, items, kubectl

if TYPE_CHECKING:
    from .kubectl import Object, Tenant

pytestmark = pytest.mark.e2e

SLOW = """\
import pathlib, time
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_number(number):
    time.sleep({seconds})
"""


def slow(count: int = 40, seconds: float = 0.25) -> str:
    """A suite that takes `count * seconds` seconds: long enough to interfere with."""
    return SLOW.format(count=count, seconds=seconds)


def expect(run: Object, phase: str, reason: str, *words: str) -> None:
    status = run["status"]
    assert (status["phase"], status["reason"]) == (phase, reason), yaml.safe_dump(status)
    for word in words:
        assert word in status["message"]


def test_a_version_that_is_not_in_the_catalogue(tenant: Tenant) -> None:
    tenant.run("version", services={"redis": {"version": "2.6"}}, suites=[{"name": "it"}])
    expect(tenant.finished("version"), "Error", "UnknownVersion", "2.6", "redis")


def test_an_image_that_cannot_be_pulled(tenant: Tenant) -> None:
    tenant.run("image", suites=[{"name": "it", "image": "localhost/seatrial/not-there:1"}])
    expect(tenant.finished("image", seconds=60), "Error", "ImagePullFailed", "localhost/seatrial/not-there:1")


def test_an_image_that_needs_root(tenant: Tenant) -> None:
    tenant.run("config-map", suites=[{"name": "it", "testsFrom": {"configMapRef": {"name": "not-there"}}}])
    expect(tenant.finished("config-map"), "Error", "ConfigMapNotFound", "not-there")


def test_wrong_sql(tenant: Tenant) -> None:
    tenant.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "sql"},
            "data": {"001.sql": "CREATE TABLE a (id int);\nCREATE TABEL b (id int);\n"},
        }
    )
    tenant.tests("wrong-sql", "def test_one(): pass\n")
    tenant.run(
        "wrong-sql",
        services={"postgres": {"initSQL": {"configMapRef": {"name": "sql"}}}},
        suites=[{"name": "it", "testsFrom": {"configMapRef": {"name": "wrong-sql"}}}],
    )
    expect(tenant.finished("wrong-sql"), "Error", "SeedFailed", "TABEL", "001.sql")


def test_a_service_that_dies_in_the_middle(tenant: Tenant) -> None:
    source = (
        "import os, redis, time\n"
        "def test_one(): pass\n"
        "def test_kill():\n"
        "    redis.Redis.from_url(os.environ['REDIS_URL']).shutdown(nosave=True)\n"
        "    time.sleep(60)\n"
    )
    tenant.tests("service", source)
    tenant.run("service", services={"redis": {}})
    run = tenant.finished("service")
    expect(run, "Error", "ServiceFailed", "redis")
    assert run["status"]["summary"]["passed"] == 1


def test_an_application_that_crashes(tenant: Tenant) -> None:
    tenant.tests("crash", "def test_one(): pass\n")
    tenant.run(
        "crash",
        applications=[
            {
                "name": "app",
                "image": "localhost/seatrial/suite:dev",
                "command": ["python3", "-c", "raise SystemExit('no exchange key is configured')"],
            }
        ],
    )
    expect(tenant.finished("crash"), "Error", "ApplicationFailed", "no exchange key is configured")


def test_an_application_that_is_never_ready(tenant: Tenant) -> None:
    tenant.tests("never", "def test_one(): pass\n")
    tenant.run(
        "never",
        timeouts={"provision": "6s"},
        applications=[
            {
                "name": "app",
                "image": "localhost/seatrial/suite:dev",
                "command": ["python3", "-m", "http.server", "8080"],
                "ports": [{"name": "http", "port": 8080}],
                "ready": {"http": {"path": "/healthz", "port": "http"}},
            }
        ],
    )
    run = tenant.finished("never")
    assert run["status"]["reason"] in {"ProvisionTimeout", "ApplicationNotReady"}, yaml.safe_dump(run["status"])
    assert "app" in run["status"]["message"]
    assert "404" in run["status"]["message"]


def test_cancel(tenant: Tenant) -> None:
    tenant.tests("cancel", slow())
    tenant.run("cancel")
    tenant.in_phase("cancel", "Running")
    tenant.patch("cancel", cancel=True)
    run = tenant.finished("cancel")
    expect(run, "Cancelled", "Cancelled")
    assert condition(run, "Stalled")["status"] == "True"


def test_suspend_holds_a_run(tenant: Tenant) -> None:
    tenant.tests("suspend", "def test_one(): pass\n")
    tenant.run("suspend", suspend=True)
    run = eventually(
        "the run is suspended",
        lambda: (run := tenant.get("suspend")) and run.get("status", {}).get("reason") == "Suspended" and run,
    )
    assert run["status"]["phase"] == "Pending"
    assert "namespace" not in run["status"]
    tenant.patch("suspend", suspend=False)
    expect(tenant.finished("suspend"), "Passed", "AllTestsPassed")


def test_deleted_in_the_middle(tenant: Tenant) -> None:
    tenant.tests("deleted", slow())
    tenant.run("deleted", services={"redis": {}})
    namespace = tenant.in_phase("deleted", "Running")["status"]["namespace"]
    kubectl("delete", "testrun", "deleted", "-n", tenant.namespace, "--timeout=20s")
    assert get("testrun", "deleted", tenant.namespace) is None
    eventually("the environment is gone", lambda: get("namespace", namespace) is None)


def test_the_environment_deleted_by_hand(tenant: Tenant) -> None:
    tenant.tests("by-hand", slow())
    tenant.run("by-hand")
    namespace = tenant.in_phase("by-hand", "Running")["status"]["namespace"]
    kubectl("delete", "namespace", namespace, "--wait=false")
    expect(tenant.finished("by-hand"), "Error", "EnvironmentDeleted", namespace)


def test_the_operator_killed_in_the_middle(tenant: Tenant) -> None:
    """A new operator finishes the run: the same verdict, every test once, the same Job."""
    tenant.tests("killed", slow(count=32))
    tenant.run("killed", services={"redis": {}}, retention={"onSuccess": "10m", "onFailure": "10m"})
    namespace = tenant.in_phase("killed", "Running")["status"]["namespace"]
    eventually("some tests have passed", lambda: tenant.get("killed")["status"]["summary"]["passed"] > 0)
    jobs = {job["metadata"]["uid"] for job in items("jobs", namespace)}
    pods = {pod["metadata"]["uid"] for pod in items("pods", namespace)}
    kubectl("delete", "pods", "-n", OPERATOR_NAMESPACE, "--all", "--grace-period=0", "--force")
    run = tenant.finished("killed")
    expect(run, "Passed", "AllTestsPassed")
    assert run["status"]["passed"] == "32/32"
    assert {job["metadata"]["uid"] for job in items("jobs", namespace)} == jobs
    assert {pod["metadata"]["uid"] for pod in items("pods", namespace)} == pods
    recorded = [test["id"] for item in tenant.slices("killed") for test in item.get("tests", [])]
    assert len(recorded) == len(set(recorded)) == 32
    tenant.patch("killed", retention={"onSuccess": "0s"})
    tenant.cleaned("killed")


def test_an_environment_without_a_run_is_swept(tenant: Tenant) -> None:
    """Its TestRun was deleted while no operator looked; the next one to start finds it."""
    uid = str(uuid.uuid4())
    name = run_namespace(RunId("orphan", tenant.namespace, uid))
    labels = {"app.kubernetes.io/managed-by": "seatrial", "seatrial.dev/run-uid": uid}
    annotations = {"seatrial.dev/run-namespace": tenant.namespace}
    tenant.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
        }
    )
    kubectl("delete", "pods", "-n", OPERATOR_NAMESPACE, "--all", "--grace-period=1")
    eventually("the orphan is gone", lambda: get("namespace", name) is None)


def test_a_secret_needs_a_grant(tenant: Tenant) -> None:
    kubectl("create", "secret", "generic", "api-key", "-n", tenant.namespace, "--from-literal=key=k-123")
    tenant.tests("secret", "import os\ndef test_key(): assert os.environ['API_KEY'] == 'k-123'\n")
    env = [{"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "key"}}}]
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "secret"}}, "env": env}
    tenant.run("denied", suites=[suite])
    run = tenant.finished("denied")
    expect(run, "Error", "SecretAccessDenied", "kubectl create rolebinding")
    command = run["status"]["message"].split("with: kubectl ")[1].split("; ")[0]
    kubectl(*command.split())
    tenant.run("granted", suites=[suite])
    expect(tenant.finished("granted"), "Passed", "AllTestsPassed")
