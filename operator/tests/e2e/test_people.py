"""What a person with kubectl sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .kubectl import OPERATOR_NAMESPACE, eventually, kubectl

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e


def test_wait_columns_and_describe(tenant: Tenant) -> None:
    tenant.tests("seen", "def test_one(): pass\ndef test_two(): assert 'long' == 'short'\n")
    tenant.run("seen", services={"redis": {}})
    kubectl("wait", "--for=condition=Finished", "testrun/seen", "-n", tenant.namespace, "--timeout=60s")
    header, row = kubectl("get", "trun", "seen", "-n", tenant.namespace).splitlines()
    assert header.split() == ["NAME", "PHASE", "PASSED", "FAILED", "FLAKY", "DURATION", "AGE"]
    assert row.split()[:5] == ["seen", "Failed", "1/2", "1", "0"]
    wide = kubectl("get", "trun", "seen", "-n", tenant.namespace, "-o", "wide")
    assert "TestsFailed" in wide
    by_phase = kubectl("get", "trun", "-n", tenant.namespace, "--field-selector=status.phase=Failed", "-o", "name")
    assert by_phase.strip() == "testrun.seatrial.dev/seen"

    def described() -> str:
        text = kubectl("describe", "trun", "seen", "-n", tenant.namespace)
        return text if "TestsFailed" in text.partition("Events:")[2] else ""

    described_text = eventually("the verdict is an Event", described)
    events = described_text.partition("Events:")[2]
    assert events.count("EnvironmentReady") == 1
    assert events.count("TestsFailed") == 1


def test_metrics_and_health(tenant: Tenant) -> None:
    tenant.tests("metrics", "def test_one(): pass\n")
    tenant.run("metrics")
    tenant.finished("metrics")
    pod = kubectl(
        "get", "pods", "-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=seatrial",
        "--field-selector=status.phase=Running", "-o", "jsonpath={.items[0].metadata.name}",
    )  # fmt: skip
    proxy = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{pod}"
    text = kubectl("get", "--raw", f"{proxy}:9090/proxy/metrics")
    assert 'seatrial_runs_finished_total{phase="Passed",reason="AllTestsPassed"}' in text
    assert "runs" in kubectl("get", "--raw", f"{proxy}:8080/proxy/healthz")
