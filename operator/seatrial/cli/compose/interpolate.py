"""Variables of a compose file: `$NAME`, `${NAME:-default}` and their like, as Compose has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from seatrial.cli.exits import CliError, Exit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_NESTING = 20


class Interpolator:
    """Replaces variables in every text of a value, and remembers those that nothing was known about."""

    def __init__(self, variables: Mapping[str, str], source: Path) -> None:
        self._variables = variables
        self._source = source
        self.unset: set[str] = set()

    def apply(self, value: Any) -> Any:
        """The same value with its texts replaced; keys stay. Raises CliError for a variable that must be set."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.apply(item) for item in value]
        if isinstance(value, dict):
            return {key: self.apply(item) for key, item in value.items()}
        return value

    def text(self, text: str, depth: int = 0) -> str:
        parts, at = [], 0
        while (dollar := text.find("$", at)) >= 0:
            parts.append(text[at:dollar])
            following = text[dollar + 1 : dollar + 2]
            name = _NAME.match(text, dollar + 1)
            if following == "$":
                parts.append("$")
                at = dollar + 2
            elif following == "{" and (end := _closing(text, dollar + 1)) > 0:
                parts.append(self._braced(text[dollar + 2 : end], depth))
                at = end + 1
            elif name is not None:
                parts.append(self._value(name[0]))
                at = name.end()
            else:
                parts.append("$")
                at = dollar + 1
        return "".join([*parts, text[at:]])

    def _value(self, name: str) -> str:
        if name not in self._variables:
            self.unset.add(name)
        return self._variables.get(name, "")

    def _braced(self, inside: str, depth: int) -> str:
        name = _NAME.match(inside)
        if name is None or depth > _MAX_NESTING:
            raise CliError(f"{self._source}: ${{{inside[:60]}}} is no variable", Exit.USAGE)
        rest = inside[name.end() :]
        if not rest:
            return self._value(name[0])
        operator = rest[:2] if rest[:1] == ":" else rest[:1]
        other = rest[len(operator) :]
        value = self._variables.get(name[0])
        there = bool(value) if operator.startswith(":") else value is not None
        match operator[-1:]:
            case "-":
                return str(value) if there else self.text(other, depth + 1)
            case "+":
                return self.text(other, depth + 1) if there else ""
            case "?" if there:
                return str(value)
            case "?":
                said = self.text(other, depth + 1) or "it is required"
                raise CliError(f"{self._source}: the variable {name[0]} is not set: {said}", Exit.USAGE)
            case _:
                raise CliError(f"{self._source}: ${{{inside[:60]}}} is no variable", Exit.USAGE)


def _closing(text: str, opening: int) -> int:
    """Where the brace ends that opens here, or -1."""
    depth = 0
    for index in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return -1


def parse_env(text: str) -> dict[str, str]:
    """Variables of a .env file: `NAME=value`, quotes and comments as Compose reads them."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not _NAME.fullmatch(name):
            continue
        quoted = re.match(r"""(["'])(.*?)(?<!\\)\1""", value)
        found[name] = quoted[2] if quoted else re.split(r"\s+#", value, maxsplit=1)[0].strip()
    return found
