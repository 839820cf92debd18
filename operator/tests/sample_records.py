"""Finished runs as commands and exporters see them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from seatrial.cli.record import RunRecord

START = 1_700_000_000.0
HOSTILE = "<script>alert(1)</script>\"'&]]></script><!--\x00\x1b[31mred\x1b[0m\u202e{{7*7}}%0A::error::|`\n@someone"
ASSERTION = """\
    def test_fails():
        position = {"long": 1.0, "short": -0.8}
>       assert sum(position.values()) == 0, "the position is not delta-neutral"
E       AssertionError: the position is not delta-neutral
E       assert 0.19999999999999996 == 0

test_outcomes.py:20: AssertionError"""


def at(seconds: float) -> str:
    """A time of a status, so many seconds after the start."""
    return datetime.fromtimestamp(START + seconds, UTC).isoformat()


def attempt(
    test: str, outcome: str = "passed", begin: float = 3.0, seconds: float = 0.01, **more: Any
) -> dict[str, Any]:
    """An attempt as a slice has it."""
    return {"id": test, "outcome": outcome, "startedAt": START + begin, "durationSeconds": seconds} | more


def piece(
    suite: str, shard: int, tests: list[dict[str, Any]], first: int = 1, events: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A TestResultSlice."""
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "TestResultSlice",
        "metadata": {"name": f"run-{suite}-{shard}-{first}", "namespace": "default"},
        "spec": {
            "run": "run",
            "suite": suite,
            "shard": shard,
            "podUid": "pod",
            "firstSequence": first,
            "lastSequence": first + len(tests),
            "events": list(events),
            "tests": tests,
        },
    }


def record(slices: list[dict[str, Any]], name: str = "run", **status: Any) -> RunRecord:
    """A run with some slices and a status."""
    suites = list(dict.fromkeys(item["spec"]["suite"] for item in slices))
    run = {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": {"name": name, "namespace": "default", "uid": "11111111-2222-3333-4444-555555555555"},
        "spec": {"suites": [{"name": suite} for suite in suites]},
        "status": {"phase": "Passed", "reason": "AllTestsPassed", "message": "every collected test has passed"}
        | status,
    }
    return RunRecord(run, slices)


