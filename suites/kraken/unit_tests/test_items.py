"""TESTS.md and the tests are in step."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = set(re.findall(r"`(test_\w+)`", (ROOT / "TESTS.md").read_text()))


def functions_of(folder: str) -> set[str]:
    """Names of the test functions of a folder."""
    return {
        node.name
        for path in (ROOT / folder).glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_test_of_the_suites_is_named() -> None:
    assert functions_of("tests") - NAMED == set()


def test_every_named_test_exists() -> None:
    assert NAMED - functions_of("tests") - functions_of("unit_tests") == set()


def test_the_checklist_is_complete() -> None:
    """25 items, as many in each category as it says."""
    table = (ROOT / "TESTS.md").read_text().split("## The scope")[0]
    rows = [line for line in table.splitlines() if "| P `" in line]
    heads = [int(number) for number in re.findall(r"\((\d)\) \|", table)]
    assert len(rows) == sum(heads) == 25
    assert len(set(re.findall(r"`(test_\w+)`", "\n".join(rows)))) == 25
