from pathlib import Path

import pytest

from images import keys
from images.errors import ImageError
from images.settings import EPOCH


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for name in ("package/module.py", "package/tests/test_module.py", "package/__pycache__/module.pyc", "lock"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return root


def test_key_depends_on_content_path_mode_and_named_parts(tree: Path) -> None:
    seen = [keys.digest({"base": "a"}, tree, ["package", "lock"])]
    (tree / "lock").write_text("other")
    seen.append(keys.digest({"base": "a"}, tree, ["package", "lock"]))
    (tree / "lock").rename(tree / "package/lock")
    seen.append(keys.digest({"base": "a"}, tree, ["package"]))
    (tree / "package/lock").chmod(0o755)
    seen.append(keys.digest({"base": "a"}, tree, ["package"]))
    seen.append(keys.digest({"base": "b"}, tree, ["package"]))
    assert len(set(seen)) == len(seen)
    assert {len(key) for key in seen} == {keys.KEY_LENGTH}


def test_key_ignores_tests_of_a_package_leftovers_times_and_the_umask(tree: Path) -> None:
    before = keys.digest({}, tree, ["package", "lock"])
    (tree / "package/tests/test_module.py").write_text("changed")
    (tree / "package/__pycache__/module.pyc").write_bytes(b"changed")
    (tree / "lock").write_text("lock")
    (tree / "lock").chmod(0o600)
    assert keys.digest({}, tree, ["lock", "package"]) == before


def test_tests_are_an_input_when_they_are_asked_for(tree: Path) -> None:
    before = keys.digest({}, tree, ["package/tests"])
    (tree / "package/tests/test_module.py").write_text("changed")
    assert keys.digest({}, tree, ["package/tests"]) != before


def test_staged_context_holds_what_the_key_was_made_of(tree: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    keys.stage(tree, ["package", "lock"], context)
    assert {str(file.relative_to(context)) for file in context.rglob("*") if file.is_file()} == {
        "lock",
        "package/module.py",
    }
    assert keys.digest({}, context, ["package", "lock"]) == keys.digest({}, tree, ["package", "lock"])
    assert (context / "lock").stat().st_mtime == EPOCH


def test_missing_input_is_named(tree: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.lock does not exist"):
        keys.digest({}, tree, ["nowhere.lock"])
