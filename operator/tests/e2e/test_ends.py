"""However a suite ends, the run ends with it, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .kubectl import condition

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

TWO_PASSING = "def test_one(): pass\ndef test_two(): pass\n"

SUITES: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    # name: (source, suite, phase, reason, part of the message)
    "exit-without-end": (
        "import os\ndef test_one(): pass\ndef test_two(): os._exit(0)\ndef test_three(): pass\n",
        {},
        "Error",
        "Incomplete",
        "1 of 3",
    ),
    "pytest-exit": (
        "import pytest\ndef test_one(): pass\ndef test_two(): pytest.exit('enough', returncode=0)\n",
        {},
        "Error",
        "Incomplete",
        "1 of 2",
    ),
    "segfault": (
        "import ctypes\ndef test_one(): pass\ndef test_two(): ctypes.string_at(0)\n",
        {},
        "Error",
        "SuiteCrashed",
        "SIGSEGV",
    ),
    "hang": (
        "import threading\ndef test_one(): threading.Event().wait()\n",
        {"timeout": "2s"},
        "Error",
        "SuiteTimeout",
        "still running 2 s after the gate opened",
    ),
    "out-of-memory": (
        "def test_one(): pass\ndef test_two(): bytearray(b'x') * (1 << 30)\n",
        {"resources": {"limits": {"memory": "160Mi"}}},
        "Error",
        "OOMKilled",
        "1 of 2",
    ),
    "no-tests": ("x = 1\n", {}, "Error", "NoTestsCollected", "exit code 5"),
    "collection-error": ("import not_there\n", {}, "Error", "CollectionError", "not_there"),
    "usage-error": (TWO_PASSING, {"pytest": {"args": ["--no-such-option"]}}, "Error", "UsageError", "--no-such-option"),
}


@pytest.mark.parametrize("name", sorted(SUITES))
def test_end(name: str, tenant: Tenant) -> None:
    source, suite, phase, reason, message = SUITES[name]
    tenant.tests(name, source)
    tenant.run(name, suites=[{"name": "it", "testsFrom": {"configMapRef": {"name": name}}, **suite}])
    status = tenant.finished(name)["status"]
    assert (status["phase"], status["reason"]) == (phase, reason), yaml.safe_dump(status)
    assert message in status["message"]


def test_a_suite_that_is_not_pytest(tenant: Tenant) -> None:
    xml = (
        '<testsuite tests="2"><testcase classname="orders" name="create" time="0.1"/>'
        '<testcase classname="orders" name="cancel"><failure message="still open"/></testcase></testsuite>'
    )
    tenant.run(
        "junit",
        suites=[
            {
                "name": "other",
                "image": "localhost/seatrial/suite:dev",
                "command": [
                    "python3",
                    "-c",
                    f"open('/results/junit.xml', 'w').write('''{xml}'''); raise SystemExit(1)",
                ],
                "junit": {"path": "/results/junit.xml"},
            }
        ],
    )
    status = tenant.finished("junit")["status"]
    assert (status["phase"], status["passed"]) == ("Failed", "1/2"), yaml.safe_dump(status)
    assert status["failures"][0]["message"] == "still open"


def test_a_suite_that_is_not_pytest_and_does_not_end(tenant: Tenant) -> None:
    command = ["python3", "-c", "import threading; threading.Event().wait()"]
    suite = {"name": "other", "image": "localhost/seatrial/suite:dev", "command": command, "timeout": "2s"}
    tenant.run("endless", suites=[{**suite, "junit": {"path": "/results/junit.xml"}}])
    status = tenant.finished("endless")["status"]
    assert (status["phase"], status["reason"]) == ("Error", "SuiteTimeout"), yaml.safe_dump(status)


def test_shards_share_the_tests(tenant: Tenant) -> None:
    source = (
        "import pytest\n@pytest.mark.parametrize('number', range(7))\ndef test_number(number): assert number != 3\n"
    )
    tenant.tests("shards", source)
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "shards"}}, "shards": 2}
    tenant.run("shards", suites=[suite])
    status = tenant.finished("shards")["status"]
    assert (status["phase"], status["passed"]) == ("Failed", "6/7"), yaml.safe_dump(status)
    assert sorted(shard["total"] for shard in status["suites"][0]["shards"]) == [3, 4]


def test_suites_run_one_after_the_other(tenant: Tenant) -> None:
    """A suite that fails does not keep the next one from running; the run needs both."""
    tenant.tests("order", TWO_PASSING)
    tenant.tests("failing", "def test_no(): assert False\n")
    tenant.run(
        "order",
        suites=[
            {"name": "first", "testsFrom": {"configMapRef": {"name": "failing"}}},
            {"name": "second", "testsFrom": {"configMapRef": {"name": "order"}}},
        ],
    )
    run = tenant.finished("order")
    states = {suite["name"]: suite["state"] for suite in run["status"]["suites"]}
    assert states == {"first": "Failed", "second": "Passed"}
    assert (run["status"]["phase"], run["status"]["passed"]) == ("Failed", "2/3")
    slices = {item["suite"]: item for item in tenant.slices("order")}
    first_ended = max(test["startedAt"] for test in slices["first"]["tests"])
    assert min(test["startedAt"] for test in slices["second"]["tests"]) > first_ended


def test_conditions_of_a_run_that_passed(tenant: Tenant) -> None:
    tenant.tests("green", TWO_PASSING)
    tenant.run("green")
    run = tenant.cleaned("green")
    wanted = {
        "Accepted": "True",
        "EnvironmentReady": "True",
        "SuitesCompleted": "True",
        "Succeeded": "True",
        "Finished": "True",
        "EnvironmentCleaned": "True",
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
    }
    assert {kind: condition(run, kind)["status"] for kind in wanted} == wanted
    generation = run["metadata"]["generation"]
    assert {item["observedGeneration"] for item in run["status"]["conditions"]} == {generation}
