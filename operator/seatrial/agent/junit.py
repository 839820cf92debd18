"""JUnit XML of any dialect, as records.

The format has no specification. What is read: ``testsuites`` or ``testsuite`` at the root, nested suites, missing
counts, ``time`` that is no number, attempts told as ``flakyFailure`` or ``rerunFailure`` (Surefire, cargo-nextest),
tests that did not run told by ``status`` (googletest, CTest), failures of a whole suite. The file comes from a tenant:
no document type (so no entities), and bounds on size, depth, tests and time.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from seatrial.records import (
    ID_BYTES,
    LOCATION_BYTES,
    MESSAGE_BYTES,
    TEXT_BYTES,
    Attempt,
    Collected,
    CollectError,
    Finish,
    Outcome,
    Record,
    clip,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_BYTES = 20 << 20
MAX_DEPTH = 20
MAX_CASES = 50_000
MAX_ATTEMPTS = 100
MAX_SECONDS = 10.0
SUITE_BYTES = 256

FAILED_BEFORE: dict[str, Outcome] = {"flakyFailure": "failed", "flakyError": "error"}
FAILED_AGAIN: dict[str, Outcome] = {"rerunFailure": "failed", "rerunError": "error"}
RESULTS: dict[str, Outcome] = {"failure": "failed", "error": "error", "skipped": "skipped"}
TAGS = FAILED_BEFORE | FAILED_AGAIN | RESULTS
TEXT_BUDGET = 8 << 20
"""Characters of failure texts in all; more would neither fit into the relay's memory nor into its stream."""
NOT_RUN = {"notrun", "disabled", "skipped", "suppressed", "ignored", "pending"}
FAILED_STATUS = {"fail", "failed", "failure"}


class JunitFormatError(ValueError):
    """The file is no JUnit XML within the limits; the message says where and why."""


class Result(NamedTuple):
    """What one element inside a test case, or directly inside a suite, says."""

    outcome: Outcome
    message: str
    text: str


