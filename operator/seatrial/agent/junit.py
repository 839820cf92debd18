"""JUnit XML of any dialect, as records.

The format has no specification. What is read: ``testsuites`` or ``testsuite`` at the root, nested suites, missing
counts, ``time`` that is no number, attempts told as ``flakyFailure`` or ``rerunFailure`` (Surefire, cargo-nextest),
tests that did not run told by ``status`` (googletest, CTest), failures of a whole suite. The file comes from a tenant:
no document type (so no entities), and bounds on size, depth, tests, memory and time. A failure in an odd place is a
failure all the same, and what cannot be told apart is refused: nothing may go missing.
"""

from __future__ import annotations

import hashlib
import sys
import time
from typing import TYPE_CHECKING
from xml.parsers import expat

from seatrial.agent.junit_case import FAILED, MAX_ATTEMPTS, TAGS, Case, Element, JunitFormatError, Suite
from seatrial.records import ID_BYTES, MESSAGE_BYTES, TEXT_BYTES, Attempt, Collected, CollectError, Finish, Record, clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["JunitFormatError", "parse_junit"]

MAX_BYTES = 20 << 20
MAX_DEPTH = 20
MAX_CASES = 50_000
MAX_SECONDS = 10.0
MAX_TOKEN_BYTES = 2 << 20
"""Of one tag with its attributes, which the parser holds as a whole, and Python in up to four bytes a character."""
TEXT_BUDGET = 8 << 20
"""Bytes of memory for failure texts; more would not fit into the relay's stream either."""
MEMORY_BUDGET = 32 << 20
"""Bytes of memory for all that is kept. A hundred thousand attempts of the usual size take 20 MB."""


class _Reader:
    """The handlers of the parser; what is finished is in ``tests`` and ``problems``."""

    def __init__(self) -> None:
        self.tests: list[Attempt] = []
        self.problems: list[CollectError] = []
        self.ids: set[str] = set()
        self.cases = 0
        self.depth = 0
        self.texts = 0
        self.memory = 0
        self.suites: list[Suite] = []
        self.case: Case | None = None
        self.element: Element | None = None
        self.repeats: dict[str, int] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise JunitFormatError(f"elements nested deeper than {MAX_DEPTH}")
        if self.depth == 1 and tag not in {"testsuites", "testsuite"}:
            raise JunitFormatError(f"the root is <{clip(tag, 80)}>; expected <testsuites> or <testsuite>")
        inside = self.case is not None or self.element is not None
        if tag in {"testsuite", "testcase"} and inside:
            if self.element is None or self.element.tag not in FAILED:  # of a failure it is part of the text
                raise JunitFormatError(f"a <{tag}> inside a test case")
        elif tag == "testsuite":
            if self.suites:
                self.suites[-1].nested = True
            self.suites.append(Suite(attributes))
        elif tag == "testcase":
            self.cases += 1
            if self.cases > MAX_CASES:
                raise JunitFormatError(f"more than {MAX_CASES} tests")
            self.case = Case(attributes, self.suites[-1].name if self.suites else "", self.depth)
        elif tag in (FAILED if self.case is None or self.element is not None else TAGS):
            self._start_result(tag, attributes)

    def _start_result(self, tag: str, attributes: Mapping[str, str]) -> None:
        element = Element(tag, attributes, self.depth)
        if self.element is None:
            self.element = element
        elif self.case is not None and self.element.tag not in FAILED:  # inside of what is no failure, such as a skip
            self.case.add(element)

    def text(self, data: str) -> None:
        if self.element is not None and self.element.size < TEXT_BYTES and self.texts < TEXT_BUDGET:
            self.element.parts.append(data[:TEXT_BYTES])
            self.element.size += len(data)

    def end(self, name: str) -> None:
        if self.element is not None and self.element.depth == self.depth:
            element, self.element = self.element, None
            if self.case is not None:
                self.case.add(element)
            else:  # of the suite itself, which then has no test to blame
                result = element.result("error")
                self._problem(result.message or f"<{element.tag}> in the suite itself", result.text)
        elif self.case is not None and self.case.depth == self.depth:
            self._finish_case(self.case)
            self.case = None
        elif name.rpartition(":")[2] == "testsuite" and self.case is None and self.element is None:
            suite = self.suites[-1]
            if suite.declared > suite.failed and not suite.nested:
                self._problem(f"the suite declares {suite.declared} failures and errors but lists {suite.failed}", "")
            self.suites.pop()
        self.depth -= 1

    def _problem(self, message: str, text: str) -> None:
        suite = self.suites[-1] if self.suites else None
        if suite is not None:
            suite.failed = max(suite.failed, suite.declared)
        if len(self.problems) < MAX_ATTEMPTS:
            name = (suite.name if suite else "") or "(suite)"
            self.problems.append(CollectError(name, clip(message, MESSAGE_BYTES), text))

    def _finish_case(self, case: Case) -> None:
        test = self._new_id(case.name())
        results = case.results()
        for number, result in enumerate(results, 1):
            final = number == len(results)
            place = case.location() if result.outcome != "passed" else ""
            text = result.text if self.texts < TEXT_BUDGET else ""
            seconds = case.seconds() if final else 0.0
            attempt = Attempt(test, result.outcome, number, seconds, 0.0, result.message, place, text, final)
            self.texts += sys.getsizeof(text)
            self._keep(attempt, result.message, place, text)
            self.tests.append(attempt)
        if self.suites and results[-1].outcome in FAILED.values():
            self.suites[-1].failed += 1

    def _new_id(self, name: str) -> str:
        """An id that no other test has: with a number when the name is there again, cut to its start and a hash."""
        known = _fitting(name)
        times = self.repeats.get(known, 1)
        test = known if times == 1 else _fitting(f"{name} (run {times})")
        while test in self.ids:
            times += 1
            test = _fitting(f"{name} (run {times})")
            self.repeats[known] = times
        self.ids.add(test)
        self._keep(test)
        return test

    def _keep(self, *items: object) -> None:
        self.memory += sum(map(sys.getsizeof, items))
        if self.memory > MEMORY_BUDGET:
            raise JunitFormatError(f"more than {MEMORY_BUDGET >> 20} MiB of names, messages and attempts")


