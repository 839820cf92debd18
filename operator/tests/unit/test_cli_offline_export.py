"""What other tools get to read: each format is put to a program that reads it, or to its written rules."""

from __future__ import annotations

import json
import re
import uuid
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite
from markdown_it import MarkdownIt
from pydantic import BaseModel, ConfigDict, Field

from seatrial.cli.cases import cases
from seatrial.cli.exits import CliError
from seatrial.cli.export.ctrf import export_ctrf
from seatrial.cli.export.github import MAX_SUMMARY_BYTES, export_github, summary_markdown, write_summary
from seatrial.cli.export.jsonout import export_json
from seatrial.cli.export.junit import export_junit
from seatrial.cli.export.texts import clean, location, one_line
from tests.sample_records import HOSTILE, attempt, big, hostile, mixed, piece, record

if TYPE_CHECKING:
    from pathlib import Path

    from seatrial.cli.record import RunRecord


def read(run: RunRecord) -> JUnitXml:
    return JUnitXml.fromstring(export_junit(run).encode())


def case_of(run: RunRecord, name: str) -> ET.Element:
    (found,) = [case for case in ET.fromstring(export_junit(run)).iter("testcase") if case.get("name") == name]  # noqa: S314
    return found


def test_junit_holds_the_numbers() -> None:
    xml = read(mixed())
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (10, 1, 2, 2)
    suites = {suite.name: suite for suite in xml if isinstance(suite, TestSuite)}
    assert list(suites) == ["core", "flow[0]", "flow[1]"], "one suite per suite and shard"
    assert [case.name for case in suites["flow[1]"]] == ["test_fills"]
    assert {item.name: item.value for item in suites["core"].properties()}[
        "seatrial.service.kafka"
    ] == "apache/kafka:4.1"
    results = {case.name: [type(result) for result in case.result] for suite in suites.values() for case in suite}
    assert results["test_passes"] == []
    assert results["test_fails"] == [Failure]
    assert results["test_errors"] == [Error]
    assert results["test_is_skipped"] == results["test_as_expected"] == [Skipped]
    assert results["test_unexpected"] == results["test_is_flaky"] == []


def test_junit_tells_retried_attempts_as_surefire_does() -> None:
    fails = case_of(mixed(), "test_fails")
    assert [child.tag for child in fails] == ["failure", "rerunFailure"]
    assert fails[0].get("message") == "first", "the first attempt is the failure, the further ones are reruns"
    assert "delta-neutral" in (fails[1].findtext("stackTrace") or "")
    flaky = case_of(mixed(), "test_is_flaky")
    assert [child.tag for child in flaky] == ["flakyFailure"]
    assert flaky[0].findtext("stackTrace") == "tests/test_flow.py:8\nE   Timeout: no trade came"


def test_junit_names_are_those_of_pytest() -> None:
    case = case_of(mixed(), "test_fails")
    assert (case.get("classname"), case.get("file")) == ("tests.test_core.TestBook", "tests/test_core.py")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"phase": "Error", "reason": "ServiceFailed", "message": "kafka ended"}, "ServiceFailed: kafka ended"),
        ({"phase": "Failed", "reason": "TestsFailed", "message": "exit code 1"}, "TestsFailed: exit code 1"),
        ({"phase": "Running", "reason": "Running"}, "NotFinished: the run is not over (Running)"),
    ],
)
def test_a_run_that_has_not_passed_is_never_green(status: dict[str, Any], message: str) -> None:
    run = record([piece("core", 0, [attempt("a.py::test")])], **({"message": ""} | status))
    xml = read(run)
    assert (xml.tests, xml.errors) == (2, 1)
    assert case_of(run, "verdict")[0].get("message") == message
    ctrf = json.loads(export_ctrf(run))["results"]
    assert ctrf["summary"]["failed"] == 1
    assert ctrf["tests"][-1]["message"] == message
    assert re.search(r"^::error title=run%3A \w+::", export_github(run), re.MULTILINE)


def test_a_run_that_has_passed_is_green() -> None:
    run = record([piece("core", 0, [attempt("a.py::test")])])
    assert (read(run).tests, read(run).errors, read(run).failures) == (1, 0, 0)
    assert json.loads(export_ctrf(run))["results"]["summary"]["failed"] == 0
    assert export_github(run) == "::notice title=run%3A Passed::AllTestsPassed: every collected test has passed\n"


def test_a_run_without_tests() -> None:
    run = record([], phase="Error", reason="InvalidImage", message="no such image")
    assert read(run).errors == 1
    assert json.loads(export_ctrf(run))["results"]["summary"]["tests"] == 1
    assert json.loads(export_json(run))["tests"] == []
    assert "InvalidImage" in summary_markdown(run)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Status = Literal["passed", "failed", "skipped", "pending", "other"]
Milliseconds = Annotated[int, Field(ge=0)]


