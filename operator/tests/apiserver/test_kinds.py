"""The definitions as a whole: installation, names, columns, selectors, and what a status and a slice may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from seatrial.api import API_VERSION, VERSION, TestResultSliceSpec, TestRunStatus
from tests.apiserver.conftest import DEFINITIONS, ROOT, Api, Object, Refusal, send
from tests.spec_cases import run

if TYPE_CHECKING:
    from pathlib import Path

    from kubernetes import client

pytestmark = pytest.mark.apiserver

TIME = "2026-01-02T03:04:05Z"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
CONDITION = {"type": "Accepted", "status": "True", "reason": "Valid", "lastTransitionTime": TIME}
FAILURE = {"suite": "core", "id": "tests/test_a.py::test_b", "outcome": "failed"}
STATUS: Object = {
    "observedGeneration": 1,
    "phase": "Failed",
    "reason": "TestsFailed",
    "message": "1 of 120 tests failed",
    "namespace": "seatrial-position-manager-0123456789",
    "environment": "3/3",
    "passed": "118/120",
    "duration": "1m12s",
    "summary": {"total": 120, "passed": 118, "failed": 2, "flaky": 1, "notRun": 0, "durationSeconds": 72.25},
    "timings": {"accepted": TIME, "finished": TIME},
    "conditions": [CONDITION | {"observedGeneration": 1, "message": "well-formed"}],
    "services": [{"name": "redis", "ready": True, "readyAfterSeconds": 0.4, "image": "redis:8"}],
    "applications": [{"name": "app", "ready": False, "message": "no answer on port 8080"}],
    "suites": [
        {
            "name": "core",
            "state": "Failed",
            "total": 120,
            "durationSeconds": 60,
            "shards": [{"index": 0, "state": "Passed", "total": 60}, {"index": 1, "state": "Failed", "total": 60}],
        },
    ],
    "failures": [FAILURE | {"message": "assert 1 == 2", "location": "tests/test_a.py:7", "attempt": 2}],
    "tests": [{"suite": "core", "id": "tests/test_a.py::test_a", "outcome": "passed", "durationSeconds": 0.01}],
    "testsTruncated": True,
}
SLICE: Object = {
    "run": "position-manager",
    "suite": "core",
    "shard": 1,
    "podUid": "0d5e9c64-6a5f-4b3b-8b3c-2f1f2e4d5c6b",
    "firstSequence": 1,
    "lastSequence": 500,
    "events": ['{"t": "collected", "n": 2}'],
    "tests": [
        {"id": "tests/test_a.py::test_a", "outcome": "passed"},
        {
            "id": "tests/test_a.py::test_b",
            "outcome": "failed",
            "attempt": 2,
            "final": False,
            "startedAt": 1767322445.25,
            "durationSeconds": 0.5,
            "message": "assert 1 == 2",
            "location": "tests/test_a.py:7",
            "details": "E  assert 1 == 2",
        },
    ],
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "charts/seatrial/files/crds").glob("*.yaml")), ids=lambda path: path.name
)
def test_generated_files_can_be_applied(api_client: client.ApiClient, path: Path) -> None:
    definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    answer = send(
        api_client,
        "PATCH",
        f"{DEFINITIONS}/{definition['metadata']['name']}",
        definition,
        query={"fieldManager": "seatrial-test", "force": "true", "dryRun": "All", "fieldValidation": "Strict"},
        content_type="application/apply-patch+yaml",
    )
    assert not answer.warnings
    (version,) = answer.body["spec"]["versions"]
    assert f"{answer.body['spec']['group']}/{version['name']}" == API_VERSION


def test_names(api: Api) -> None:
    resources = api.request("GET", f"/apis/{api.group}/{VERSION}")["resources"]
    found = {
        resource["name"]: (resource["kind"], resource.get("singularName"), resource.get("shortNames"))
        for resource in resources
    }
    assert found == {
        "testruns": ("TestRun", "testrun", ["trun"]),
        "testruns/status": ("TestRun", "", None),
        "testresultslices": ("TestResultSlice", "testresultslice", ["tslice"]),
    }
    assert all(resource["categories"] == ["seatrial"] for resource in resources if "/" not in resource["name"])


def test_a_fresh_run_is_unseen(api: Api) -> None:
    created = api.run(run())
    assert created["status"] == {"observedGeneration": -1}
    assert api.get(created)["status"] == {"observedGeneration": -1}


def test_a_status_is_not_created_with_the_run(api: Api) -> None:
    body = {"apiVersion": f"{api.group}/{VERSION}", "kind": "TestRun", "metadata": {"name": "forged"}}
    created = api.request("POST", api.path("testruns"), body | {"spec": run(), "status": STATUS})
    assert created["status"] == {"observedGeneration": -1}


def test_a_status_is_stored_as_written(api: Api) -> None:
    stored = api.patch_status(api.run(run()), **STATUS)["status"]
    assert stored == STATUS
    assert TestRunStatus.model_validate(stored) == TestRunStatus.model_validate(STATUS)


def test_a_default_status_is_accepted(api: Api) -> None:
    status = TestRunStatus().model_dump(mode="json", by_alias=True, exclude_none=True)
    assert api.patch_status(api.run(run()), **status)["status"] == status


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"message": "x" * 1025}, "status.message: Too long: may not be more than 1024 bytes"),
        ({"phase": "x" * 33}, "status.phase: Too long"),
        ({"namespace": "x" * 64}, "status.namespace: Too long"),
        ({"failures": [FAILURE] * 51}, "status.failures: Too many: 51: must have at most 50 items"),
        ({"failures": [FAILURE | {"message": "x" * 513}]}, "status.failures[0].message: Too long"),
        ({"tests": [FAILURE] * 501}, "status.tests: Too many: 501: must have at most 500 items"),
        ({"observedGeneration": -2}, "observedGeneration in body should be greater than or equal to -1"),
        ({"summary": {"failed": -1}}, "summary.failed in body should be greater than or equal to 0"),
        ({"conditions": [CONDITION, CONDITION]}, 'status.conditions[1]: Duplicate value: {"type":"Accepted"}'),
        ({"conditions": [CONDITION | {"status": "Yes"}]}, 'supported values: "True", "False", "Unknown"'),
        ({"conditions": [{"type": "Accepted"}]}, "status.conditions[0].lastTransitionTime: Required value"),
        ({"conditions": [CONDITION | {"lastTransitionTime": "now"}]}, "must be of type date-time"),
        ({"services": [{"name": "redis"}]}, "status.services[0].ready: Required value"),
        ({"shards": 1}, 'unknown field "status.shards"'),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_status_has_bounds(api: Api, status: Object, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        api.patch_status(api.run(run()), **status)
    assert message in caught.value.message


def test_conditions_of_two_writers_are_merged(api: Api) -> None:
    created = api.run(run())
    path = api.path("testruns", created["metadata"]["name"], "status")
    for writer, kind in (("one", "Accepted"), ("two", "Finished")):
        applied = {
            "apiVersion": created["apiVersion"],
            "kind": "TestRun",
            "metadata": {"name": created["metadata"]["name"]},
            "status": {"conditions": [CONDITION | {"type": kind}]},
        }
        api.request("PATCH", path, applied, query={"fieldManager": writer}, content_type="application/apply-patch+yaml")
    assert [found["type"] for found in api.get(created)["status"]["conditions"]] == ["Accepted", "Finished"]


def test_runs_are_selected_by_phase(api: Api) -> None:
    running, passed = (api.patch_status(api.run(run()), phase=phase) for phase in ("SelectedRunning", "SelectedPassed"))
    found = api.request("GET", api.path("testruns"), query={"fieldSelector": "status.phase=SelectedRunning"})
    assert [item["metadata"]["name"] for item in found["items"]] == [running["metadata"]["name"]]
    found = api.request("GET", api.path("testruns"), query={"fieldSelector": "status.phase!=SelectedRunning"})
    names = [item["metadata"]["name"] for item in found["items"]]
    assert passed["metadata"]["name"] in names
    assert running["metadata"]["name"] not in names


def test_slices_are_selected_by_run_and_suite(api: Api) -> None:
    for suite in ("selected", "other"):
        api.create("TestResultSlice", SLICE | {"run": "selected", "suite": suite})
    for selector, count in (("spec.run=selected", 2), ("spec.run=selected,spec.suite=other", 1), ("spec.run=none", 0)):
        found = api.request("GET", api.path("testresultslices"), query={"fieldSelector": selector})
        assert len(found["items"]) == count, selector


def test_other_fields_do_not_select(api: Api) -> None:
    with pytest.raises(Refusal, match=r"field label not supported: spec\.parallelism"):
        api.request("GET", api.path("testruns"), query={"fieldSelector": "spec.parallelism=1"})


def table(api: Api, plural: str, name: str) -> tuple[list[tuple[str, int]], dict[str, object]]:
    answer = api.request("GET", api.path(plural, name), accept=TABLE)
    columns = [(column["name"], column["priority"]) for column in answer["columnDefinitions"]]
    (row,) = answer["rows"]
    return columns, {column: cell for (column, _), cell in zip(columns, row["cells"], strict=True)}


def test_columns_of_a_run(api: Api) -> None:
    name = api.patch_status(api.run(run()), **STATUS)["metadata"]["name"]
    columns, cells = table(api, "testruns", name)
    shown = ["Name", "PHASE", "PASSED", "FAILED", "FLAKY", "DURATION", "AGE"]
    assert columns == [(column, 0) for column in shown] + [
        (column, 1) for column in ("REASON", "ENVIRONMENT", "MESSAGE")
    ]
    assert cells.pop("AGE")
    assert cells == {
        "Name": name,
        "PHASE": "Failed",
        "PASSED": "118/120",
        "FAILED": 2,
        "FLAKY": 1,
        "DURATION": "1m12s",
        "REASON": "TestsFailed",
        "ENVIRONMENT": "3/3",
        "MESSAGE": "1 of 120 tests failed",
    }


def test_columns_of_a_slice(api: Api) -> None:
    name = api.create("TestResultSlice", SLICE)["metadata"]["name"]
    columns, cells = table(api, "testresultslices", name)
    assert [column for column, _ in columns] == ["Name", "RUN", "SUITE", "SHARD", "FIRST", "LAST", "AGE"]
    assert cells.pop("AGE")
    assert list(cells.values()) == [name, "position-manager", "core", 1, 1, 500]


def test_a_slice_is_stored_as_written(api: Api) -> None:
    stored = api.create("TestResultSlice", SLICE)["spec"]
    assert stored == SLICE
    assert TestResultSliceSpec.model_validate(stored) == TestResultSliceSpec.model_validate(SLICE)


def test_a_full_slice_is_accepted(api: Api) -> None:
    test = {"id": "tests/test_a.py::" + "a" * 100, "outcome": "failed", "details": "x" * 2000}
    stored = api.create("TestResultSlice", SLICE | {"tests": [test] * 500})["spec"]
    assert len(stored["tests"]) == 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shard": -1}, "spec.shard in body should be greater than or equal to 0"),
        ({"firstSequence": 0}, "spec.firstSequence in body should be greater than or equal to 1"),
        ({"run": None}, "spec.run: Required value"),
        ({"tests": SLICE["tests"] * 251}, "spec.tests: Too many: 502: must have at most 500 items"),
        ({"events": ["{}"] * 65}, "spec.events: Too many: 65: must have at most 64 items"),
        ({"tests": [{"id": "a"}]}, "spec.tests[0].outcome: Required value"),
        ({"tests": [{"id": "a", "outcome": "passed", "details": "x" * 8193}]}, "spec.tests[0].details: Too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_slice_has_bounds(api: Api, change: Object, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        api.create("TestResultSlice", SLICE | change, dry_run=True)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({"lastSequence": 501}, True),
        ({"lastSequence": 500}, True),
        ({"lastSequence": 499}, False),
        ({"firstSequence": 2}, False),
    ],
)
def test_a_slice_only_grows(api: Api, change: Object, accepted: bool) -> None:  # noqa: FBT001
    """An operator that was away for a while cannot put back what it knew then."""
    path = api.path("testresultslices", api.create("TestResultSlice", SLICE)["metadata"]["name"])
    patch = {"content_type": "application/merge-patch+json"}
    if accepted:
        assert api.request("PATCH", path, {"spec": change}, **patch)["spec"] == SLICE | change
    else:
        with pytest.raises(Refusal, match="a slice only grows"):
            api.request("PATCH", path, {"spec": change}, **patch)
