"""What a run says when its suites have come to their own end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .ends import End, expect
from .kubectl import condition

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

TWO_PASSING = "def test_one(): pass\ndef test_two(): pass\n"


def test_shards_share_the_tests(tenant: Tenant) -> None:
    source = (
        "import pytest\n@pytest.mark.parametrize('number', range(7))\ndef test_number(number): assert number != 3\n"
    )
    tenant.tests("shards", source)
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "shards"}}, "shards": 2}
    tenant.run("shards", suites=[suite])
    run = expect(tenant, "shards", End("Failed", "TestsFailed", ("test_number[3]",), "6/7"))
    assert sorted(shard["total"] for shard in run["status"]["suites"][0]["shards"]) == [3, 4]


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
    run = expect(tenant, "order", End("Failed", "TestsFailed", ("suite first",), "2/3"))
    states = {suite["name"]: suite["state"] for suite in run["status"]["suites"]}
    assert states == {"first": "Failed", "second": "Passed"}
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
