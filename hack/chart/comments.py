"""The comments of values.yaml: the one place where a value is described."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str, ...]


def descriptions(text: str) -> dict[Path, str]:
    """Path of a value -> the comment lines right above it, as one line of prose."""
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    found = {}
    for path, line in _keys(root, ()):
        comment: list[str] = []
        while line > 0 and lines[line - 1].lstrip().startswith("#"):
            line -= 1  # noqa: PLW2901  (walks up)
            comment.insert(0, lines[line].lstrip().removeprefix("#").strip())
        if comment:
            found[path] = " ".join(comment)
    return found


def _keys(node: yaml.Node | None, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield here, key.start_mark.line
            yield from _keys(value, here)
