"""What an administrator bounds: how many runs a team has, what runs may reach, and that policies are enforced."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from hack.cluster.layout import METADATA_ADDRESS, OUTSIDE_ADDRESS
from tests.e2e.conftest import a_tenant
from tests.e2e.ends import PASSED, error, expect
from tests.e2e.kubectl import OPERATOR_NAMESPACE, cluster, eventually, get, items, kubectl
from tests.e2e.test_settings import configure

from .dialling import from_a_run, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubectl import Tenant

pytestmark = [pytest.mark.e2e, pytest.mark.security, pytest.mark.disruptive]

ONE = "def test_one(): pass\n"
HANG = "import threading\ndef test_one(): threading.Event().wait()\n"
TRUSTED = "e2e-trusted-*"
STRICT = {"networkPolicies": {"check": True, "required": True}}


@pytest.fixture(scope="module")
def before() -> Iterator[dict[str, object]]:
    """The operator's settings, which it has again afterwards."""
    config_map = get("configmap", "seatrial", OPERATOR_NAMESPACE)
    assert config_map is not None
    text = config_map["data"]["config.yaml"]
    yield dict(yaml.safe_load(text))
    configure(text)


@pytest.fixture(scope="module")
def bounded(before: dict[str, object]) -> None:
    """An operator with bounds for teams, an opening for one of them, and no mercy where policies are not enforced."""
    egress = {"cidr": f"{OUTSIDE_ADDRESS}/32", "ports": [{"port": 443}], "namespaces": [TRUSTED]}
    shares = {"maxActiveRuns": 2, "maxActiveRunsPerNamespace": 1}
    configure(yaml.safe_dump(before | shares | STRICT | {"egress": [egress]}))


def _found() -> dict[str, str]:
    status = get("configmap", "seatrial-status", OPERATOR_NAMESPACE)
    assert status is not None
    return dict(status.get("data") or {})


@pytest.mark.node
def test_where_policies_are_not_enforced_it_is_said_and_with_strict_settings_nothing_runs(
    before: dict[str, object], tenant: Tenant
) -> None:
    tenant.tests("one", ONE)
    cluster("policies", "off")
    try:
        configure(yaml.safe_dump(before | STRICT))
        tenant.run("one")
        run = expect(tenant, "one", error("NetworkPoliciesNotEnforced", "runs are not isolated"))
        assert "namespace" not in run["status"], "nothing was created for it"
        assert _found()["networkPoliciesEnforced"] == "False"
        assert _metric("False") == 1.0
        assert _metric("True") == 0.0
        assert _doctor()["state"] == "warn"
        reasons = {event["reason"] for event in items("events", OPERATOR_NAMESPACE)}
        assert "NetworkPoliciesNotEnforced" in reasons
    finally:
        cluster("policies", "on")


@pytest.mark.usefixtures("bounded")
def test_where_policies_are_enforced_runs_start_with_strict_settings_too(tenant: Tenant) -> None:
    tenant.tests("one", ONE)
    tenant.run("one")
    expect(tenant, "one", PASSED)
    assert _found()["networkPoliciesEnforced"] == "True"
    assert _metric("True") == 1.0
    assert _doctor()["state"] == "ok"


@pytest.mark.usefixtures("bounded")
def test_a_team_has_its_share_and_no_more(
    tenant: Tenant, tenants: dict[str, str], request: pytest.FixtureRequest
) -> None:
    tenant.tests("hang", HANG)
    hang = [{"name": "it", "testsFrom": {"configMapRef": {"name": "hang"}}}]
    tenant.run("held", suites=hang, suspend=True)  # it waits for its author, and takes nobody's turn
    tenant.run("first", suites=hang)
    tenant.in_phase("first", "Running")
    for name in ("second", "third"):
        tenant.run(name, suites=hang)
        tenant.in_phase(name, "Queued")
    # Both may have been created in the same second.
    order = eventually("both know their position", lambda: _order(tenant), seconds=40)
    assert f"namespace {tenant.namespace} has as many active runs as one may have (1)" in _message(tenant, order[0])
    with a_tenant(request.node.nodeid, tenants) as other:
        other.tests("one", ONE)
        other.run("one")  # the second slot is for somebody else
        expect(other, "one", PASSED)
    tenant.patch("first", cancel=True)
    tenant.in_phase(order[0], "Running")
    eventually("the other is next", lambda: "position 1 of" in _message(tenant, order[1]), seconds=40)


def _message(tenant: Tenant, name: str) -> str:
    return str(tenant.get(name)["status"].get("message", ""))


def _order(tenant: Tenant) -> list[str] | None:
    """Who is next, and who comes then; None as long as both say the same, or nothing."""
    found = {
        number: name
        for name in ("second", "third")
        for number in (1, 2)
        if f"position {number} of the queue" in _message(tenant, name)
    }
    return [found[1], found[2]] if set(found) == {1, 2} else None


@pytest.mark.node
@pytest.mark.usefixtures("bounded")
def test_what_the_administrator_opens_is_open_for_those_it_is_meant_for(
    tenant: Tenant, tenants: dict[str, str], request: pytest.FixtureRequest
) -> None:
    opened, rest = f"tcp:{OUTSIDE_ADDRESS}:443", [f"tcp:{OUTSIDE_ADDRESS}:80", f"tcp:{METADATA_ADDRESS}:443"]
    name = TRUSTED.replace("*", tenant.namespace.rpartition("-")[2])
    with a_tenant(request.node.nodeid, tenants, name) as trusted:
        status = from_a_run(trusted, "trusted", ["tcp:redis:6379", opened], rest)
        assert passed(status, "network") == 2 + len(rest)
    status = from_a_run(tenant, "others", ["tcp:redis:6379"], [opened, *rest])
    assert passed(status, "network") == 2 + len(rest)


def _doctor() -> dict[str, str]:
    """What `seatrial doctor` says about it; whatever else it finds on this machine."""
    command = [sys.executable, "-m", "seatrial.cli", "doctor", "--cluster", "-o", "json"]
    text = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stdout
    return dict(next(check for check in json.loads(text)["checks"] if check["name"] == "network policies"))


def _metric(status: str) -> float:
    pod = items("pods", OPERATOR_NAMESPACE, "app.kubernetes.io/name=seatrial")[0]["metadata"]["name"]
    text = kubectl("get", "--raw", f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{pod}:9090/proxy/metrics")
    prefix = f"seatrial_network_policies_enforced{{status={json.dumps(status)}}} "
    return float(next(line for line in text.splitlines() if line.startswith(prefix)).removeprefix(prefix))
