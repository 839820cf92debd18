"""Each example does what its comment says, on the cluster and, but for long ones, on this machine alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.influxd import take_influxd

from .engines import on_the_cluster, same_on_both
from .kubectl import ROOT

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

EXAMPLES = {
    "quickstart": ("Passed", {"total": 4, "passed": 4}),
    "red": (
        "Failed",
        {"total": 6, "passed": 2, "failed": 1, "errors": 1, "skipped": 1, "xfailed": 1, "flaky": 1},
    ),
    "all-services": ("Passed", {"total": 5, "passed": 5}),
    "alpha-panda": ("Passed", {"failed": 0, "errors": 0, "skipped": 0, "notRun": 0}),
    "intelligence-service": ("Passed", {"failed": 0, "errors": 0, "skipped": 0, "notRun": 0}),
    "kit": ("Passed", {"failed": 0, "errors": 0, "skipped": 0, "notRun": 0}),
    "kraken": ("Passed", {"failed": 0, "errors": 0, "skipped": 0, "notRun": 0}),
    "position-manager": ("Passed", {"failed": 0, "errors": 0, "skipped": 0, "notRun": 0}),
    "tbot": ("Passed", {"failed": 0, "errors": 0, "skipped": 0, "notRun": 0}),
}


LONG = frozenset() if os.environ.get("SEATRIAL_EXAMPLES") == "all" else frozenset({"alpha-panda", "kraken", "tbot"})
"""Those that kill servers and services under load for a minute or more: here only with `make examples`."""


def load(name: str) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text()) if item]


def test_every_example_is_tested() -> None:
    assert {path.stem for path in Path(ROOT / "examples").glob("*.yaml")} == set(EXAMPLES)


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with the one server that no package brings."""
    folder = tmp_path_factory.mktemp("bin")
    take_influxd(folder)
    return folder


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_example(name: str, tenant: Tenant, influxd: Path, tmp_path: Path) -> None:
    phase, counts = EXAMPLES[name]
    file = ROOT / "examples" / f"{name}.yaml"
    if name in LONG:
        run = on_the_cluster(file, name, tenant)
    else:
        path = f"{influxd}{os.pathsep}{os.environ['PATH']}"
        run = same_on_both(file, name, tenant, {"XDG_STATE_HOME": str(tmp_path), "PATH": path})
    status = run["status"]
    assert status["phase"] == phase, yaml.safe_dump(status)
    assert {key: status["summary"][key] for key in counts} == counts, yaml.safe_dump(status)
    assert status["summary"]["total"] > 0
    assert all(service["ready"] for service in status["services"])
    recorded = [test for item in tenant.slices(name) for test in item.get("tests", []) if test.get("final", True)]
    assert len(recorded) == status["summary"]["total"]


def test_failures_are_explained(tenant: Tenant) -> None:
    tenant.apply(*load("red"))
    status = tenant.finished("red")["status"]
    failures = {failure["id"].split("::")[1]: failure for failure in status["failures"]}
    assert set(failures) == {"test_fails", "test_errors"}
    assert "the position is not delta-neutral" in failures["test_fails"]["message"]
    assert failures["test_fails"]["location"].startswith("test_outcomes.py:")
    assert "the exchange does not answer" in failures["test_errors"]["message"]
    assert failures["test_errors"]["outcome"] == "error"
    tests = {test["id"].split("::")[1]: test for test in status["tests"]}
    assert tests["test_is_flaky"] | {"durationSeconds": 0} == {
        "suite": "outcomes",
        "id": "test_outcomes.py::test_is_flaky",
        "outcome": "passed",
        "attempts": 2,
        "durationSeconds": 0,
    }
