"""The runs with a deliberate bug."""

from __future__ import annotations

import runpy
from pathlib import Path

from alpha_panda.mutations import VARIABLE, Bug

MUTATIONS = runpy.run_path(str(Path(__file__).parents[2] / "mutations.py"))


def test_control_run_differs_by_the_bug_alone() -> None:
    names = ("test_one", "test_two")
    (bug,), (control,) = MUTATIONS["manifest"](Bug.UNKEYED, names), MUTATIONS["manifest"](None, names)
    variable = {"name": VARIABLE, "value": "unkeyed"}
    for place in [*bug["spec"]["applications"], *bug["spec"]["suites"]]:
        place["env"].remove(variable)
    assert bug["spec"] == control["spec"]
