from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from .kubectl import OPERATOR_NAMESPACE, Tenant, eventually, get, items, kubectl, operator_pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session", autouse=True)
def operator() -> None:
    """The operator is there, or the tests fail: a cluster that is missing is no reason to skip them."""
    deployment = get("deployment", "seatrial", OPERATOR_NAMESPACE)
    assert deployment is not None, "the operator is not installed in this cluster; run: make install"
    kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=60s")


@pytest.fixture(autouse=True)
def unharmed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does to its runs, the operator neither restarts nor meets a defect of its own."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    before = operator_pod()
    yield
    if request.node.get_closest_marker("disruptive") is None:
        assert operator_pod() == before, "the operator was restarted"
    log = kubectl("logs", "-n", OPERATOR_NAMESPACE, "deployment/seatrial", f"--since-time={started}")
    assert "Traceback" not in log, log[-8000:]


@pytest.fixture(scope="session")
def tenants() -> Iterator[dict[str, str]]:
    """Tenants' namespaces, each with the test that had it. In the end neither they nor an environment may be left.

    An environment takes seconds to go, so this is looked at once, after all tests.
    """
    tests: dict[str, str] = {}
    yield tests

    def left() -> list[str]:
        found = []
        for item in items("namespaces"):
            owner = item["metadata"].get("annotations", {}).get("seatrial.dev/run-namespace", item["metadata"]["name"])
            if owner in tests:
                found.append(f"{item['metadata']['name']} of {tests[owner]}")
        return found

    try:
        eventually("nothing is left", lambda: not left(), seconds=120)
    except AssertionError as error:
        raise AssertionError(f"{error}: {left()}") from None


@pytest.fixture
def new_tenant(request: pytest.FixtureRequest, tenants: dict[str, str]) -> Iterator[Callable[[str], Tenant]]:
    """Creates namespaces of a given name. They go with all that is in them when the test is over."""
    mine: list[str] = []

    def create(namespace: str) -> Tenant:
        kubectl("create", "namespace", namespace)
        mine.append(namespace)
        tenants[namespace] = request.node.nodeid
        return Tenant(namespace)

    yield create
    kubectl("delete", "namespace", *mine, "--wait=false")


@pytest.fixture
def tenant(new_tenant: Callable[[str], Tenant]) -> Tenant:
    """A namespace for the test's TestRuns."""
    return new_tenant(f"e2e-{uuid.uuid4().hex[:8]}")
