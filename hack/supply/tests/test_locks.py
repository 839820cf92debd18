"""Everything that is fetched is pinned: packages by hash, actions by commit, programs by module checksums."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.supply.locks import REQUIREMENTS, Pin, read

ROOT = Path(__file__).parents[3]
LOCKS = sorted(REQUIREMENTS.glob("*.lock"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
PINNED = re.compile(
    r"^\s*(?:- )?uses: (?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40})  # (?P<tag>v[0-9]+\.[0-9]+\.[0-9]+)$"
)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_has_one_version_and_its_hashes(path: Path) -> None:
    pins = read(path)
    assert pins
    assert [pin.name for pin in pins if not pin.hashes] == []
    assert len({(pin.name, pin.marker) for pin in pins}) == len(pins)


def test_a_lock_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text('# c\nA_b[c]==1.0 ; sys_platform == "win32" \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n')
    assert read(path) == [Pin("a-b", "1.0", 'sys_platform == "win32"', 2)]
    path.write_text("a>=1\n")
    with pytest.raises(ValueError, match="'a>=1' pins no version"):
        read(path)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_a_commit(path: Path) -> None:
    uses = [line for line in path.read_text().splitlines() if re.match(r"^\s*(- )?uses:", line)]
    assert uses
    for line in uses:
        assert PINNED.match(line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_one_action_is_one_commit(path: Path) -> None:
    found: dict[str, set[str]] = {}
    for line in path.read_text().splitlines():
        if match := PINNED.match(line):
            found.setdefault(match["action"], set()).add(match["commit"])
    assert {action for action, commits in found.items() if len(commits) > 1} == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_do_nothing_but_read(path: Path) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    triggers = workflow[True]  # YAML 1.1 reads `on` as a truth value
    assert "pull_request_target" not in triggers
    for name, job in workflow["jobs"].items():
        assert "permissions" not in job, name
        assert "timeout-minutes" in job, name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name
            # Text from outside may hold anything; in a script it would be code.
            assert "${{ github.event." not in step.get("run", ""), name


def test_programs_that_are_built_have_checksums() -> None:
    modules = sorted((ROOT / "hack").rglob("go.mod"))
    assert len(modules) > 4
    for module in modules:
        requires = "require" in module.read_text()
        assert (module.parent / "go.sum").is_file() == requires, module
