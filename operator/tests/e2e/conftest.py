from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from .kubectl import OPERATOR_NAMESPACE, Tenant, eventually, get, items, kubectl

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
    """A namespace for the test's TestRuns. It goes with them, and so must every environment that they had."""
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    yield Tenant(namespace)
    kubectl("delete", "testruns", "--all", "-n", namespace, "--timeout=60s")
    kubectl("delete", "namespace", namespace, "--wait=false")

    def is_clean() -> bool:
        environments = items("namespaces", selector="seatrial.dev/run-uid")
        owners = (item["metadata"]["annotations"]["seatrial.dev/run-namespace"] for item in environments)
        return namespace not in owners

    eventually(f"no environment of {namespace} is left", is_clean)
