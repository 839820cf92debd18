"""What may still change, once a run has started and once it has ended."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.api.spec import FROZEN_SPEC_RULES
from tests.apiserver.conftest import Api, Object, Refusal
from tests.spec_cases import run

pytestmark = pytest.mark.apiserver

FROZEN: dict[str, Any] = {
    "services": {"redis": {}},
    "applications": [{"name": "app", "image": "app:1"}],
    "suites": [{"name": "core", "retries": 1}],
    "parallelism": 2,
    "timeouts": {"total": "2h"},
}
MUTABLE: dict[str, Any] = {
    "suspend": True,
    "cancel": True,
    "retention": {"onFailure": "5m"},
}


def condition(kind: str, status: str, reason: str = "Because", **more: object) -> Object:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": "2026-01-02T03:04:05Z"} | more


@pytest.fixture
def started(api: Api) -> Object:
    return api.patch_status(api.run(run()), namespace="seatrial-a-0123456789", phase="Provisioning")


@pytest.fixture
def finished(api: Api, started: Object) -> Object:
    conditions = [
        condition("Succeeded", "False", "TestsFailed"),
        condition("Finished", "True", "TestsFailed"),
        condition("EnvironmentCleaned", "False"),
    ]
    return api.patch_status(started, phase="Failed", conditions=conditions)


def test_every_frozen_field_is_here() -> None:
    assert [rule["fieldPath"] for rule in FROZEN_SPEC_RULES] == [f".spec.{field}" for field in FROZEN]


@pytest.mark.parametrize("field", [*FROZEN, *MUTABLE])
def test_anything_may_change_before_the_start(api: Api, field: str) -> None:
    value = (FROZEN | MUTABLE)[field]
    before = api.run(run())
    after = api.patch(before, spec={field: value})
    assert after["spec"][field] != before["spec"][field]
    assert after["metadata"]["generation"] == 2


@pytest.mark.parametrize("field", FROZEN)
def test_the_run_is_frozen_after_the_start(api: Api, started: Object, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        api.patch(started, spec={field: FROZEN[field]})
    assert caught.value.message.endswith(
        f"spec.{field}: Forbidden: cannot change once the run has started: create a new TestRun "
        "(only suspend, cancel, retention may change)"
    )


@pytest.mark.parametrize("services", [{"redis": None}, {"kafka": {}}, {"postgres": {"database": "test"}}])
def test_services_are_frozen_in_every_spelling(api: Api, services: Object) -> None:
    started = api.patch_status(api.run(run(services=services)), namespace="n")
    changed = started["spec"] | {"services": {}}
    with pytest.raises(Refusal, match=r"spec\.services: Forbidden: cannot change once the run has started"):
        api.request("PUT", api.path("testruns", started["metadata"]["name"]), started | {"spec": changed})


@pytest.mark.parametrize("field", MUTABLE)
def test_these_may_change_after_the_start(api: Api, started: Object, field: str) -> None:
    after = api.patch(started, spec={field: MUTABLE[field]})
    assert after["spec"][field] != started["spec"][field]
    assert after["status"] == started["status"]


def test_the_same_manifest_may_be_applied_again(api: Api, started: Object) -> None:
    after = api.patch(started, spec=run())
    assert after["metadata"]["generation"] == started["metadata"]["generation"]


@pytest.mark.parametrize("namespace", ["other", None])
def test_the_namespace_stays(api: Api, started: Object, namespace: str | None) -> None:
    with pytest.raises(Refusal, match=r"status\.namespace: Forbidden: cannot change: the environment in the namespace"):
        api.patch_status(started, namespace=namespace)


def test_the_whole_status_cannot_be_dropped(api: Api, started: Object) -> None:
    with pytest.raises(Refusal, match=r"status\.namespace: Forbidden"):
        api.patch(started, "status", status=None)


def test_the_spec_is_not_changed_through_the_status(api: Api, started: Object) -> None:
    after = api.patch(started, "status", spec={"parallelism": 9}, status={"phase": "Running"})
    assert (after["spec"]["parallelism"], after["status"]["phase"]) == (1, "Running")


def test_the_status_is_not_changed_through_the_spec(api: Api, started: Object) -> None:
    after = api.patch(started, spec={"cancel": True}, status={"phase": "Passed"})
    assert (after["spec"]["cancel"], after["status"]["phase"]) == (True, "Provisioning")


CLEANED = condition("EnvironmentCleaned", "False")
FAILED = condition("Succeeded", "False", "TestsFailed")
ENDED = condition("Finished", "True", "TestsFailed")


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Passed"},
        {"phase": "Running"},
        {"phase": None},
        {"conditions": [FAILED, condition("Finished", "False"), CLEANED]},
        {"conditions": [FAILED, CLEANED]},
        {"conditions": [condition("Succeeded", "True", "TestsFailed"), ENDED, CLEANED]},
        {"conditions": [condition("Succeeded", "False", "Timeout"), ENDED, CLEANED]},
        {"conditions": [ENDED, CLEANED]},
        {"conditions": []},
        {"conditions": None},
    ],
    ids=[
        "phase passed",
        "phase running",
        "no phase",
        "not finished",
        "no condition Finished",
        "succeeded",
        "another reason",
        "no condition Succeeded",
        "no conditions",
        "conditions gone",
    ],
)
def test_a_verdict_is_final(api: Api, finished: Object, status: Object) -> None:
    with pytest.raises(Refusal, match="Forbidden: the run is finished: its phase and its conditions Finished and Succ"):
        api.patch_status(finished, **status)


def test_what_comes_after_the_verdict_may_still_be_told(api: Api, finished: Object) -> None:
    conditions = [
        condition("Succeeded", "False", "TestsFailed", observedGeneration=2, message="2 of 9 tests failed"),
        condition("Finished", "True", "Cleaned", observedGeneration=2),
        condition("EnvironmentCleaned", "True"),
    ]
    after = api.patch_status(finished, observedGeneration=2, message="cleaned", conditions=conditions)
    assert after["status"]["phase"] == "Failed"
    assert after["status"]["conditions"] == conditions


def test_a_finished_run_may_be_annotated_and_kept_longer(api: Api, finished: Object) -> None:
    after = api.patch(finished, metadata={"annotations": {"a": "b"}}, spec={"retention": {"onFailure": "24h"}})
    assert after["metadata"]["annotations"] == {"a": "b"}
    assert after["status"] == finished["status"]


def test_a_run_may_end_before_it_has_a_namespace(api: Api) -> None:
    conditions = [condition("Succeeded", "False", "Invalid"), condition("Finished", "True", "Invalid")]
    ended = api.patch_status(api.run(run()), phase="Error", conditions=conditions)
    with pytest.raises(Refusal, match="the run is finished"):
        api.patch_status(ended, phase="Running")
