"""Run a bundled suite again and again in one environment, and copies of it side by side, always in random order.

`python -m hack.repeat NAME`; `make repeat SUITE=NAME` calls it, and no test does.
"""

from __future__ import annotations

import argparse
import copy
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
MOST: Final = 32
"""Suites of one run, as the API bounds them."""

OWN: Final = ("name", "pytest", "timeout", "resources")
"""What each suite may have for itself: the one of all is made of the first three, and has the last one's limits."""

Object = dict[str, Any]


class RepeatError(Exception):
    """What was asked for cannot be repeated."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of a file in examples/")
    parser.add_argument("--times", type=int, default=20, help="one after the other (default: %(default)s)")
    parser.add_argument("--copies", type=int, default=2, help="side by side, afterwards (default: %(default)s)")
    parser.add_argument("--without", default="", help="suites of the example that are left out, by comma")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the first order")
    given = parser.parse_args()
    try:
        example = _read(given.name)
        left_out = set(given.without.split(",")) - {""}
        runs = [
            repeated(example, times=times, at_once=at_once, seed=seed, without=left_out)
            for times, at_once, seed in ((given.times, 1, given.seed), (given.copies, given.copies, given.seed + MOST))
            if times > 0
        ]
    except RepeatError as error:
        parser.error(str(error))
    sys.exit(status([_execute(run) for run in runs]))


def status(codes: list[int]) -> int:
    """Of all runs together: 0 only if each was 0. One that was killed by a signal has a negative one."""
    return 1 if any(codes) else 0


def repeated(example: list[Object], *, times: int, at_once: int, seed: int, without: set[str]) -> list[Object]:
    """The example with all of its suites as one, `times` times; each time has the next seed. Raises RepeatError."""
    if not 1 <= times <= MOST:
        raise RepeatError(f"{times} times: a run has from 1 to {MOST} suites")
    objects = copy.deepcopy(example)
    run = next(item for item in objects if item["kind"] == "TestRun")
    suites = [item for item in run["spec"]["suites"] if item["name"] not in without]
    if unknown := without - {item["name"] for item in run["spec"]["suites"]}:
        raise RepeatError(f"{run['metadata']['name']} has no suite {', '.join(sorted(unknown))}")
    if len({item["image"] for item in suites}) != 1:
        raise RepeatError("its suites have several images, or none: what runs together needs one")
    run["metadata"]["name"] += "-repeated"
    run["spec"] |= {
        "parallelism": at_once,
        "suites": [_all_in_one(suites, seed + number, number) for number in range(times)],
        "timeouts": {"total": "6h"},
    }
    return objects


def _all_in_one(suites: list[Object], seed: int, number: int) -> Object:
    """A suite with the tests of all of them, in an order that only the seed decides. Raises RepeatError."""
    together: Object = {}
    for suite in suites:
        together |= suite
    asked = [suite.get("pytest", {}) for suite in suites]
    _same([_without(suite, *OWN) for suite in suites])
    _same([_without(pytest, "paths", "args") for pytest in asked])
    arguments = dict.fromkeys(argument for pytest in asked for argument in pytest.get("args", []))
    order = ["--random-order-bucket=global", f"--random-order-seed={seed}"]
    paths = [path for pytest in asked for path in pytest["paths"]]
    return together | {
        "name": f"seed-{seed}-{number}",
        "pytest": asked[0] | {"paths": paths, "args": [*arguments, *order]},
        "timeout": "1h",
    }


def _without(item: Object, *names: str) -> Object:
    return {name: value for name, value in item.items() if name not in names}


def _same(parts: list[Object]) -> None:
    """Raises RepeatError if a member is not the same in all of them, or not in all."""
    for name in dict.fromkeys(name for part in parts for name in part):
        if any(part.get(name) != parts[0].get(name) for part in parts):
            raise RepeatError(f"its suites differ in {name}: what runs together needs one; leave some out (--without)")


def _read(name: str) -> list[Object]:
    file = ROOT / "examples" / f"{name}.yaml"
    if not file.exists():
        there = ", ".join(sorted(path.stem for path in file.parent.glob("*.yaml")))
        raise RepeatError(f"there is no example {name!r}. There are: {there}.")
    return [item for item in yaml.safe_load_all(file.read_text()) if item]


def _execute(objects: list[Object]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.yaml")
        file.write_text(yaml.safe_dump_all(objects))
        return subprocess.run([sys.executable, "-m", "seatrial.cli", "run", file], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    main()
