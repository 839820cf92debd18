"""Service, sandbox and suite share no code: a mistake in one cannot hide in another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(
    ("folder", "others"),
    [("kraken", {"kraken_sandbox"}), ("kraken_sandbox", {"kraken"}), ("tests", {"kraken", "kraken_sandbox"})],
)
def test_nobody_imports_the_others(folder: str, others: set[str]) -> None:
    modules = list((ROOT / folder).glob("*.py"))
    assert modules
    assert {path.name: found for path in modules if (found := imported(path) & others)} == {}


def test_modules_are_small() -> None:
    sizes = {
        path: len(path.read_text().splitlines())
        for folder in ("kraken", "kraken_sandbox")
        for path in (ROOT / folder).glob("*.py")
    }
    assert {path.name: size for path, size in sizes.items() if size > 250} == {}