class _Element:
    """An element that can hold a message: its text is collected up to a limit."""

    def __init__(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.tag = tag
        self.head = attributes.get("message") or attributes.get("type") or ""
        self.parts: list[str] = []
        self.size = 0

    def attempt(self, outcome: Outcome) -> Result:
        text = "".join(self.parts).strip()
        message = next((line.strip() for line in (self.head or text).splitlines() if line.strip()), "")
        return Result(outcome, clip(message, MESSAGE_BYTES), clip(text or self.head, TEXT_BYTES))


class _Case:
    def __init__(self, attributes: Mapping[str, str], suite: str) -> None:
        self.attributes = attributes
        self.suite = suite
        self.result: Result | None = None
        self.before: list[Result] = []
        self.again: list[Result] = []

    def add(self, tag: str, element: _Element) -> None:
        if len(self.before) + len(self.again) >= MAX_ATTEMPTS:
            raise JunitFormatError(f"a test case with more than {MAX_ATTEMPTS} attempts")
        attempt = element.attempt(TAGS[tag])
        if tag in FAILED_BEFORE:
            self.before.append(attempt)
        elif tag in FAILED_AGAIN:
            self.again.append(attempt)
        elif self.result is None or self.result.outcome == "skipped":
            self.result = attempt

    def attempts(self) -> list[Result]:
        """All attempts in their order, the final one last."""
        result = self.result
        status = (self.attributes.get("status") or "").lower()
        if result is None and (status in NOT_RUN or (self.attributes.get("result") or "").lower() in NOT_RUN):
            result = Result("skipped", status, "")
        elif result is None and status in FAILED_STATUS:
            result = Result("failed", f"status is {status}", "")
        elif result is None and self.again:
            return self.again  # no first failure told: the last attempt is the result
        return [*self.before, result or Result("passed", "", ""), *self.again]

    def name(self) -> str:
        group = self.attributes.get("classname") or self.suite
        name = self.attributes.get("name") or "(unnamed)"
        return f"{group}::{name}" if group else name

    def location(self) -> str:
        file, line = self.attributes.get("file") or "", self.attributes.get("line") or ""
        return clip(f"{file}:{line}" if file and line else file, LOCATION_BYTES)


class _Suite:
    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.name = clip(attributes.get("name") or "", SUITE_BYTES)
        self.declared = _count(attributes.get("failures")) + _count(attributes.get("errors"))
        self.failed = 0
        self.nested = False


def _count(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 10 else 0  # noqa: PLR2004


def _seconds(value: str | None) -> float:
    try:
        seconds = float((value or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return min(seconds, 1e9) if math.isfinite(seconds) and seconds > 0 else 0.0


class _Reader:
    """The handlers of the parser; what is finished is in ``tests`` and ``problems``."""

    def __init__(self) -> None:
        self.tests: list[Attempt] = []
        self.problems: list[CollectError] = []
        self.cases = 0
        self.depth = 0
        self.budget = TEXT_BUDGET
        self.suites: list[_Suite] = []
        self.case: _Case | None = None
        self.element: _Element | None = None
        self.seen: dict[str, int] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise JunitFormatError(f"elements nested deeper than {MAX_DEPTH}")
        if self.depth == 1 and tag not in {"testsuites", "testsuite"}:
            raise JunitFormatError(f"the root is <{clip(tag, 80)}>; expected <testsuites> or <testsuite>")
        if tag == "testsuite":
            if self.suites:
                self.suites[-1].nested = True
            self.suites.append(_Suite(attributes))
        elif tag == "testcase" and self.case is None:
            self.cases += 1
            if self.cases > MAX_CASES:
                raise JunitFormatError(f"more than {MAX_CASES} tests")
            self.case = _Case(attributes, self.suites[-1].name if self.suites else "")
        elif self.element is None and tag in (TAGS if self.case is not None else {"failure", "error"}):
            self.element = _Element(tag, attributes)

    def text(self, data: str) -> None:
        if self.element is not None and self.element.size < TEXT_BYTES and self.budget > 0:
            self.element.parts.append(data[:TEXT_BYTES])
            self.element.size += len(data)
            self.budget -= min(len(data), TEXT_BYTES)

    def end(self, name: str) -> None:
        tag = name.rpartition(":")[2]
        self.depth -= 1
        if self.element is not None and tag == self.element.tag:
            element, self.element = self.element, None
            if self.case is not None:
                self.case.add(tag, element)
            else:  # of the suite itself, which then has no test to blame
                attempt = element.attempt("error")
                self._problem(attempt.message or f"<{tag}> in the suite itself", attempt.text)
        elif tag == "testcase" and self.case is not None and self.element is None:
            self._finish_case(self.case)
            self.case = None
        elif tag == "testsuite" and self.suites:
            suite = self.suites[-1]
            if suite.declared > suite.failed and not suite.nested:
                self._problem(f"the suite declares {suite.declared} failures and errors but lists {suite.failed}", "")
            self.suites.pop()

    def _problem(self, message: str, text: str) -> None:
        suite = self.suites[-1] if self.suites else None
        if suite is not None:
            suite.failed = max(suite.failed, suite.declared)
        if len(self.problems) < MAX_ATTEMPTS:
            name = (suite.name if suite else "") or "(suite)"
            self.problems.append(CollectError(name, clip(message, MESSAGE_BYTES), text))

    def _finish_case(self, case: _Case) -> None:
        whole = clip(case.name(), MAX_BYTES)
        times = self.seen[whole] = self.seen.get(whole, 0) + 1
        if times > 1:
            whole = f"{whole} (run {times})"
        if len(whole.encode()) > ID_BYTES:
            whole = clip(whole, ID_BYTES - 17) + "~" + hashlib.sha256(whole.encode()).hexdigest()[:16]
        attempts = case.attempts()
        for number, attempt in enumerate(attempts, 1):
            final = number == len(attempts)
            seconds = _seconds(case.attributes.get("time")) if final else 0.0
            place = case.location() if attempt.outcome != "passed" else ""
            self.tests.append(
                Attempt(whole, attempt.outcome, number, seconds, 0.0, attempt.message, place, attempt.text, final)
            )
        if self.suites and attempts[-1].outcome in {"failed", "error"}:
            self.suites[-1].failed += 1


def parse_junit(chunks: Iterable[bytes], *, now: float) -> list[Record]:
    """The records that a file stands for: collected, problems, tests, finish. Raises JunitFormatError."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        for chunk in _bounded(chunks):
            parser.Parse(chunk, False)  # noqa: FBT003  # expat takes no keywords
        parser.Parse(b"", True)  # noqa: FBT003
    except JunitFormatError:
        raise
    except expat.ExpatError as error:
        raise JunitFormatError(f"not well-formed XML: {error}") from error
    except (LookupError, ValueError) as error:
        raise JunitFormatError(f"unknown encoding: {error}") from error
    ids = sorted({test.id for test in reader.tests})
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    collected = Collected(now, len(ids), len(ids), digest)
    return [collected, *reader.problems, *reader.tests, Finish(now, None, len(ids))]


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    begin = time.monotonic()
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise JunitFormatError(f"larger than {MAX_BYTES >> 20} MiB")
        if time.monotonic() - begin > MAX_SECONDS:
            raise JunitFormatError(f"not read within {MAX_SECONDS:g} s")
        yield chunk
    if not size:
        raise JunitFormatError("the file is empty")


def _refuse_doctype(*_: object) -> None:
    raise JunitFormatError("it has a document type declaration, which is not accepted")
