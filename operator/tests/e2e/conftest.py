from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from .kubectl import OPERATOR_NAMESPACE, Tenant, eventually, get, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def operator() -> None:
    """The operator is there, or the tests fail: a cluster that is missing is no reason to skip them."""
    deployment = get("deployment", "seatrial", OPERATOR_NAMESPACE)
    assert deployment is not None, "the operator is not installed in this cluster; run: make install"
    kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=60s")


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    """A namespace for the test's TestRuns, deleted with them."""
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    yield Tenant(namespace)
    kubectl("delete", "testruns", "--all", "-n", namespace, "--timeout=60s")
    kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """After the test every environment is gone."""
    yield

    def look() -> bool:
        names = kubectl("get", "namespaces", "-l", "seatrial.dev/run-uid", "-o", "name")
        return not names.strip()

    eventually("no environment is left", look, 60)
