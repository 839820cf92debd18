"""What is executed when a suite is repeated."""

from typing import Any

import pytest
import yaml

from hack.repeat import ROOT, RepeatError, repeated, status
from seatrial.api.spec import parse_spec

BUNDLED = sorted(path.parent.name for path in (ROOT / "suites").glob("*/items.toml"))


def example(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text()))


def run_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return next(dict(item) for item in objects if item["kind"] == "TestRun")


@pytest.mark.parametrize("name", BUNDLED)
def test_all_of_a_suite_is_repeated_in_one_environment(name: str) -> None:
    before = run_of(example(name))["spec"]
    after = run_of(repeated(example(name), times=20, at_once=1, seed=7, without=set()))["spec"]
    spec = parse_spec(after)
    assert len(spec.suites) == 20
    assert after.get("services") == before.get("services")
    assert after.get("applications") == before.get("applications")
    paths = [path for suite in before["suites"] for path in suite["pytest"]["paths"]]
    assert all(suite["pytest"]["paths"] == paths for suite in after["suites"])
    seeds = {item for suite in after["suites"] for item in suite["pytest"]["args"] if "seed" in item}
    assert seeds == {f"--random-order-seed={number}" for number in range(7, 27)}


def test_copies_run_side_by_side() -> None:
    spec = parse_spec(run_of(repeated(example("kit"), times=2, at_once=2, seed=1, without=set()))["spec"])
    assert spec.parallelism == len(spec.suites) == 2


def test_a_suite_can_be_left_out() -> None:
    spec = run_of(repeated(example("kit"), times=1, at_once=1, seed=1, without={"influxdb", "services"}))["spec"]
    assert spec["suites"][0]["pytest"]["paths"] == example("kit")[0]["spec"]["suites"][0]["pytest"]["paths"]


@pytest.mark.parametrize(
    ("times", "without", "said"),
    [(0, set(), "from 1 to 32"), (33, set(), "from 1 to 32"), (1, {"no"}, "has no suite no")],
)
def test_what_cannot_be_repeated_is_refused(times: int, without: set[str], said: str) -> None:
    with pytest.raises(RepeatError, match=said):
        repeated(example("kit"), times=times, at_once=1, seed=1, without=without)


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("env", {"env": [{"name": "A", "value": "1"}]}),
        ("keyword", {"pytest": {"paths": ["/tests"], "keyword": "not it"}}),
        ("markers", {"pytest": {"paths": ["/tests"], "markers": "slow"}}),
    ],
)
def test_suites_that_differ_are_refused(name: str, suite: dict[str, Any]) -> None:
    objects = example("kit")
    suites = run_of(objects)["spec"]["suites"]
    suites[0] |= suite
    with pytest.raises(RepeatError, match=f"its suites differ in {name}: "):
        repeated(objects, times=1, at_once=1, seed=1, without=set())
    alone = run_of(repeated(objects, times=1, at_once=1, seed=1, without={"services", "influxdb"}))["spec"]["suites"]
    assert name in alone[0] | alone[0]["pytest"], "alone it keeps what it has"


@pytest.mark.parametrize(("codes", "expected"), [([], 0), ([0, 0], 0), ([0, 1], 1), ([0, -9], 1), ([-9, 0], 1)])
def test_one_that_was_killed_is_not_green(codes: list[int], expected: int) -> None:
    assert status(codes) == expected


def test_suites_of_several_images_are_refused() -> None:
    objects = example("kit")
    run_of(objects)["spec"]["suites"][0]["image"] = "another"
    with pytest.raises(RepeatError, match="several images"):
        repeated(objects, times=1, at_once=1, seed=1, without=set())
