"""What a suite, a test case and the elements in it say, in each dialect of JUnit XML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from seatrial.records import LOCATION_BYTES, MESSAGE_BYTES, TEXT_BYTES, Outcome, clip

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ATTEMPTS = 100
SUITE_BYTES = 256

FAILED_BEFORE: dict[str, Outcome] = {"flakyFailure": "failed", "flakyError": "error"}
FAILED_AGAIN: dict[str, Outcome] = {"rerunFailure": "failed", "rerunError": "error"}
FAILED: dict[str, Outcome] = {"failure": "failed", "error": "error"}
TAGS: dict[str, Outcome] = FAILED_BEFORE | FAILED_AGAIN | FAILED | {"skipped": "skipped"}
NOT_RUN = {"notrun", "disabled", "skipped", "suppressed", "ignored", "pending"}
BAD_STATUS: dict[str, Outcome] = {
    "fail": "failed",
    "failed": "failed",
    "failure": "failed",
    "error": "error",
    "errored": "error",
    "broken": "error",
    "aborted": "error",
    "crashed": "error",
    "timeout": "error",
    "timedout": "error",
}


class JunitFormatError(ValueError):
    """The file is no JUnit XML within the limits; the message says where and why."""


class Result(NamedTuple):
    """What one element inside a test case, or directly inside a suite, says."""

    outcome: Outcome
    message: str
    text: str


class Element:
    """An element that can hold a message: its text is collected up to a limit."""

    def __init__(self, tag: str, attributes: Mapping[str, str], depth: int) -> None:
        self.tag = tag
        self.depth = depth
        self.head = attributes.get("message") or attributes.get("type") or ""
        self.parts: list[str] = []
        self.size = 0

    def result(self, outcome: Outcome) -> Result:
        text = "".join(self.parts).strip()
        message = next((line.strip() for line in (self.head or text).splitlines() if line.strip()), "")
        return Result(outcome, clip(message, MESSAGE_BYTES), clip(text or self.head, TEXT_BYTES))


class Case:
    """One test case."""

    def __init__(self, attributes: Mapping[str, str], suite: str, depth: int) -> None:
        self.attributes = attributes
        self.suite = suite
        self.depth = depth
        self.result: Result | None = None
        self.before: list[Result] = []
        self.again: list[Result] = []

    def add(self, element: Element) -> None:
        """Take in what an element says; a failure outweighs a skip, and the first one counts."""
        if len(self.before) + len(self.again) >= MAX_ATTEMPTS:
            raise JunitFormatError(f"a test case with more than {MAX_ATTEMPTS} attempts")
        result = element.result(TAGS[element.tag])
        if element.tag in FAILED_BEFORE:
            self.before.append(result)
        elif element.tag in FAILED_AGAIN:
            self.again.append(result)
        elif self.result is None or self.result.outcome == "skipped":
            self.result = result

    def results(self) -> list[Result]:
        """Of all attempts in their order, the final one last."""
        result = self.result or self._by_status()
        if result is None and self.again:
            return self.again  # no first failure told: the last attempt is the result
        return [*self.before, result or Result("passed", "", ""), *self.again]

    def _by_status(self) -> Result | None:
        said = [(self.attributes.get(name) or "").lower() for name in ("status", "result")]
        for word in said:
            if word in BAD_STATUS:
                return Result(BAD_STATUS[word], f"status is {word}", "")
        if any(word in NOT_RUN for word in said):
            return Result("skipped", said[0], "")
        return None

    def name(self) -> str:
        group = self.attributes.get("classname") or self.suite
        name = self.attributes.get("name") or "(unnamed)"
        return f"{group}::{name}" if group else name

    def location(self) -> str:
        file, line = self.attributes.get("file") or "", self.attributes.get("line") or ""
        return clip(f"{file}:{line}" if file and line else file, LOCATION_BYTES)

    def seconds(self) -> float:
        try:
            seconds = float((self.attributes.get("time") or "0").replace(",", ""))
        except ValueError:
            return 0.0
        return min(seconds, 1e9) if math.isfinite(seconds) and seconds > 0 else 0.0


class Suite:
    """One suite, as long as it is open."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.name = clip(attributes.get("name") or "", SUITE_BYTES)
        self.declared = _count(attributes.get("failures")) + _count(attributes.get("errors"))
        self.failed = 0
        self.nested = False


def _count(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 10 else 0  # noqa: PLR2004
