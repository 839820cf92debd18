"""The operator is killed, is away, comes back: runs go on, and nothing is left behind."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from seatrial.naming import RunId, run_namespace

from .ends import End, expect
from .kubectl import OPERATOR_NAMESPACE, eventually, get, items, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .kubectl import Tenant

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive]

MANY = 50_000
SLOW = "import pytest, time\n@pytest.mark.parametrize('n', range(32))\ndef test_it(n): time.sleep(0.25)\n"


def kill() -> None:
    kubectl("delete", "pods", "-n", OPERATOR_NAMESPACE, "--all", "--grace-period=0", "--force")


def scale(replicas: int) -> None:
    kubectl("scale", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, f"--replicas={replicas}")
    eventually("the operator's pods are as many", lambda: len(items("pods", OPERATOR_NAMESPACE)) == replicas)
    kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=60s")


@pytest.fixture
def away() -> Iterator[None]:
    """No operator runs during the test, unless the test starts one."""
    scale(0)
    yield
    scale(1)


@pytest.fixture(autouse=True)
def back() -> Iterator[None]:
    """The next test finds an operator that is ready."""
    yield
    kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=60s")


def uids(kind: str, namespace: str) -> set[str]:
    return {item["metadata"]["uid"] for item in items(kind, namespace)}


def test_killed_in_the_middle(tenant: Tenant) -> None:
    """A new operator finishes the run: the same verdict, every test once, the same Job."""
    tenant.tests("killed", SLOW)
    tenant.run("killed", services={"redis": {}}, retention={"onSuccess": "10m", "onFailure": "10m"})
    namespace = tenant.in_phase("killed", "Running")["status"]["namespace"]
    eventually("some tests have passed", lambda: tenant.get("killed")["status"]["summary"]["passed"])
    before = uids("jobs", namespace), uids("pods", namespace)
    kill()
    expect(tenant, "killed", End("Passed", "AllTestsPassed", passed="32/32"))
    assert (uids("jobs", namespace), uids("pods", namespace)) == before


def test_killed_in_the_middle_of_50000_tests(tenant: Tenant) -> None:
    source = f"import pytest\n@pytest.mark.parametrize('number', range({MANY}))\ndef test_it(number): pass\n"
    tenant.tests("many", source)
    tenant.run("many")
    passed = eventually("some tests have passed", lambda: tenant.get("many")["status"]["summary"]["passed"], 120)
    kill()
    assert passed < MANY, "the suite was over before the operator was killed"
    run = expect(tenant, "many", End("Passed", "AllTestsPassed", passed=f"{MANY}/{MANY}"), seconds=280)
    assert run["status"]["testsTruncated"]


def test_a_run_that_ends_while_the_operator_is_away(tenant: Tenant) -> None:
    tenant.tests("away", SLOW)
    tenant.run("away", services={"redis": {}})
    namespace = tenant.in_phase("away", "Running")["status"]["namespace"]
    scale(0)
    try:
        kubectl("wait", "--for=condition=Complete", "job/suite-it", "-n", namespace, "--timeout=60s")
    finally:
        scale(1)
    expect(tenant, "away", End("Passed", "AllTestsPassed", passed="32/32"))


def test_a_testrun_deleted_while_the_operator_is_away(tenant: Tenant) -> None:
    """Its finalizer holds it until an operator is back, which then deletes the environment."""
    tenant.tests("away", SLOW)
    tenant.run("away", services={"redis": {}})
    namespace = tenant.in_phase("away", "Running")["status"]["namespace"]
    scale(0)
    try:
        tenant.delete("away", wait=False)
        assert tenant.get("away")["metadata"]["finalizers"] == ["seatrial.dev/cleanup"]
        assert get("namespace", namespace) is not None
    finally:
        scale(1)
    eventually("the TestRun is gone", lambda: get("testrun", "away", tenant.namespace) is None)
    eventually("the environment is gone", lambda: get("namespace", namespace) is None)


@pytest.mark.usefixtures("away")
def test_a_testrun_created_and_deleted_while_the_operator_is_away(tenant: Tenant) -> None:
    tenant.tests("away", SLOW)
    tenant.run("away")
    tenant.delete("away")
    assert get("testrun", "away", tenant.namespace) is None


def test_an_environment_without_a_run_is_swept(tenant: Tenant) -> None:
    """Its TestRun was deleted while no operator looked; the next one to start finds it."""
    uid = str(uuid.uuid4())
    name = run_namespace(RunId("orphan", tenant.namespace, uid))
    labels = {"app.kubernetes.io/managed-by": "seatrial", "seatrial.dev/run-uid": uid}
    annotations = {"seatrial.dev/run-namespace": tenant.namespace}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    tenant.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    kubectl("delete", "pods", "-n", OPERATOR_NAMESPACE, "--all", "--grace-period=1")
    eventually("the orphan is gone", lambda: get("namespace", name) is None)
