"""Writes TESTS.md, the table of what is to be shown and the tests that show it, from items.toml.

With --check: fails when TESTS.md is another, a test that is named does not exist, or one that exists is named nowhere.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).resolve().parent
TABLE: Final = FOLDER / "TESTS.md"
ACCOUNTED: Final = ("tests/unit", "tests/e2e", "tests/chaos", "tests/performance")
"""Every test in these is named; elsewhere there are more than was asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    problems = inconsistencies()
    if not check and not problems:
        TABLE.write_text(table())
    elif check and TABLE.read_text() != table():
        problems.append(f"{TABLE.name} is not what items.toml says: run python suites/alpha-panda/items.py")
    sys.exit("\n".join(problems) if problems else 0)


def groups() -> list[tuple[str, list[list[str]]]]:
    """Name and items; an item is its words and its tests."""
    read = tomllib.loads((FOLDER / "items.toml").read_text())
    return [(group["name"], group["items"]) for group in read["group"]]


def inconsistencies() -> list[str]:
    named = {test for _, items in groups() for _, *tests in items for test in tests}
    existing = {test for path in sorted(FOLDER.glob("*tests/**/test_*.py")) for test in tests_of(path)}
    files = {test.partition("::")[0] for test in existing}
    missing = sorted(named - existing - files)
    unnamed = sorted(test for test in existing - named if test.startswith(ACCOUNTED))
    return [f"there is no test {test}" for test in missing] + [f"items.toml does not name {test}" for test in unnamed]


def tests_of(path: Path) -> Iterator[str]:
    """The ids of a file's tests, without parameters."""
    file = path.relative_to(FOLDER).as_posix()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{file}::{node.name}::{name}" for name in names(node.body))
    yield from (f"{file}::{name}" for name in names(ast.parse(path.read_text()).body))


def names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def table() -> str:
    lines = ["# What is to be shown, and the tests that show it", "", "Written by items.py from items.toml."]
    for name, items in groups():
        lines += ["", f"## {name}", "", "| what | tests |", "|---|---|"]
        lines += [f"| {words} | {'<br>'.join(f'`{shortened(test)}`' for test in tests)} |" for words, *tests in items]
    return "\n".join(lines) + "\n"


def shortened(test: str) -> str:
    """Without the folder of all of them."""
    return test.removeprefix("tests/")


if __name__ == "__main__":
    main()
