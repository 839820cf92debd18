"""Objects of every phase, recorded on a cluster, as Argo CD, Flux and Helm understand them."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from seatrial.api.crd import UNSEEN_STATUS
from seatrial.api.status import Phase, TestRunStatus

from .judges import ARGOCD_CM, KUSTOMIZATION, Judgement, judge

pytestmark = pytest.mark.external

Object = dict[str, Any]

RECORDED = Path(__file__).parent / "recorded"
GOES_ON = ("InProgress", "InProgress", "Progressing")
HAS_PASSED = ("Current", "Current", "Healthy")
HAS_NOT_PASSED = ("Failed", "Failed", "Degraded")

EXPECTED = {
    "unseen": GOES_ON,
    "pending": ("InProgress", "InProgress", "Suspended"),
    "queued": GOES_ON,
    "provisioning": GOES_ON,
    "running": GOES_ON,
    "collecting": GOES_ON,
    "passed": HAS_PASSED,
    "failed": HAS_NOT_PASSED,
    "error": HAS_NOT_PASSED,
    "cancelled": HAS_NOT_PASSED,
}
"""File -> what kstatus, Flux's expressions and Argo CD make of it."""


def recorded(name: str) -> Object:
    return dict(json.loads((RECORDED / f"{name}.json").read_text()))


@cache
def judgements() -> dict[str, Judgement]:
    return dict(zip(EXPECTED, judge([recorded(name) for name in EXPECTED]), strict=True))


def test_every_phase_is_recorded() -> None:
    phases = {recorded(name)["status"].get("phase", "") for name in EXPECTED}
    assert phases == {"", *Phase}
    assert {path.stem for path in RECORDED.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_status_is_what_the_operator_writes_now(name: str) -> None:
    """A recording that no longer fits the models proves nothing: `python -m tests.gitops.record` makes them anew."""
    status = recorded(name)["status"]
    if name == "unseen":
        assert status == UNSEEN_STATUS
        return
    again = TestRunStatus.model_validate(status).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert again == status


@pytest.mark.parametrize("name", EXPECTED)
def test_what_the_tools_make_of_it(name: str) -> None:
    assert judgements()[name].words == EXPECTED[name]


@pytest.mark.parametrize("name", [name for name, words in EXPECTED.items() if words == HAS_NOT_PASSED])
def test_a_failure_is_told_with_its_message(name: str) -> None:
    """People read the verdict where they are, without a look at the TestRun."""
    message = recorded(name)["status"]["message"]
    assert message
    assert message in judgements()[name].kstatus_message
    assert message in judgements()[name].argocd_message


@pytest.mark.parametrize("name", EXPECTED)
def test_a_change_that_nobody_has_seen_is_waited_for(name: str) -> None:
    """Whatever the status says, it says it of an older generation."""
    run = recorded(name)
    run["metadata"]["generation"] += 1
    assert judge([run])[0].words == GOES_ON


@pytest.mark.parametrize("name", EXPECTED)
def test_a_run_that_is_deleted_is_neither_good_nor_bad(name: str) -> None:
    run = recorded(name)
    run["metadata"]["deletionTimestamp"] = run["metadata"]["creationTimestamp"]
    judgement = judge([run])[0]
    assert (judgement.kstatus, judgement.argocd) == ("Terminating", "Progressing")


@pytest.mark.parametrize("missing", ["Finished", "Succeeded", "Ready", "Reconciling", "Stalled"])
def test_no_condition_that_is_missing_makes_a_run_pass(missing: str) -> None:
    """As if an older or a newer operator had written the status of a failed run, or of one that goes on."""
    for name in ("running", "failed"):
        run = copy.deepcopy(recorded(name))
        run["status"]["conditions"] = [item for item in run["status"]["conditions"] if item["type"] != missing]
        words = judge([run])[0].words
        assert "Healthy" not in words
        assert words[0] != "Current"
        assert words[1] != "Current"


def test_the_scripts_are_registered_for_the_kind() -> None:
    config_map = yaml.safe_load(Path(ARGOCD_CM).read_text())
    assert list(config_map["data"]) == ["resource.customizations.health.seatrial.dev_TestRun"]
    expressions = yaml.safe_load(Path(KUSTOMIZATION).read_text())["spec"]["healthCheckExprs"]
    run = recorded("passed")
    assert [(item["apiVersion"], item["kind"]) for item in expressions] == [(run["apiVersion"], run["kind"])]
