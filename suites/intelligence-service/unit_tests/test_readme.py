"""The README's table from the seed to the tests says the truth."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SUITES = Path(__file__).parents[2]
README = (SUITES / "intelligence-service" / "README.md").read_text()
NAMED = re.findall(r"`([\w/-]+\.py(?:::\w+)*)`", README.partition("## From the seed to the tests")[2])


def ids_in(path: Path) -> set[str]:
    """Ids below the folder of all suites."""
    file = path.relative_to(SUITES).as_posix()
    found = set()
    for node in ast.parse(path.read_text()).body:
        functions = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{file}::{node.name}" if isinstance(node, ast.ClassDef) else file
        found |= {
            f"{prefix}::{function.name}"
            for function in functions
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_")
        }
    return found


def covers(named: str, test: str) -> bool:
    return test == named or test.startswith(f"{named}::")


def test_each_test_that_is_named_exists() -> None:
    assert len(NAMED) > 25
    named = [name for name in NAMED if name != "unit_tests/test_readme.py"]
    files = {SUITES / name.partition("::")[0] for name in named}
    tests = set().union(*(ids_in(file) for file in files))
    assert [name for name in named if not any(covers(name, test) for test in tests)] == []


def test_each_test_of_the_suite_is_named() -> None:
    folder = SUITES / "intelligence-service" / "tests"
    tests = set().union(*(ids_in(file) for file in folder.glob("test_*.py")))
    assert sorted(test for test in tests if not any(covers(name, test) for name in NAMED)) == []
