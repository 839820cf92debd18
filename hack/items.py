"""Writes suites/README.md: what each bundled suite has to show, and the tests that show it.

`python -m hack.items [--check]` reads suites/<name>/items.toml and what pytest collects. It fails when an
item has no test, a test that is named does not exist, or one that has to be accounted for is named nowhere;
with --check also when the page is another one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SUITES: Final = ROOT / "suites"
PAGE: Final = SUITES / "README.md"
INTRODUCTION: Final = """\
# The bundled suites

Each folder is a service, the suite that tests it, and a README, which is the page to read first; `kit` is the
plugin that suites can use. Each is run by `seatrial run examples/NAME.yaml` on this machine and by `kubectl
apply -f examples/NAME.yaml` on a cluster. `make repeat SUITE=NAME` runs it twenty times in random order in
one environment, then two copies at once.

Below is what each has to show, and the tests that show it, with the number of cases where there are several.
`make items` writes this page from the `items.toml` of each folder and from what pytest collects. `make
items-check` fails when an item has no test, or when a test that is named does not exist.
"""


class ItemsError(Exception):
    """A suite cannot be read."""


@dataclass(frozen=True)
class Item:
    """Something to show."""

    what: str
    tests: tuple[str, ...]
    """FILE, FILE::CLASS or FILE::[CLASS::]TEST below the suite's folder."""


@dataclass(frozen=True)
class Suite:
    """A folder below suites/."""

    name: str
    description: str
    groups: tuple[tuple[str, tuple[Item, ...]], ...]
    accounted: tuple[str, ...]
    """Every test below these paths has to be named."""
    collected: Counter[str]
    """Ids without parameters, and how many cases each has."""

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for _, items in self.groups for item in items)

    def cases(self, named: str) -> int:
        return sum(number for test, number in self.collected.items() if _covers(named, test))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    folders = sorted(path.parent for path in SUITES.glob("*/pyproject.toml"))
    try:
        with ThreadPoolExecutor(2) as pool:
            suites = list(pool.map(read, folders))
    except ItemsError as error:
        sys.exit(f"error: {error}")
    problems = [problem for suite in suites for problem in problems_of(suite)]
    text = page(suites)
    if check and not problems and (not PAGE.exists() or PAGE.read_text() != text):
        problems = [f"{PAGE.relative_to(ROOT)} is not what the suites say: run `make items`"]
    if problems:
        sys.exit("\n".join(f"error: {problem}" for problem in problems))
    if not check:
        PAGE.write_text(text)


def read(folder: Path) -> Suite:
    """A suite by its folder. Raises ItemsError when its items or its tests cannot be read."""
    file = folder / "items.toml"
    try:
        said = tomllib.loads(file.read_text())
        groups = tuple(
            (group["name"], tuple(Item(what, tuple(tests)) for what, *tests in group["items"]))
            for group in said["group"]
        )
    except FileNotFoundError:
        raise ItemsError(f"{where_of(folder.name)} is missing: it says what the suite has to show") from None
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError) as error:
        where = where_of(folder.name)
        raise ItemsError(f'{where} needs [[group]] with name and items = [["what", "test", ...]]: {error!r}') from None
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    accounted = tuple(said.get("accounted", ()))
    return Suite(folder.name, project["description"], groups, accounted, collect(folder))


def collect(folder: Path) -> Counter[str]:
    """What pytest collects in the folders of tests, by the pytest.ini that each has or by the repository's settings."""
    configured = [path.parent for path in sorted(folder.glob("*tests/**/pytest.ini"))]
    others = [path for path in sorted(folder.glob("*tests")) if path not in configured]
    found = Counter[str]()
    for tests in configured:
        found += _collected(folder, tests / "pytest.ini", [str(tests)])
    if others:
        without = [f"--ignore={path}" for path in configured]
        found += _collected(folder, ROOT / "pyproject.toml", [*map(str, others), *without])
    return found


def _collected(folder: Path, settings: Path, arguments: list[str]) -> Counter[str]:
    quiet = ["--collect-only", "--quiet", "-p", "no:cacheprovider", "-c", str(settings), "--rootdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ItemsError(f"pytest cannot collect {', '.join(arguments)}:\n{done.stdout}{done.stderr}")
    ids = done.stdout.partition("\n\n")[0].splitlines()
    return Counter(test.partition("[")[0] for test in ids)


def problems_of(suite: Suite) -> list[str]:
    where = where_of(suite.name)
    untested = [f"{where}: no test shows {item.what!r}" for item in suite.items if not item.tests]
    named = [test for item in suite.items for test in item.tests]
    missing = [f"{where}: there is no test {test}" for test in dict.fromkeys(named) if not suite.cases(test)]
    unnamed = [
        f"{where} does not name {test}"
        for test in suite.collected
        if test.startswith(suite.accounted) and not any(_covers(name, test) for name in named)
    ]
    return [*untested, *missing, *unnamed]


def where_of(suite: str) -> str:
    return f"suites/{suite}/items.toml"


def page(suites: list[Suite]) -> str:
    lines = [INTRODUCTION, "| suite | what it is | items | cases |", "|---|---|---|---|"]
    for suite in suites:
        name = suite.name
        lines.append(f"| [{name}](#{name}) | {suite.description} | {len(suite.items)} | {suite.collected.total()} |")
    for suite in suites:
        lines += ["", f"## {suite.name}"]
        for name, items in suite.groups:
            lines += ["", f"### {name}", "", f"| what | tests below `suites/{suite.name}/` |", "|---|---|"]
            lines += [f"| {item.what} | {'<br>'.join(_shown(suite, test) for test in item.tests)} |" for item in items]
    return "\n".join(lines) + "\n"


def _shown(suite: Suite, test: str) -> str:
    cases = suite.cases(test)
    return f"`{test}`" if cases == 1 else f"`{test}` ({cases})"


def _covers(named: str, test: str) -> bool:
    return test == named or test.startswith((f"{named}::", f"{named}/"))


if __name__ == "__main__":
    main()
