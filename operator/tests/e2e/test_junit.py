"""Results of suites that are not pytest: file and exit code must agree, and a hostile file harms nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from .ends import End, check_record, error, expect

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

PATH = "/results/junit.xml"
ONE = "<testsuite tests='1'><testcase classname='orders' name='create'/></testsuite>"
FAILED = "<testcase classname='orders' name='cancel'><failure message='still open'/></testcase>"


class Case(NamedTuple):
    """What a suite writes (a Python expression of bytes) or does instead, and how its run ends."""

    end: End
    content: str = ""
    instead: str = ""
    code: int = 0
    timeout: str = "4m"


CASES = {
    "all-passed": Case(End("Passed", "", (), "1/1"), repr(ONE.encode())),
    "one-failed": Case(
        End("Failed", "TestsFailed", ("orders::cancel", "still open"), "1/2"),
        repr(f"<testsuite tests='2'><testcase classname='orders' name='create'/>{FAILED}</testsuite>".encode()),
        code=1,
    ),
    "one-failed-and-yet-exit-code-0": Case(
        End("Failed", "TestsFailed", ("orders::cancel", "still open"), "0/1"),
        repr(f"<testsuite tests='1'>{FAILED}</testsuite>".encode()),
    ),
    "all-passed-and-yet-exit-code-7": Case(
        error("UnexpectedExit", "exit code 7", "no test failed", passed="1/1"), repr(ONE.encode()), code=7
    ),
    "no-test": Case(error("NoTestsCollected", "holds no test"), repr(b"<testsuite tests='0'/>")),
    "no-file": Case(error("ResultsInvalid", PATH, "exit code 3"), instead="pass", code=3),
    "an-empty-file": Case(error("ResultsInvalid", "the file is empty"), repr(b"")),
    "not-xml": Case(error("ResultsInvalid", "not well-formed"), repr(b"2 passed in 0.1 s\n")),
    "cut-off": Case(error("ResultsInvalid", "not well-formed"), repr(ONE.encode()[:-8])),
    "another-root": Case(error("ResultsInvalid", "the root is <html>"), repr(b"<html/>")),
    "zeros": Case(error("ResultsInvalid", "not well-formed"), "bytes(1 << 20)"),
    "entities": Case(
        error("ResultsInvalid", "document type"),
        repr(
            b"<!DOCTYPE t [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>"
            b"<testsuite><testcase name='&b;'/></testsuite>"
        ),
    ),
    "an-external-entity": Case(
        error("ResultsInvalid", "document type"),
        repr(b"<!DOCTYPE t [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><testsuite><testcase name='&a;'/></testsuite>"),
    ),
    "very-deep": Case(
        error("ResultsInvalid", "nested deeper than 20"), "b'<testsuite>' * 200000 + b'</testsuite>' * 200000"
    ),
    "an-attribute-of-10-mib": Case(
        error("ResultsInvalid", "a tag or comment of more than 2 MiB"),
        "b'<testsuite><testcase name=\"' + b'a' * (10 << 20) + b'\"/></testsuite>'",
    ),
    "too-large": Case(
        error("ResultsInvalid", "larger than 20 MiB"), "b'<testsuite>' + b' ' * (21 << 20) + b'</testsuite>'"
    ),
    "too-many-tests": Case(
        error("ResultsInvalid", "more than 50000 tests"),
        "b'<testsuite>' + b'<testcase name=\"a\"/>' * 100000 + b'</testsuite>'",
    ),
    "fewer-failures-than-it-declares": Case(
        End("Failed", "TestsFailed", ("orders", "declares 3 failures and errors but lists 0"), "1/1"),
        repr(ONE.replace("tests='1'", "name='orders' tests='1' failures='3'").encode()),
    ),
    "a-link-to-another-file": Case(
        error("ResultsInvalid", PATH), instead=f"import os; os.symlink('/etc/passwd', {PATH!r})"
    ),
    "a-pipe": Case(error("ResultsInvalid", PATH), instead=f"import os; os.mkfifo({PATH!r})"),
    "a-folder": Case(error("ResultsInvalid", PATH), instead=f"import os; os.mkdir({PATH!r})"),
    "out-of-memory": Case(error("OOMKilled", "more memory than its limit"), instead="bytearray(b'x') * (1 << 30)"),
    "no-end": Case(error("SuiteTimeout", "2 s"), instead="import threading; threading.Event().wait()", timeout="2s"),
}


def suite_of(name: str, case: Case) -> dict[str, Any]:
    write = case.instead or f"open({PATH!r}, 'wb').write({case.content})"
    return {
        "name": name,
        "image": "localhost/seatrial/suite:dev",
        "command": ["python3", "-c", f"{write}\nraise SystemExit({case.code})"],
        "junit": {"path": PATH},
        "timeout": case.timeout,
    }


def test_files(tenant: Tenant, subtests: pytest.Subtests) -> None:
    """All of them in one run, since each is a suite: what one of them writes is no matter of another's."""
    tenant.run("junit", suites=[suite_of(name, case) for name, case in CASES.items()], parallelism=4)
    run = tenant.finished("junit", seconds=280)
    check_record(tenant, run)
    suites = {suite["name"]: suite for suite in run["status"]["suites"]}
    for name, case in CASES.items():
        suite = suites[name]
        with subtests.test(name):
            assert (suite["state"], suite["reason"]) == (case.end.phase, case.end.reason), suite["message"]
            assert f"{suite['passed']}/{suite['total']}" == case.end.passed
            for word in case.end.words:
                assert word in suite["message"]


@pytest.mark.parametrize("name", ["all-passed", "one-failed", "entities"])
def test_a_run(name: str, tenant: Tenant) -> None:
    tenant.run("junit", suites=[suite_of(name, CASES[name])])
    expect(tenant, "junit", replace(CASES[name].end, reason=CASES[name].end.reason or "AllTestsPassed"))
