"""When a deliberate bug counts as noticed."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from alpha_panda.mutations import VARIABLE, Bug

MUTANTS = runpy.run_path(str(Path(__file__).parents[2] / "mutants.py"))


@pytest.mark.parametrize(
    ("failures", "missed"),
    [
        ([], ["test_one", "test_two"]),
        ([("failed", "test_one[a]"), ("failed", "TestIt::test_two")], []),
        ([("error", "test_one"), ("failed", "test_two")], ["test_one"]),
        ([("failed", "test_other"), ("failed", "test_two")], ["test_one"]),
    ],
)
def test_only_failures_of_the_named_tests_count(failures: list[tuple[str, str]], missed: list[str]) -> None:
    status = {
        "phase": "Failed",
        "failures": [{"outcome": outcome, "id": f"tests/test_file.py::{name}"} for outcome, name in failures],
    }
    assert MUTANTS["not_failed"](("test_one", "test_two"), status) == missed


def test_every_bug_has_tests_that_notice_it() -> None:
    assert set(MUTANTS["NOTICED_BY"]) == set(Bug)


def test_control_run_differs_by_the_bug_alone() -> None:
    names = ("test_one", "test_two")
    bug, control = MUTANTS["manifest"](Bug.UNKEYED, names), MUTANTS["manifest"](None, names)
    variable = {"name": VARIABLE, "value": "unkeyed"}
    for place in [*bug["spec"]["applications"], *bug["spec"]["suites"]]:
        place["env"].remove(variable)
    assert bug["spec"] == control["spec"]
