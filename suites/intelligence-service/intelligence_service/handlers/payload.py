"""What all payloads have in common: a piece of Python."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NODE_TYPES = ("effect", "compute", "reducer", "orchestrator")


class PayloadError(ValueError):
    """A payload that cannot be answered; says which member, what was seen and what was expected."""


def code_of(payload: Mapping[str, Any]) -> str:
    """`code_content`, or `code`."""
    for name in ("code_content", "code"):
        if name in payload:
            if not isinstance(payload[name], str) or not payload[name].strip():
                raise PayloadError(f"payload.{name} is {_shown(payload[name])}; expected Python source")
            return str(payload[name])
    raise PayloadError("payload.code_content is missing; expected Python source")


def node_type_of(payload: Mapping[str, Any]) -> str | None:
    """One of the four, or None if it is not given."""
    found = payload.get("node_type")
    if found is None:
        return None
    if found not in NODE_TYPES:
        raise PayloadError(f"payload.node_type is {_shown(found)}; expected one of {', '.join(NODE_TYPES)}")
    return str(found)


def parse(code: str) -> ast.Module:
    """Raises SyntaxError, also for what the parser calls by another name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the request's code, not about ours
        try:
            return ast.parse(code)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or type(error).__name__) from None


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All of them, methods too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def words(text: str) -> set[str]:
    """Of names in any notation, in lower case."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return {word.lower() for word in re.findall(r"[A-Za-z]+", parted)}


def called(node: ast.AST) -> str:
    """The last part of the name of what is called, or of a decorator."""
    target = node.func if isinstance(node, ast.Call) else node
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."  # noqa: PLR2004 - as much as a message needs
