"""The table of the README names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def existing() -> set[str]:
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                inner = [item.name for item in node.body if isinstance(item, ast.AsyncFunctionDef | ast.FunctionDef)]
                found |= {f"{path.name}::{node.name}::{name}" for name in inner}
            elif isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                found.add(f"{path.name}::{node.name}")
    return found


def test_every_test_of_the_table_exists() -> None:
    named = set(re.findall(r"`(test_\w+\.py::[\w:]+)`", (ROOT / "README.md").read_text()))
    assert named
    assert named - existing() == set()
