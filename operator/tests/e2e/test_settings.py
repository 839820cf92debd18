"""What an administrator may set: the image of a service, which can be wrong, and how many runs may be active."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from .ends import PASSED, error, expect
from .kubectl import OPERATOR_NAMESPACE, eventually, get, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .kubectl import Tenant

pytestmark = [pytest.mark.e2e, pytest.mark.disruptive]

ONE = "def test_one(): pass\n"
HANG = "import threading\ndef test_one(): pass\ndef test_two(): threading.Event().wait()\n"
CATALOGUE = {
    # A server of another kind runs, but never answers where InfluxDB would.
    "influxdb": {"default": "2.7", "versions": {"2.7": "localhost/seatrial/redis:7"}},
    "redis": {"default": "7", "versions": {"7": "localhost/seatrial/redis:7"}},
    "postgres": {"default": "15", "versions": {"15": "localhost/seatrial/not-there:15"}},
}
SETTINGS = {
    "maxActiveRuns": 1,
    "imagePullSeconds": 3,
    "catalogue": CATALOGUE,
}


def configure(text: str) -> None:
    patch = json.dumps({"data": {"config.yaml": text}})
    kubectl("patch", "configmap", "seatrial", "-n", OPERATOR_NAMESPACE, "--type=merge", "-p", patch)
    kubectl("rollout", "restart", "deployment/seatrial", "-n", OPERATOR_NAMESPACE)
    kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=60s")


@pytest.fixture(scope="module", autouse=True)
def settings() -> Iterator[None]:
    """An operator with settings of this module; afterwards it has its own again."""
    config_map = get("configmap", "seatrial", OPERATOR_NAMESPACE)
    assert config_map is not None
    before = config_map["data"]["config.yaml"]
    configure(yaml.safe_dump(yaml.safe_load(before) | SETTINGS))
    yield
    configure(before)


def test_a_service_that_never_becomes_ready(tenant: Tenant) -> None:
    tenant.tests("never", ONE)
    tenant.run("never", services={"influxdb": {}}, timeouts={"provision": "6s"})
    words = ("influxdb", "refuses connections", "its log ends with", "Ready to accept connections")
    expect(tenant, "never", error("ServiceNotReady", *words))


def test_an_image_of_a_service_that_is_not_there(tenant: Tenant) -> None:
    tenant.tests("image", ONE)
    tenant.run("image", services={"postgres": {}})
    expect(tenant, "image", error("ImagePullFailed", "service postgres", "localhost/seatrial/not-there:15"))


def test_queued_until_it_is_its_turn(tenant: Tenant) -> None:
    tenant.tests("first", HANG)
    tenant.tests("second", ONE)
    tenant.run("first")
    tenant.in_phase("first", "Running")
    tenant.run("second")
    assert tenant.in_phase("second", "Queued")["status"].get("namespace") is None
    tenant.delete("first")
    expect(tenant, "second", PASSED)


def test_deleted_while_it_is_queued(tenant: Tenant) -> None:
    tenant.tests("first", HANG)
    tenant.run("first")
    tenant.in_phase("first", "Running")
    tenant.run("second")
    tenant.in_phase("second", "Queued")
    tenant.delete("second")
    assert get("testrun", "second", tenant.namespace) is None
    eventually("the results are gone", lambda: not tenant.slices("second"))