def mixed() -> RunRecord:
    """Every outcome, retries, two shards, a module that cannot be collected, services and an application."""
    core = [
        attempt("tests/test_core.py::test_passes", begin=3.0, seconds=0.4),
        attempt("tests/test_core.py::TestBook::test_fails", "failed", 3.4, 1.3, final=False, message="first",
                location="tests/test_core.py:20", details=ASSERTION),
        attempt("tests/test_core.py::TestBook::test_fails", "failed", 4.7, 1.2, attempt=2, details=ASSERTION,
                message="AssertionError: the position is not delta-neutral", location="tests/test_core.py:20"),
        attempt("tests/test_core.py::test_errors", "error", 5.9, 0.2,
        message="ConnectionError: the exchange does not answer",
                location="tests/test_core.py:11", details="E   ConnectionError: the exchange does not answer"),
        attempt("tests/test_core.py::test_is_skipped", "skipped", 6.1, 0.0, message="needs a funded account"),
        attempt("tests/test_core.py::test_as_expected", "xfailed", 6.1, 0.1, message="rounding is not implemented"),
        attempt("tests/test_core.py::test_unexpected", "xpassed", 6.2, 0.1),
    ]  # fmt: skip
    flow = [
        attempt("tests/test_flow.py::test_is_flaky", "failed", 3.1, 2.4, final=False, message="Timeout: no trade came",
                location="tests/test_flow.py:8", details="E   Timeout: no trade came"),
        attempt("tests/test_flow.py::test_is_flaky", "passed", 5.5, 0.7, attempt=2),
        attempt("tests/test_flow.py::test_orders[BTC-PERP]", begin=6.2, seconds=1.9),
    ]  # fmt: skip
    events = (
        json.dumps({"t": "collectError", "id": "tests/test_broken.py", "m": "SyntaxError: bad", "x": "E SyntaxError"}),
    )
    slices = [
        piece("core", 0, core, events=events),
        piece("flow", 0, flow),
        piece("flow", 1, [attempt("tests/test_flow.py::test_fills", begin=3.2, seconds=4.1)]),
    ]
    return record(
        slices,
        name="position-manager",
        phase="Failed",
        reason="TestsFailed",
        message="2 of 10 tests failed, first tests/test_core.py::TestBook::test_fails",
        passed="5/10",
        duration="8.4s",
        summary={"total": 10, "passed": 5, "failed": 1, "errors": 2, "skipped": 1, "xfailed": 1, "xpassed": 1,
                 "flaky": 1, "notRun": 0, "durationSeconds": 8.4},
        timings={"accepted": at(0), "started": at(0.1), "environmentReady": at(2.6), "firstTest": at(3.0),
                 "lastTest": at(8.1), "finished": at(8.4)},
        services=[
            {"name": "kafka", "ready": True, "readyAfterSeconds": 1.8, "image": "apache/kafka:4.1", "message": ""},
            {"name": "redis", "ready": True, "readyAfterSeconds": 0.08, "image": "redis:8", "message": ""},
        ],
        applications=[{"name": "position-manager", "ready": True, "readyAfterSeconds": 2.4, "image": "pm:dev",
        "message": ""}],
        suites=[
            {"name": "core", "state": "Failed", "reason": "TestsFailed", "total": 7, "durationSeconds": 3.3},
            {"name": "flow", "state": "Passed", "total": 3, "durationSeconds": 5.0},
        ],
    )  # fmt: skip


def hostile() -> RunRecord:
    """A run whose every text was written by somebody who wants to break whoever shows it."""
    tests = [
        attempt(f"{HOSTILE}::{HOSTILE}", "failed", 1, message=HOSTILE, details=HOSTILE * 3, location=f"{HOSTILE}:3"),
        attempt(HOSTILE * 2, "skipped", 1, message=HOSTILE),
        attempt("flaky", "failed", 1, final=False, message=HOSTILE, details=HOSTILE),
        attempt("flaky", "passed", 2, attempt=2),
    ]
    return record(
        [piece(HOSTILE, 0, tests)],
        name=HOSTILE,
        phase="Failed",
        reason=HOSTILE,
        message=HOSTILE,
        services=[{"name": HOSTILE, "ready": False, "image": HOSTILE, "message": HOSTILE}],
        suites=[{"name": HOSTILE, "state": HOSTILE, "message": HOSTILE}],
    )


def big(tests: int = 5000) -> RunRecord:
    """A run with many tests, in slices of 500 and four shards."""
    slices = []
    for number in range(0, tests, 500):
        items = []
        for index in range(number, min(number + 500, tests)):
            bad = index % 250 == 7
            items.append(
                attempt(f"tests/test_module_{index % 40}.py::TestThing::test_case[{index}]",
                "failed" if bad else "passed",
                        3 + index * 0.01, 0.002 + (index % 97) / 100,
                        **({"message": f"AssertionError: case {index}", "details": ASSERTION * 8,
                            "location": "tests/test_a.py:20"} if bad else {}))
            )  # fmt: skip
        slices.append(piece("load", (number // 500) % 4, items, first=number + 1))
    return record(
        slices, name="big", phase="Failed", reason="TestsFailed", message="20 of 5000 tests failed", duration="55s",
        passed=f"{tests - tests // 250}/{tests}",
        timings={"accepted": at(0), "started": at(0), "environmentReady": at(2.5), "firstTest": at(3),
        "lastTest": at(54),
                 "finished": at(55)},
        suites=[{"name": "load", "state": "Failed", "total": tests, "durationSeconds": 52.0}],
    )  # fmt: skip
