"""What does not fit, takes too long or is called off ends with the limit's name, and says what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .ends import End, error, expect
from .kubectl import condition, eventually, get, kubectl

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

ONE = "def test_one(): pass\n"
HANG = "import threading\ndef test_one(): pass\ndef test_two(): threading.Event().wait()\n"
UNTIL_TOLD = """\
import pathlib, time

def test_one():
    while not pathlib.Path("/tmp/go").exists(): time.sleep(0.1)
"""
TOO_BIG = {"requests": {"memory": "100Gi"}, "limits": {"memory": "100Gi"}}
"""More than a run may have (chart value `quota`)."""
UNSCHEDULABLE = {"requests": {"cpu": "7", "memory": "15Gi"}, "limits": {"memory": "15Gi"}}
"""A run may ask for it (chart value `quota`); no machine on which these tests run has both to spare."""


def app(resources: dict[str, Any]) -> dict[str, Any]:
    command = ["python3", "-c", "import time; time.sleep(600)"]
    return {"name": "app", "image": "localhost/seatrial/suite:dev", "command": command, "resources": resources}


def suite(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "testsFrom": {"configMapRef": {"name": "tests"}}, **more}


CASES: dict[str, tuple[dict[str, Any], End]] = {
    "an-application-that-no-node-has-room-for": (
        {"applications": [app(UNSCHEDULABLE)], "timeouts": {"provision": "6s"}},
        error("Unschedulable", "application app", "cannot be scheduled", "Insufficient"),
    ),
    "a-suite-that-no-node-has-room-for": (
        {"suites": [suite("it", resources=UNSCHEDULABLE, timeout="5s")], "timeouts": {"provision": "6s"}},
        error("Unschedulable", "suite it", "cannot be scheduled", "Insufficient"),
    ),
    "an-application-beyond-the-quota": (
        {"applications": [app(TOO_BIG)]},
        error("PodRefused", "application app", "exceeded quota", "limits.memory=16Gi"),
    ),
    "a-suite-beyond-the-quota": (
        {"suites": [suite("first", pytest={"keyword": "test_one"}), suite("second", resources=TOO_BIG)]},
        error("PodRefused", "suite second", "exceeded quota", "limits.memory=16Gi", passed="1/1"),
    ),
    "limits-below-requests": (
        {"suites": [suite("it", resources={"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}})]},
        error("Refused", "Job suite-it", "must be less than or equal to memory limit"),
    ),
    "the-whole-run": (
        {"suites": [suite("it")], "timeouts": {"total": "6s"}},
        error("Timeout", "6 s", "not finished: suite it", passed="1/2"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_limit(name: str, tenant: Tenant) -> None:
    spec, end = CASES[name]
    tenant.tests("tests", HANG)
    tenant.run("limit", **{"suites": [suite("it")], **spec})
    expect(tenant, "limit", end)


QUOTAS = {
    "of-pods": ({"pods": "1"}, error("PodRefused", "suite second", "exceeded quota: cluster", passed="1/1")),
    "of-jobs": (
        {"count/jobs.batch": "1"},
        error("QuotaExceeded", "Job suite-second", "exceeded quota: cluster", passed="1/1"),
    ),
}


def _enforced(quota: str, namespace: str) -> bool:
    """Whether its controller has counted once; before that it refuses nothing."""
    found = get("resourcequota", quota, namespace)
    return found is not None and bool(found.get("status", {}).get("hard"))


@pytest.mark.parametrize("name", QUOTAS)
def test_a_quota_of_the_administrator(name: str, tenant: Tenant) -> None:
    """One in the run's own namespace comes in the way of the second suite; the results of the first are kept."""
    hard, end = QUOTAS[name]
    tenant.tests("tests", UNTIL_TOLD)
    tenant.run("quota", suites=[suite("first"), suite("second")])
    namespace = tenant.in_phase("quota", "Running")["status"]["namespace"]
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "cluster", "namespace": namespace},
        "spec": {"hard": hard},
    }
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(quota))
    eventually("the quota is enforced", lambda: _enforced("cluster", namespace))
    go = ("python3", "-c", "open('/tmp/go', 'w'); print('told')")
    tell = ("exec", "job/suite-first", "-n", namespace, "-c", "suite", "--", *go)
    eventually("the suite's container runs and is told to go on", lambda: kubectl(*tell, check=False) == "told\n")
    expect(tenant, "quota", end)


def test_cancel(tenant: Tenant) -> None:
    tenant.tests("cancel", HANG)
    tenant.run("cancel")
    tenant.in_phase("cancel", "Running")
    tenant.patch("cancel", cancel=True)
    run = tenant.finished("cancel")
    assert (run["status"]["phase"], run["status"]["reason"]) == ("Cancelled", "Cancelled")
    assert condition(run, "Stalled")["status"] == "True"


def test_suspend_holds_a_run(tenant: Tenant) -> None:
    tenant.tests("suspend", ONE)
    tenant.run("suspend", suspend=True)
    run = tenant.in_phase("suspend", "Pending")
    assert run["status"]["reason"] == "Suspended"
    assert "namespace" not in run["status"]
    tenant.patch("suspend", suspend=False)
    expect(tenant, "suspend", End("Passed", "AllTestsPassed", passed="1/1"))