def _fitting(name: str) -> str:
    data = name.encode()
    if len(data) <= ID_BYTES:
        return name
    return clip(name, ID_BYTES - 17) + "~" + hashlib.sha256(data).hexdigest()[:16]


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
        _feed(parser, chunks)
    except JunitFormatError:
        raise
    except expat.ExpatError as error:
        raise JunitFormatError(f"not well-formed XML: {error}") from error
    except (LookupError, ValueError) as error:
        raise JunitFormatError(f"unknown encoding: {error}") from error
    digest = hashlib.sha256()
    for number, test in enumerate(sorted(reader.ids)):
        digest.update(b"\n" * bool(number) + test.encode())
    collected = Collected(now, len(reader.ids), len(reader.ids), digest.hexdigest())
    return [collected, *reader.problems, *reader.tests, Finish(now, None, len(reader.ids))]


def _feed(parser: expat.XMLParserType, chunks: Iterable[bytes]) -> None:
    size = 0
    begin = time.monotonic()
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_BYTES:
            raise JunitFormatError(f"larger than {MAX_BYTES >> 20} MiB")
        if time.monotonic() - begin > MAX_SECONDS:
            raise JunitFormatError(f"not read within {MAX_SECONDS:g} s")
        parser.Parse(chunk, False)  # noqa: FBT003  # expat takes no keywords
        if size - max(0, parser.CurrentByteIndex) > MAX_TOKEN_BYTES:
            raise JunitFormatError(f"a tag or comment of more than {MAX_TOKEN_BYTES >> 20} MiB")
    if not size:
        raise JunitFormatError("the file is empty")
    parser.Parse(b"", True)  # noqa: FBT003


def _refuse_doctype(*_: object) -> None:
    raise JunitFormatError("it has a document type declaration, which is not accepted")