class _Attempt(_Strict):
    status: Status
    attempt: Annotated[int, Field(ge=1)]
    duration: Milliseconds
    message: str = ""
    trace: str = ""
    line: int = 0
    start: Milliseconds = 0
    stop: Milliseconds = 0


class _Test(_Strict):
    name: Annotated[str, Field(min_length=1)]
    status: Status
    duration: Milliseconds
    id: str = ""
    start: Milliseconds = 0
    stop: Milliseconds = 0
    suite: Annotated[list[str], Field(min_length=1)] = []
    message: str = ""
    trace: str = ""
    line: int = 0
    rawStatus: str = ""  # noqa: N815
    filePath: str = ""  # noqa: N815
    retries: int = 0
    retryAttempts: list[_Attempt] = []  # noqa: N815
    flaky: bool = False
    threadId: str = ""  # noqa: N815


class _Summary(_Strict):
    tests: int
    passed: int
    failed: int
    skipped: int
    pending: int
    other: int
    start: Milliseconds
    stop: Milliseconds
    flaky: int = 0
    suites: int = 0
    duration: Milliseconds = 0
    extra: dict[str, Any] = {}


class _Tool(_Strict):
    name: Annotated[str, Field(min_length=1)]
    version: str = ""


class _Environment(_Strict):
    reportName: str = ""  # noqa: N815
    testEnvironment: str = ""  # noqa: N815
    healthy: bool
    extra: dict[str, Any] = {}


class _Results(_Strict):
    tool: _Tool
    summary: _Summary
    tests: list[_Test]
    environment: _Environment


class Ctrf(_Strict):
    """What the format's schema asks for, as far as it is used: required members, types, and nothing else."""

    reportFormat: Literal["CTRF"]  # noqa: N815
    specVersion: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]  # noqa: N815
    reportId: str  # noqa: N815
    timestamp: str
    generatedBy: str  # noqa: N815
    results: _Results


def test_ctrf_holds_the_numbers() -> None:
    report = Ctrf.model_validate_json(export_ctrf(mixed()))
    summary = report.results.summary
    assert (summary.tests, summary.passed, summary.failed, summary.skipped, summary.flaky) == (10, 5, 3, 2, 1)
    assert (summary.suites, summary.duration) == (2, 8300)
    tests = {test.name: test for test in report.results.tests}
    flaky = tests["tests/test_flow.py::test_is_flaky"]
    assert (flaky.status, flaky.flaky, flaky.retries) == ("passed", True, 1)
    assert [(item.attempt, item.status, item.duration) for item in flaky.retryAttempts] == [(1, "failed", 2400)]
    failing = tests["tests/test_core.py::TestBook::test_fails"]
    assert (failing.line, failing.filePath, failing.suite) == (20, "tests/test_core.py", ["core"])
    assert tests["tests/test_core.py::test_as_expected"].rawStatus == "xfailed"
    assert len({uuid.UUID(test.id) for test in report.results.tests}) == 10


def test_ids_of_tests_are_the_same_in_every_run() -> None:
    first, second = (json.loads(export_ctrf(run)) for run in (mixed(), mixed()))
    assert first == second


def test_github_annotates_the_lines_of_failures() -> None:
    lines = export_github(mixed()).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith(
        "::error file=tests/test_core.py,line=20,"
        "title=core%3A tests/test_core.py%3A%3ATestBook%3A%3Atest_fails%3A failed::"
    )
    assert "%0A>       assert sum(position.values()) == 0, " in lines[0]
    assert lines[3].startswith("::warning file=tests/test_flow.py,line=8,title=flow%3A ")
    assert lines[4] == (
        "::error title=position-manager%3A Failed::TestsFailed: 2 of 10 tests failed, first "
        "tests/test_core.py::TestBook::test_fails"
    )


def test_github_gets_no_more_than_it_shows() -> None:
    tests = [attempt(f"a.py::test_{number}", "failed", message="x") for number in range(80)]
    lines = export_github(record([piece("core", 0, tests)], phase="Failed")).splitlines()
    assert len(lines) == 52
    assert lines[50] == "::notice::30 more failing and flaky tests are not annotated"


def unescaped(text: str) -> str:
    for code, character in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


COMMAND = re.compile(r"::(error|warning|notice)( [^:,]+=[^:,]*(,[^:,]+=[^:,]*)*)?::[^\r\n]*")


@pytest.mark.parametrize("run", [mixed(), hostile()], ids=["mixed", "hostile"])
def test_every_line_for_github_is_one_command(run: RunRecord) -> None:
    for line in export_github(run).removesuffix("\n").split("\n"):
        assert COMMAND.fullmatch(line), line


def rendered(markdown: str) -> list[str]:
    """Every HTML tag and address of the page that Markdown becomes."""
    html = MarkdownIt("commonmark").enable("table").render(markdown)
    return re.findall(r"<([a-zA-Z!?][^\s>]*)", html)


