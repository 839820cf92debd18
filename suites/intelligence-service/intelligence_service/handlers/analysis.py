"""How large and how complex is a piece of code?"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from intelligence_service.handlers.payload import PayloadError, code_of, functions, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

SIMPLE: Final = 5
"""Up to this complexity a function costs nothing; each point above costs a twentieth of the score."""
_BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.comprehension)


def handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Counts, McCabe's cyclomatic complexity of each function, and a score from 0 to 1 for the most complex one."""
    code = code_of(payload)
    try:
        tree = parse(code)
    except SyntaxError as error:
        raise PayloadError(f"payload.code_content cannot be parsed: line {error.lineno}: {error.msg}") from None
    found = [(function.name, function.lineno, complexity(function)) for function in functions(tree)]
    highest = max((points for _, _, points in found), default=0)
    lines = [line for line in code.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {
        "quality_score": round(max(0.0, 1 - max(0, highest - SIMPLE) / 20), 2),
        "lines_of_code": len(lines),
        "classes": sum(isinstance(node, ast.ClassDef) for node in ast.walk(tree)),
        "functions": [
            {"name": name, "line": line, "complexity": points}
            for name, line, points in sorted(found, key=lambda entry: entry[1])
        ],
        "max_complexity": highest,
        "imports": sorted(_imports(tree)),
    }


def complexity(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """One, and one for each decision; those of functions inside are theirs."""
    total = 1
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, _BRANCHES):
            total += 1
        elif isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
        elif isinstance(node, ast.match_case) and not (isinstance(node.pattern, ast.MatchAs) and not node.pattern.name):
            total += 1
        stack += ast.iter_child_nodes(node)
    return total


def _imports(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
