"""What the repository must look like, and why."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import seatrial

ROOT = Path(__file__).parents[3]
PACKAGE = Path(seatrial.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
MOUNTED = "inpod"
"""Its files are mounted into suite images one by one, so that each is whole in itself."""
MAX_LINES = 350
"""A module has one job; what grows beyond this has two."""


def test_the_folder_operator_is_no_package() -> None:
    """With an `__init__.py` it would shadow the standard library's module of that name."""
    assert not (ROOT / "operator/__init__.py").exists()
    spec = importlib.util.find_spec("operator")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(Path(sys.base_prefix))


def test_all_code_of_the_operator_is_in_one_package() -> None:
    assert ROOT / "operator/seatrial" == PACKAGE
    assert (PACKAGE / "py.typed").exists()
    strays = [path.name for path in (ROOT / "operator").glob("*.py")]
    assert strays == []


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent.name != MOUNTED], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_every_module_has_one_job(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES
    assert path.stem not in {"utils", "util", "helpers", "common_utils", "misc"}


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=str)
def test_every_folder_of_code_is_a_package(folder: Path) -> None:
    """A namespace package would be left out of the distribution without a word."""
    assert (folder / "__init__.py").exists()


def test_tests_are_packages() -> None:
    """Test modules of the same name in two folders are told apart by their package."""
    tests = ROOT / "operator/tests"
    folders = {path.parent for path in tests.rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