TAGS = {"h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "code", "ul", "li"}


@pytest.mark.parametrize("run", [mixed(), hostile(), big(600)], ids=["mixed", "hostile", "big"])
def test_the_summary_is_markdown_and_holds_no_tag_of_others(run: RunRecord) -> None:
    assert set(rendered(summary_markdown(run))) <= TAGS


def test_the_summary_shows_texts_as_they_are() -> None:
    html = MarkdownIt("commonmark").enable("table").render(summary_markdown(mixed()))
    assert "<h2>❌ position-manager: Failed</h2>" in html
    assert '<td style="text-align:left">core</td>' in html
    assert "&gt;       assert sum(position.values()) == 0" in html
    assert "<code>tests/test_flow.py::test_is_flaky</code> passed at attempt 2" in html


def test_the_summary_fits() -> None:
    tests = [attempt(f"a.py::test_{number}", "failed", details="é\n" * 8000) for number in range(3000)]
    text = summary_markdown(record([piece("core", 0, tests)], phase="Failed"))
    assert len(text.encode()) < MAX_SUMMARY_BYTES + 50_000
    assert "... and 2900 more" in text


def test_the_summary_is_written_where_github_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert not write_summary(mixed())
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n")
    assert write_summary(mixed())
    assert (tmp_path / "summary.md").read_text().startswith("before\n## ")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(CliError, match="cannot be written: Is a directory"):
        write_summary(mixed())


def test_json_leaves_nothing_out() -> None:
    report = json.loads(export_json(mixed()))
    assert (report["kind"], report["phase"], report["run"]["name"]) == ("TestResults", "Failed", "position-manager")
    assert sum(len(test["attempts"]) for test in report["tests"]) == len(list(mixed().tests()))
    flaky = next(test for test in report["tests"] if test["flaky"])
    assert [item["outcome"] for item in flaky["attempts"]] == ["failed", "passed"]


def test_a_hostile_run_is_data_everywhere() -> None:
    run = hostile()
    xml = read(run)
    assert (xml.tests, xml.failures, xml.skipped) == (3, 1, 1)
    assert Ctrf.model_validate_json(export_ctrf(run)).results.summary.failed == 1
    assert json.loads(export_json(run))["run"]["name"] == HOSTILE


OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
TESTS = st.lists(
    st.builds(
        attempt,
        st.text(),
        st.sampled_from(OUTCOMES),
        st.floats(0, 1e12),
        st.floats(0, 1e9),
        message=st.text(),
        details=st.text(),
        location=st.text(),
        attempt=st.integers(1, 9),
        final=st.booleans(),
    ),
    max_size=4,
)


@given(TESTS, st.text(), st.sampled_from(["Passed", "Failed", "Error", "Cancelled", "Running", ""]))
def test_any_text_comes_out_whole(tests: list[dict[str, Any]], text: str, phase: str) -> None:
    run = record([piece(text, 0, tests)], name=text or "x", phase=phase, reason=text, message=text)
    found = cases(run)
    extra = 0 if phase == "Passed" or (phase == "Failed" and any(case.bad for case in found)) else 1
    xml = read(run)
    assert xml.tests == len(found) + extra
    assert (xml.failures, xml.errors) == (
        sum(case.outcome == "failed" for case in found),
        sum(case.outcome == "error" for case in found) + extra,
    )
    assert Ctrf.model_validate_json(export_ctrf(run)).results.summary.tests == len(found) + extra
    assert len(json.loads(export_json(run))["tests"]) == len(found)
    assert all(COMMAND.fullmatch(line) for line in export_github(run).removesuffix("\n").split("\n"))
    assert set(rendered(summary_markdown(run))) <= TAGS


@given(st.text())
def test_a_command_for_github_is_read_as_it_was_meant(text: str) -> None:
    run = record([piece("core", 0, [attempt("a.py::t", "failed", details=text)])], phase="Failed")
    line = export_github(run).split("\n")[0]
    assert unescaped(line.split("::", 2)[2]) == clean(text or "failed", 4000)


def test_texts_are_cleaned() -> None:
    assert clean("a\x1b[31mb\x1b[0m\x1b]0;title\x07c") == "abc"
    assert clean("a\x00b\x9bc\ud800\ufffe\u202e") == "a\\x00b\\x9bc\\ud800\\ufffe\\u202e"
    assert clean("a\r\nb\rc\td") == "a\nb\nc\td"
    assert clean("x" * 20, 8) == "xxxxxxxx\n... 12 characters left out"
    assert one_line(" a\n\n b ") == "a b"
    assert location("a/b.py:12") == ("a/b.py", 12)
    assert location("C:/a.py:3:7") == ("C:/a.py", 3)
    assert location("nowhere") is None
