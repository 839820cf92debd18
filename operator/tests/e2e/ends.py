"""How a run is to end, and the record that it is to leave whatever its end."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from .kubectl import Object, Tenant

MAX_STATUS_BYTES = 100 * 1024
OUTCOMES = ("passed", "failed", "skipped", "xfailed", "xpassed")


@dataclass(frozen=True)
class End:
    """How a run is to end: parts of the message, and how many tests are to have passed, of how many."""

    phase: str
    reason: str
    words: tuple[str, ...] = ()
    passed: str = "0/0"


def error(reason: str, *words: str, passed: str = "0/0") -> End:
    return End("Error", reason, words, passed)


PASSED = End("Passed", "AllTestsPassed", passed="1/1")


def expect(tenant: Tenant, name: str, end: End, seconds: float = 120) -> Object:
    """Wait for the end of a run; compare it, and check the record. Returns the TestRun."""
    run = tenant.finished(name, seconds)
    status = run["status"]
    seen = (status["phase"], status["reason"], status["passed"])
    assert seen == (end.phase, end.reason, end.passed), status["message"]
    for word in end.words:
        assert word in status["message"], status["message"]
    check_record(tenant, run)
    return run


def check_record(tenant: Tenant, run: Object) -> None:
    """The status is small enough, and the slices hold each test that it counts, once."""
    status = run["status"]
    assert len(json.dumps(status)) <= MAX_STATUS_BYTES
    slices = tenant.slices(run["metadata"]["name"])
    for (suite, shard), parts in groupby(slices, key=lambda item: (item["suite"], item["shard"])):
        end = 0
        for part in parts:
            assert part["firstSequence"] == end + 1, f"records are missing after {end} of {suite}, shard {shard}"
            end = part["lastSequence"]
    tests = [
        (item["suite"], test["id"], test["outcome"])
        for item in slices
        for test in item.get("tests", [])
        if test.get("final", True)
    ]
    assert len({test[:2] for test in tests}) == len(tests), "a test is recorded twice"
    recorded = Counter(outcome for _, _, outcome in tests)
    counted = {outcome: status["summary"][outcome] for outcome in OUTCOMES}
    assert {outcome: recorded[outcome] for outcome in OUTCOMES} == counted, yaml.safe_dump(status["summary"])
