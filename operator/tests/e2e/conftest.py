from __future__ import annotations

import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from .kubectl import OPERATOR_NAMESPACE, Tenant, eventually, get, items, kubectl, operator_pod

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    # A probe may come before the watches are open: kopf logs that answer as an error of the handler that gives it.
    defects = [line for line in log.splitlines() if "Traceback" in line and "watches are open" not in line]
    assert defects == [], log[-8000:]


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


@contextmanager
def a_tenant(test: str, tenants: dict[str, str], namespace: str = "") -> Iterator[Tenant]:
    """A namespace that goes, with all that is in it, when the test is over."""
    namespace = namespace or f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    tenants[namespace] = test
    try:
        yield Tenant(namespace)
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def tenant(request: pytest.FixtureRequest, tenants: dict[str, str]) -> Iterator[Tenant]:
    """A namespace for the test's TestRuns."""
    with a_tenant(request.node.nodeid, tenants) as tenant:
        yield tenant
