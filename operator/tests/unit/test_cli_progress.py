"""What successive statuses tell: a table of changes, and the lines as they are printed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from seatrial.cli.live import MAX_FAILURES, PlainProgress, progress_on, render
from seatrial.cli.progress import changes, told, verdict_text

Status = dict[str, Any]


def conditions(*, finished: bool = False, succeeded: str = "Unknown", reason: str = "") -> list[Status]:
    return [
        {"type": "Finished", "status": "True" if finished else "False", "reason": reason},
        {"type": "Succeeded", "status": succeeded, "reason": reason},
    ]


def service(name: str = "redis", *, ready: bool = False, message: str = "", after: float | None = None) -> Status:
    return {"name": name, "ready": ready, "message": message} | ({} if after is None else {"readyAfterSeconds": after})


def suite(state: str, total: int = 0, **counts: Any) -> Status:
    return {"name": "core", "state": state, "total": total, **counts}


def failure(test: str = "test_a.py::test_b", **more: Any) -> Status:
    return {
        "suite": "core",
        "id": test,
        "outcome": "failed",
        "message": "it is 4\nnot 5",
        "location": "test_a.py:3",
    } | more


PASSED = {
    "phase": "Passed", "reason": "AllTestsPassed", "duration": "3.1s", "summary": {"total": 4, "passed": 4},
    "conditions": conditions(finished=True, succeeded="True"),
}  # fmt: skip
FAILED = {
    "phase": "Failed", "reason": "TestsFailed", "message": "suite core: 1 of 4", "duration": "3.1s",
    "summary": {"total": 4, "passed": 3, "failed": 1}, "conditions": conditions(finished=True, succeeded="False"),
}  # fmt: skip

CHANGES: dict[str, tuple[Status, Status, list[tuple[str, str, bool | None]]]] = {
    "nothing at all": ({}, {}, []),
    "an untouched run": ({}, {"observedGeneration": -1}, []),
    "a new phase": (
        {"phase": "Pending"},
        {"phase": "Provisioning", "namespace": "seatrial-a"},
        [("phase", "Provisioning: namespace seatrial-a", None)],
    ),
    "the same phase": ({"phase": "Running", "message": "suite a"}, {"phase": "Running", "message": "suite b"}, []),
    "queued, with its place": (
        {"phase": "Queued", "message": "3 runs before it"},
        {"phase": "Queued", "message": "2 runs before it"},
        [("phase", "Queued: 2 runs before it", None)],
    ),
    "suspended": ({}, {"phase": "Pending", "message": "suspended"}, [("phase", "Pending: suspended", None)]),
    "a service that is ready": (
        {"services": [service()]},
        {"services": [service(ready=True, after=0.42)]},
        [("component", "redis ready after 0.4s", True)],
    ),
    "a service that was ready": ({"services": [service(ready=True)]}, {"services": [service(ready=True)]}, []),
    "a service that is not, and says why": (
        {"services": [service()]},
        {"services": [service(message="connection refused")]},
        [("component", "redis: connection refused", None)],
    ),
    "an application that is ready": (
        {"applications": [service("app")]},
        {"applications": [service("app", ready=True)]},
        [("component", "app ready", True)],
    ),
    "tests collected": (
        {"suites": [suite("Waiting")]},
        {"suites": [suite("Running", 40)]},
        [("suite", "suite core: 40 tests", None)],
    ),
    "a tenth of the tests": (
        {"suites": [suite("Running", 40, passed=3)]},
        {"suites": [suite("Running", 40, passed=4, failed=1)]},
        [("count", "suite core: 5/40, 4 passed, 1 failed", None)],
    ),
    "less than a tenth": (
        {"suites": [suite("Running", 40, passed=4)]},
        {"suites": [suite("Running", 40, passed=5)]},
        [],
    ),
    "all tests, but no end yet": (
        {"suites": [suite("Running", 4, passed=3)]},
        {"suites": [suite("Running", 4, passed=4)]},
        [],
    ),
    "a suite that passed": (
        {"suites": [suite("Running", 4, passed=2)]},
        {"suites": [suite("Passed", 4, passed=3, skipped=1, durationSeconds=1.26)]},
        [("suite", "suite core Passed, 3 passed, 1 skipped, 1.3s", True)],
    ),
    "a suite in error": (
        {"suites": [suite("Running", 4)]},
        {"suites": [suite("Error", 4, notRun=4, reason="OOMKilled", message="limit 512Mi")]},
        [("suite", "suite core Error, 4 not run; OOMKilled: limit 512Mi", False)],
    ),
    "a failure": (
        {"failures": []},
        {"failures": [failure()]},
        [("failure", "FAILED test_a.py::test_b (test_a.py:3): it is 4", False)],
    ),
    "a second failure": (
        {"failures": [failure()]},
        {"failures": [failure(), failure("x", outcome="error", message="", location="")]},
        [("failure", "ERROR x", False)],
    ),
    "the same test in another suite": (
        {"failures": [failure()]},
        {"failures": [failure(), failure(suite="other")]},
        [("failure", "FAILED test_a.py::test_b (test_a.py:3): it is 4", False)],
    ),
    "passed": ({"phase": "Running"}, PASSED, [("verdict", "Passed, 4 passed in 3.1s", True)]),
    "failed": (
        {"phase": "Running"},
        FAILED,
        [("verdict", "Failed, 3 passed, 1 failed in 3.1s; TestsFailed: suite core: 1 of 4", False)],
    ),
    "over already": (PASSED, PASSED, []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(name: str) -> None:
    before, after, wanted = CHANGES[name]
    assert [(line.kind, line.text, line.good) for line in changes(before, after)] == wanted


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_known_is_not_told_again(name: str) -> None:
    _, after, _ = CHANGES[name]
    assert changes(after, after) == []


def test_a_run_seen_only_at_its_end_tells_all() -> None:
    status = FAILED | {
        "services": [service(ready=True, after=1.0)],
        "suites": [suite("Failed", 4, passed=3, failed=1, reason="TestsFailed", message="1 failed")],
        "failures": [failure()],
    }
    assert [line.kind for line in changes({}, status)] == ["component", "failure", "suite", "verdict"]


def test_a_service_that_ended_is_bad_news() -> None:
    status = FAILED | {"phase": "Error", "services": [service(message="ended with 137")]}
    assert changes({}, status)[0].good is False


def test_numbers_in_words() -> None:
    assert (
        told({"total": 9, "passed": 5, "errors": 1, "xfailed": 2, "flaky": 1})
        == "5 passed, 1 errors, 2 xfailed, 1 flaky"
    )
    assert told({}) == ""
    assert verdict_text({}) == "Unknown"


def lines_of(*statuses: Status) -> list[str]:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    for status in statuses:
        progress.show(status)
    return stream.getvalue().splitlines()


def test_no_line_is_printed_twice() -> None:
    """A service that says one thing, then another, then the first again."""
    statuses = [{"services": [service(message=message)]} for message in ("refused", "timeout", "refused")]
    assert lines_of(*statuses) == ["redis: refused", "redis: timeout"]


def test_many_failures() -> None:
    status = {"failures": [failure(f"test_{number}") for number in range(MAX_FAILURES + 5)]}
    assert len(lines_of(status)) == MAX_FAILURES


def test_no_line_can_command_a_terminal() -> None:
    (line,) = lines_of({"failures": [failure("a\x1b[2Jb\x07", message="x\ry")]})
    assert line.isprintable()


def test_a_stream_that_is_no_terminal_gets_plain_lines() -> None:
    stream = io.StringIO()
    with progress_on(stream) as progress:
        progress.show({"phase": "Running"})
        progress.say("the cluster does not answer")
    assert stream.getvalue() == "Running\nthe cluster does not answer\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    with progress_on(stream) as progress:
        progress.show({"phase": "Running", "suites": [suite("Running", 4, passed=1)], "failures": [failure()]})
        progress.show(FAILED | {"suites": [suite("Failed", 4, passed=3, failed=1)]})
    text = stream.getvalue()
    assert "FAILED test_a.py::test_b (test_a.py:3): it is 4" in text
    assert "Failed, 3 passed, 1 failed in 3.1s" in text
    assert text.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in text, "the cursor is shown again"


def test_the_picture_of_a_run() -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=False)
    status = {
        "phase": "Running",
        "timings": {"started": "2026-01-01T00:00:00Z"},
        "services": [service(ready=True, after=0.4), service("kafka")],
        "suites": [suite("Running", 4, passed=2, failed=1), suite("Pending") | {"name": "other"}],
    }
    console.print(render(status, 1_767_225_607.0))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("Running  7s", "✓ redis 0.4s", "… kafka", "core", "3/4", "2 passed, 1 failed", "other"):
        assert part in text
