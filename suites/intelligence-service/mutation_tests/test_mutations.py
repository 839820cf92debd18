"""The suite goes red for each deliberate bug of the service, and names what is wrong. Half a minute each.

pytest suites/intelligence-service/mutation_tests
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hack.local_run import ROOT, status_of
from intelligence_service.faults import Bug

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "examples" / "intelligence-service.yaml"
SECONDS = 280
FINDS = {
    Bug.WRONG_CORRELATION: "test_load.py::test_concurrent_requests",
    Bug.NO_CAUSATION: "test_event_flows.py::test_flow",
    Bug.NO_TRANSACTION: "test_resilience.py::test_killed_within_a_batch[published]",
    Bug.COMMIT_FIRST: "test_resilience.py::test_killed_within_a_batch[published]",
    Bug.SILENT: "test_handlers_kafka.py::TestDeadLetters",
    Bug.FORGIVING: "test_handlers_kafka.py::TestValidation::test_every_broken_rule",
}
"""A test that must fail."""


def test_every_bug_has_a_test_that_finds_it() -> None:
    assert set(FINDS) == set(Bug)


@pytest.mark.parametrize("bug", sorted(Bug))
def test_the_suite_finds_the_bug(bug: Bug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = yaml.safe_load(EXAMPLE.read_text())
    spec: dict[str, Any] = run["spec"]
    spec["applications"][0]["env"].append({"name": "INTELLIGENCE_BUG", "value": str(bug)})
    test = FINDS[bug]
    module = test.partition("::")[0]
    name = test.rpartition("::")[2].partition("[")[0]
    suite = {"name": "mutation", "image": spec["suites"][0]["image"], "timeout": "4m"}
    spec["suites"] = [
        {
            **suite,
            "pytest": {"paths": [f"/tests/{module}"], "keyword": name if "::Test" not in test else test.split("::")[1]},
            "env": [{"name": "SUITE_DEADLINE_SECONDS", "value": "8"}],
        }
    ]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    status = status_of(run, seconds=SECONDS)
    failed = [failure["id"] for failure in status["failures"] if failure["outcome"] == "failed"]
    assert (status["phase"], status["reason"]) == ("Failed", "TestsFailed"), status["message"]
    assert any(found.startswith(test) for found in failed), failed
