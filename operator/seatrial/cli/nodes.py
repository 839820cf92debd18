"""YAML as the API server's clients read it, with the place of every field. Reads anything, executes nothing."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NODES = 200_000
"""Of one file, aliases expanded: what is beyond that is no manifest but an attack on whoever reads it."""
MAX_DEPTH = 100
_YAML = "tag:yaml.org,2002:"
_INT = re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
_FLOAT = re.compile(
    r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$"
)
_NAN = re.compile(r"^\.(?:nan|NaN|NAN)$")
_OTHER_TYPES = {f"{_YAML}{name}" for name in ("timestamp", "int", "float", "value")}

Path = tuple[str | int, ...]
Position = tuple[int, int]
"""Line and column, both from 1."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """As kubectl reads YAML: dates stay texts, and 1:30 is not ninety."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag not in _OTHER_TYPES]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(f"{_YAML}int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_YAML}float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver(f"{_YAML}float", _NAN, ["."])


class UnreadableError(Exception):
    """The text is no YAML, or none that an object of Kubernetes can be written in."""

    def __init__(self, message: str, position: Position = (1, 1)) -> None:
        super().__init__(message)
        self.position = position


@dataclass
class Document:
    """One document of a file: its value, where each of its fields stands, and which keys are there twice."""

    value: Any
    position: Position
    positions: dict[Path, Position] = field(default_factory=dict)
    duplicates: list[tuple[Path, Position, Position]] = field(default_factory=list)
    """Path of the key, where it is again, where it was first."""

    def position_of(self, path: Path) -> Position:
        """Where a field stands; for one that is not there, the nearest field around it."""
        while path:
            if path in self.positions:
                return self.positions[path]
            path = path[:-1]
        return self.position


def read_documents(text: str) -> Iterator[Document]:
    """The documents of a text, empty ones left out. Raises UnreadableError with the place and what is wrong there."""
    budget = _Budget()
    try:
        _refuse_depth(text)
        for node in yaml.compose_all(text, Loader=_Loader):
            document = Document(None, _position(node))
            document.value = _Reader(document, budget).read(node, ())
            if document.value is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        raise _explain(error, text) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position if isinstance(error.position, int) else 0) + 1
        raise UnreadableError(
            f"the character {error.character!r} may not be in YAML: write it as an escape", (line, 1)
        ) from None
    except RecursionError:
        raise UnreadableError(f"is nested more than {MAX_DEPTH} levels deep") from None


def _refuse_depth(text: str) -> None:
    """Before nodes are made of it: libyaml makes them by recursion, and ends the process when it has no stack left."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark = event.start_mark
            position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise UnreadableError(f"is nested more than {MAX_DEPTH} levels deep", position)


def _position(node: yaml.Node) -> Position:
    return (node.start_mark.line + 1, node.start_mark.column + 1)


def _explain(error: yaml.MarkedYAMLError, text: str) -> UnreadableError:
    mark = error.problem_mark or error.context_mark
    position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    line = lines[position[0] - 1] if position[0] <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or line[position[1] - 1 : position[1]] == "\t":
        return UnreadableError("a tab stands here: YAML is indented with spaces alone", position)
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    return UnreadableError(f"is not YAML: {what}", position)


class _Budget:
    """How much of a file may still be read."""

    def __init__(self) -> None:
        self.left = MAX_NODES

    def take(self, node: yaml.Node, path: Path) -> None:
        self.left -= 1
        if self.left < 0:
            raise UnreadableError(f"holds more than {MAX_NODES} values, aliases expanded", _position(node))
        if len(path) > MAX_DEPTH:
            raise UnreadableError(f"is nested more than {MAX_DEPTH} levels deep", _position(node))


class _Reader:
    """Turns nodes into values that JSON has too."""

    def __init__(self, document: Document, budget: _Budget) -> None:
        self._document = document
        self._budget = budget
        self._scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, path: Path) -> Any:
        self._budget.take(node, path)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_YAML}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_YAML}seq":
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        raise UnreadableError(f"the tag {node.tag.replace(_YAML, '!!')} has no meaning in a manifest", _position(node))

    def _item(self, node: yaml.Node, path: Path) -> Any:
        self._document.positions.setdefault(path, _position(node))
        return self.read(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        here: dict[str, Position] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_YAML}merge":
                found = self._merged(value_node, path) | found
        for key_node, value_node in node.value:
            if key_node.tag == f"{_YAML}merge":
                continue
            key = self._key(key_node)
            if key in here:
                self._document.duplicates.append(((*path, key), _position(key_node), here[key]))
            here[key] = self._document.positions[(*path, key)] = _position(key_node)
            found[key] = self.read(value_node, (*path, key))
        return found

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for other in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            values = self.read(other, path)
            if not isinstance(values, dict):
                raise UnreadableError("<<: takes a mapping, or a list of mappings", _position(other))
            found = values | found
        return found

    def _key(self, node: yaml.Node) -> str:
        value = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if value is None:
            raise UnreadableError("a key must be a text", _position(node))
        if isinstance(value, bool):
            return "true" if value else "false"
        return node.value if not isinstance(value, str) else value

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        name = node.tag.removeprefix(_YAML)
        if name not in {"str", "int", "float", "bool", "null"}:
            raise UnreadableError(
                f"the tag {node.tag.replace(_YAML, '!!')} has no meaning in a manifest", _position(node)
            )
        if name == "str":
            return node.value
        try:
            if name == "int":
                return _integer(node.value)
            value = self._scalars.construct_object(node)
        except (ValueError, KeyError, OverflowError):
            raise UnreadableError(f"{node.value[:60]!r} is no {name}", _position(node)) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise UnreadableError(f"{node.value} has no meaning in a manifest: write a number", _position(node))
        return value


def _integer(text: str) -> int:
    plain = text.replace("_", "").lower()
    sign = -1 if plain.startswith("-") else 1
    digits = plain.lstrip("+-")
    for prefix, base in (("0b", 2), ("0o", 8), ("0x", 16)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") and len(digits) > 1 else 10)
