"""Scripts are read strictly, and found where they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hack.kubelet.__main__ import read_scripts
from hack.kubelet.script import Script, ScriptError, parse_script, script_of

if TYPE_CHECKING:
    from pathlib import Path


def pod(**variables: str) -> dict[str, Any]:
    env = [{"name": name, "value": value} for name, value in variables.items()]
    containers = [{"name": "helper"}, {"name": "suite", "env": env}]
    labels = {"seatrial.dev/component": "suite", "seatrial.dev/name": "core"}
    return {"metadata": {"name": "p", "namespace": "n", "labels": labels}, "spec": {"containers": containers}}


def test_a_script_is_found_in_the_variable_of_a_container() -> None:
    script = script_of(pod(OTHER="x", STANDIN='{"tests": 3, "fail": [1], "hangAfter": 2}'))
    assert script == Script(tests=3, fail=frozenset({1}), hang_after=2)


def test_a_pod_without_the_variable_has_no_script() -> None:
    assert script_of(pod(OTHER="x")) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [('{"test": 3}', "test: Extra inputs are not permitted"), ("{", "Invalid JSON"), ('{"tests": "many"}', "tests: ")],
)
def test_a_wrong_script_is_refused_with_its_place(text: str, what: str) -> None:
    with pytest.raises(ScriptError) as refusal:
        script_of(pod(STANDIN=text))
    assert "STANDIN of container suite of pod n/p" in str(refusal.value)
    assert what in str(refusal.value)


@pytest.mark.parametrize(
    ("members", "status"), [({}, 0), ({"fail": [0]}, 1), ({"rc": 5}, 5), ({"fail": [0], "rc": 0}, 0)]
)
def test_the_exit_status_follows_from_the_tests_unless_it_is_given(members: dict[str, Any], status: int) -> None:
    assert parse_script(json.dumps(members), "here").status == status


def test_a_file_has_scripts_by_component_and_name(tmp_path: Path) -> None:
    path = tmp_path / "scripts.json"
    path.write_text('{"suite/core": {"oom": true}, "service/redis": {}}')
    script = read_scripts(path)
    assert script(pod()) == Script(oom=True)
    assert script({"metadata": {}}) is None


def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "scripts.json"
    path.write_text('{"suite/core": {"oops": true}}')
    with pytest.raises(ScriptError, match=r"scripts\.json: suite/core: oops: Extra inputs"):
        read_scripts(path)
