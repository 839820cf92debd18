"""A run, or what it has, deleted at any moment; names at their limits; one name used again and again."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

import pytest

from .conftest import a_tenant
from .ends import PASSED, End, check_record, error, expect
from .kubectl import condition, eventually, get, items, kubectl

if TYPE_CHECKING:
    from .kubectl import Object, Tenant

pytestmark = pytest.mark.e2e

ONE = "def test_one(): pass\n"
HANG = "import threading\ndef test_one(): pass\ndef test_two(): threading.Event().wait()\n"
NEVER_SEEDED = {"postgres": {"initSQL": {"configMapRef": {"name": "sql"}}}}
RETAINED = {"onSuccess": "10m", "onFailure": "10m"}


class Moment(NamedTuple):
    """A phase in which a run can be held, and how."""

    phase: str
    spec: dict[str, object]
    source: str = ONE


MOMENTS = {
    "suspended": Moment("Pending", {"suspend": True}),
    "provisioning": Moment("Provisioning", {"services": NEVER_SEEDED}),
    "running": Moment("Running", {"services": {"redis": {}}}, HANG),
    "retained": Moment("Passed", {"retention": RETAINED}),
    "cleaning-up": Moment("Passed", {"retention": {"onSuccess": "0s"}}),
}


def hold(tenant: Tenant, moment: Moment) -> Object:
    """A run in the phase of a moment."""
    tenant.tests("held", moment.source)
    tenant.config_map("sql", **{"001_sql": "SELECT pg_sleep(600);\n"})
    tenant.run("held", **moment.spec)
    return tenant.in_phase("held", moment.phase)


def environments(tenant: Tenant) -> list[str]:
    mark = "seatrial.dev/run-namespace"
    found = (item["metadata"] for item in items("namespaces", selector="seatrial.dev/run-uid"))
    return [item["name"] for item in found if item["annotations"][mark] == tenant.namespace]


@pytest.mark.parametrize("name", MOMENTS)
def test_deleted(name: str, tenant: Tenant) -> None:
    """`kubectl delete` returns at once; results and environment go."""
    hold(tenant, MOMENTS[name])
    tenant.delete("held")
    assert get("testrun", "held", tenant.namespace) is None
    eventually("the environment is gone", lambda: not environments(tenant))
    eventually("the results are gone", lambda: not tenant.slices("held"))


def test_deleted_before_it_is_seen(tenant: Tenant) -> None:
    tenant.tests("held", ONE)
    for _ in range(3):
        tenant.run("held", services={"redis": {}})
        tenant.delete("held")
    eventually("the environments are gone", lambda: not environments(tenant))


BY_HAND = {
    "provisioning": error("EnvironmentDeleted"),
    "running": error("EnvironmentDeleted", passed="1/2"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_environment_deleted_by_hand(name: str, tenant: Tenant) -> None:
    namespace = hold(tenant, MOMENTS[name])["status"]["namespace"]
    if name == "running":
        eventually("the first result is in", lambda: tenant.get("held")["status"]["summary"]["passed"])
    kubectl("delete", "namespace", namespace, "--wait=false")
    run = expect(tenant, "held", BY_HAND[name])
    assert namespace in run["status"]["message"]


def test_a_retained_environment_deleted_by_hand(tenant: Tenant) -> None:
    """The verdict stands."""
    namespace = hold(tenant, MOMENTS["retained"])["status"]["namespace"]
    kubectl("delete", "namespace", namespace, "--wait=false")
    status = tenant.get("held")["status"]
    assert (status["phase"], status["reason"]) == ("Passed", "AllTestsPassed")
    eventually("the environment is gone", lambda: get("namespace", namespace) is None)


def test_one_name_used_again_and_again(tenant: Tenant) -> None:
    """Each run has an environment and results of its own, whatever is left of the former one."""
    tenant.config_map("sql", **{"001_sql": "SELECT pg_sleep(600);\n"})
    tenant.tests("again", HANG)
    namespaces = set()
    for phase, services in (("Provisioning", NEVER_SEEDED), ("Running", {"redis": {}}), ("Running", {})):
        tenant.run("again", services=services)
        namespaces.add(tenant.in_phase("again", phase)["status"]["namespace"])
        tenant.delete("again")
    tenant.tests("again", ONE)
    tenant.run("again", services={"redis": {}})
    run = expect(tenant, "again", PASSED)
    assert len(namespaces | {run["status"]["namespace"]}) == 4
    assert {item["run"] for item in tenant.slices("again")} == {"again"}
    eventually("only the results of the last run are left", lambda: len(tenant.slices("again")) == 1)


NAMES = {
    "63": "a" * 63,
    "253": ("orders." * 40)[:253].rstrip("."),
    "dots": "1.orders-of.2026",
}


@pytest.mark.parametrize("length", NAMES)
def test_a_run_with_a_name_of(length: str, tenant: Tenant) -> None:
    name = NAMES[length]
    tenant.tests("tests", ONE)
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "tests"}}}
    tenant.run(name, services={"redis": {}}, suites=[suite])
    expect(tenant, name, PASSED)


def test_two_names_that_differ_in_their_last_letter(tenant: Tenant) -> None:
    names = ["a" * 252 + letter for letter in "bc"]
    tenant.tests("tests", ONE)
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "tests"}}}
    for name in names:
        tenant.run(name, suites=[suite])
    runs = [expect(tenant, name, PASSED) for name in names]
    assert len({run["status"]["namespace"] for run in runs}) == 2


def test_the_longest_names_of_everything(request: pytest.FixtureRequest, tenants: dict[str, str]) -> None:
    """Namespace 63, run 253, ConfigMaps 253, application and suite 40 characters."""
    namespace = f"e2e-{uuid.uuid4().hex[:8]}-".ljust(63, "n")
    with a_tenant(request.node.nodeid, tenants, namespace) as tenant:
        run, tests, sql = (letter * 253 for letter in "rts")
        tenant.tests(tests, "import socket\ndef test_one(): socket.create_connection(('a' * 40, 8080)).close()\n")
        tenant.config_map(sql, **{"s" * 249 + "_sql": "SELECT 1;\n"})
        app = {
            "name": "a" * 40,
            "image": "localhost/seatrial/suite:dev",
            "command": ["python3", "-m", "http.server", "8080"],
            "ports": [{"name": "http", "port": 8080}],
            "ready": {"tcp": {"port": "http"}},
        }
        tenant.run(
            run,
            services={"postgres": {"initSQL": {"configMapRef": {"name": sql}}}},
            applications=[app],
            suites=[{"name": "s" * 40, "testsFrom": {"configMapRef": {"name": tests}}}],
        )
        expect(tenant, run, PASSED)


def test_cleaned_up_after_its_retention(tenant: Tenant) -> None:
    run = hold(tenant, MOMENTS["retained"])
    assert condition(run, "EnvironmentCleaned")["reason"] == "Retained"
    tenant.patch("held", retention={"onSuccess": "0s"})
    run = tenant.cleaned("held")
    assert get("namespace", run["status"]["namespace"]) is None
    check_record(tenant, run)
    assert run["status"]["phase"] == End("Passed", "").phase
