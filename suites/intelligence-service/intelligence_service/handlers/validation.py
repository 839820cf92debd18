"""Is a node's code valid, and does it follow the conventions for nodes?"""

from __future__ import annotations

import ast
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from intelligence_service.handlers.payload import NODE_TYPES, code_of, functions, node_type_of, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PENALTIES: Final = {"error": 0.25, "warning": 0.1, "info": 0.02}


@dataclass(frozen=True)
class Violation:
    """A rule that is broken, and where."""

    rule: str
    severity: str
    message: str
    line: int


def handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    """is_valid: no error; quality_score: 1 less the penalties, from 0 to 1, to two places."""
    code, node_type = code_of(payload), node_type_of(payload)
    try:
        tree = parse(code)
    except SyntaxError as error:
        found = [Violation("syntax", "error", error.msg or "invalid syntax", error.lineno or 1)]
        return _result(found, node_type, parsed=False)
    found = [*_naming(tree, node_type), *_functions(tree), *_calls(tree)]
    return _result(sorted(found, key=lambda violation: (violation.line, violation.rule)), node_type, parsed=True)


def _result(found: list[Violation], node_type: str | None, *, parsed: bool) -> dict[str, Any]:
    lost = sum(PENALTIES[violation.severity] for violation in found)
    return {
        "is_valid": not any(violation.severity == "error" for violation in found),
        "quality_score": round(max(0.0, 1 - lost), 2) if parsed else 0.0,
        "node_type": node_type,
        "violations": [asdict(violation) for violation in found],
    }


def _naming(tree: ast.Module, node_type: str | None) -> Iterator[Violation]:
    """A node is `class Node<Name><Type>(Node<Type>)`."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    if node_type is None:
        return
    base = f"Node{node_type.capitalize()}"
    pattern = re.compile(rf"Node[A-Z]\w*{node_type.capitalize()}")
    nodes = [found for found in classes if pattern.fullmatch(found.name)]
    if not nodes:
        seen = ", ".join(found.name for found in classes) or "no class"
        message = f"expected a class Node<Name>{node_type.capitalize()}, seen {seen}"
        yield Violation("node-name", "error", message, classes[0].lineno if classes else 1)
    for node in nodes:
        bases = [ast.unparse(expression) for expression in node.bases]
        others = {f"Node{name.capitalize()}" for name in NODE_TYPES} - {base}
        if others & set(bases):
            wrong = ", ".join(sorted(others & set(bases)))
            yield Violation("node-base", "error", f"{node.name} is derived from {wrong}, not from {base}", node.lineno)
        elif base not in bases:
            yield Violation("node-base", "warning", f"{node.name} is not derived from {base}", node.lineno)


def _functions(tree: ast.Module) -> Iterator[Violation]:
    for function in functions(tree):
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        bare = [argument.arg for argument in arguments if argument.annotation is None]
        if bare[:1] in (["self"], ["cls"]):
            bare = bare[1:]
        if bare or function.returns is None:
            what = ", ".join([*bare, *(["the result"] if function.returns is None else [])])
            yield Violation("annotations", "warning", f"{function.name}: no type for {what}", function.lineno)
        if not function.name.startswith("_") and ast.get_docstring(function) is None:
            yield Violation("docstring", "info", f"{function.name} has no docstring", function.lineno)
        for default in [*function.args.defaults, *function.args.kw_defaults]:
            if isinstance(default, ast.List | ast.Dict | ast.Set):
                yield Violation("mutable-default", "warning", f"{function.name}: a default is shared", default.lineno)


def _calls(tree: ast.Module) -> Iterator[Violation]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield Violation("bare-except", "error", "except without a class hides every defect", node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            yield Violation("dynamic-code", "error", f"{node.func.id} runs whatever it is given", node.lineno)
