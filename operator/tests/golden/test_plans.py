"""Plans are as they were: `make golden` writes them anew, the diff is there to be read."""

from __future__ import annotations

import os

import pytest
import yaml

from tests.golden.plans import CASES, FOLDER, as_yaml, read_case


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_as_it_was(name: str) -> None:
    text = as_yaml(read_case(name))
    golden = FOLDER / name / "plan.yaml"
    if os.environ.get("SEATRIAL_WRITE_GOLDEN") == "1":
        golden.write_text(text)
    assert golden.read_text() == text, f"the plan of {name} has changed: run `make golden` and read the diff"


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_the_same_every_time(name: str) -> None:
    assert as_yaml(read_case(name)) == as_yaml(read_case(name))


def test_every_case_has_a_plan_and_every_plan_a_case() -> None:
    assert sorted(path.parent.name for path in FOLDER.glob("*/plan.yaml")) == CASES
    assert len(CASES) >= 6
    assert yaml.safe_load((FOLDER / CASES[0] / "plan.yaml").read_text())["namespace"]["kind"] == "Namespace"
