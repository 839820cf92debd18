"""What is measured: the services and tests of each arm."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.api import Object

NAMESPACE = "bench"
"""Where the TestRuns and the ConfigMaps with tests are; deleted at the end."""
SUITE = "tests"

STAMPS = '''\
"""Says on stdout when the first test began and when the last one ended; pytest's own output goes on beside it."""
import time

import pytest

_first = _last = 0.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logstart(nodeid, location):
    global _first
    _first = _first or time.time()


def pytest_runtest_logfinish(nodeid, location):
    global _last
    _last = time.time()


def pytest_sessionfinish(session, exitstatus):
    print(f"\\nbench-stamps {_first!r} {_last!r} {session.testscollected}", flush=True)
'''


def tests(number: int) -> dict[str, str]:
    """Files of a suite of so many trivial tests."""
    text = f'import pytest\n\n\n@pytest.mark.parametrize("number", range({number}))\ndef test_number(number): pass\n'
    return {"conftest.py": STAMPS, "test_numbers.py": text}


TESTS: dict[str, dict[str, str]] = {
    "ten": tests(10),
    "two-thousand": tests(2000),
    "failing": {"test_failing.py": "def test_passes(): pass\n\n\ndef test_fails(): assert 1 == 2\n"},
}
"""Name of a ConfigMap -> its files."""

THREE: dict[str, Any] = {"kafka": {"topics": [{"name": "orders"}]}, "redis": {}, "postgres": {}}
SERVICES: dict[str, dict[str, Any]] = {
    "kafka-redis-postgres": THREE,
    "with-influxdb": {**THREE, "influxdb": {}},
    "redis": {"redis": {}},
}
"""Name of a case -> its backing services."""


def config_map(name: str, namespace: str = NAMESPACE) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": TESTS[name],
    }


def test_run(services: Mapping[str, Any], suite: str, **spec: Any) -> Object:
    """A TestRun of one suite, under a new name; its environment goes as soon as the verdict is known."""
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": {"name": f"bench-{uuid.uuid4().hex[:8]}", "namespace": NAMESPACE},
        "spec": {
            "services": dict(services),
            "suites": [{"name": SUITE, "testsFrom": {"configMapRef": {"name": suite}}}],
            "retention": {"onSuccess": "0s", "onFailure": "0s"},
            **spec,
        },
    }


def is_finished(run: Object) -> bool:
    conditions = run.get("status", {}).get("conditions", [])
    return any(item["type"] == "Finished" and item["status"] == "True" for item in conditions)
