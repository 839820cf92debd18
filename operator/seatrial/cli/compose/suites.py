"""A service that runs pytest becomes a suite: its command line as the manifest has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.cli.compose.parts import words

if TYPE_CHECKING:
    from collections.abc import Callable

_WITH_VALUE = frozenset({
    "-n", "-p", "-c", "-o", "-W", "-r", "--maxfail", "--timeout", "--tb", "--junitxml", "--junit-xml", "--durations",
    "--cov",
    "--cov-report", "--cov-config", "--rootdir", "--confcutdir", "--ignore", "--ignore-glob", "--deselect", "--dist",
    "--numprocesses", "--log-level", "--log-cli-level", "--reruns", "--basetemp", "--import-mode", "--html", "--color",
    "--capture", "--override-ini", "--config-file", "--alluredir", "--randomly-seed", "--asyncio-mode", "--log-file",
})  # fmt: skip
_ENDS = frozenset({"&&", "||", ";", "|", "&", ">", ">>", "2>&1"})
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})


@dataclass
class Pytest:
    """What pytest is called with."""

    paths: list[str] = field(default_factory=list)
    markers: str = ""
    keyword: str = ""
    args: list[str] = field(default_factory=list)

    def as_spec(self) -> dict[str, Any]:
        """The members that say something."""
        return {key: value for key, value in vars(self).items() if value}


def pytest_of(service: dict[str, Any], tell: Callable[[str, str], None]) -> Pytest | None:
    """How a service calls pytest, or None when it does not."""
    said = _unwrapped([*words(service.get("entrypoint")), *words(service.get("command"))])
    at = next((index for index, word in enumerate(said) if word.rpartition("/")[2] in {"pytest", "py.test"}), None)
    if at is None:
        return None
    before = said[:at]
    if before[-2:] and before[-1] == "-m" and before[-2].rpartition("/")[2].startswith("python"):
        before = before[:-2]
    if before:
        tell(
            "command", f"`{' '.join(before)}` is left out: the run waits for its services, and starts pytest by itself"
        )
    rest = said[at + 1 :]
    end = next((index for index, word in enumerate(rest) if word in _ENDS), len(rest))
    if rest[end:]:
        tell("command", f"`{' '.join(rest[end:])}` is left out: a suite is pytest alone")
    return _parsed(rest[:end])


def _unwrapped(said: list[str]) -> list[str]:
    """The command within `sh -c "..."`."""
    for index, word in enumerate(said[:-1]):
        shell = index > 0 and said[index - 1].rpartition("/")[2] in _SHELLS
        if shell and word.startswith("-") and word.endswith("c"):
            spaced = said[index + 1]
            for end in ("&&", "||", ";"):
                spaced = spaced.replace(end, f" {end} ")
            return words(spaced)
    return said


def _parsed(said: list[str]) -> Pytest:
    found = Pytest()
    items = iter(said)
    for word in items:
        if word in {"-m", "-k"}:
            value = next(items, "")
            found.markers, found.keyword = (value, found.keyword) if word == "-m" else (found.markers, value)
        elif word in _WITH_VALUE:
            found.args += [word, value] if (value := next(items, "")) else [word]
        elif word.startswith("-"):
            found.args.append(word)
        elif word:
            found.paths.append(word)
    return found
