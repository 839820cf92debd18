"""Content hashes: what an image is made of decides its key, and nothing else does."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from images.errors import ImageError
from images.settings import EPOCH

KEY_LENGTH = 16

# Folders below an input that never enter a build: what tools leave behind, and the tests of an installed package.
LEFT_BEHIND = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".venv", "build", "dist"}
IGNORED = frozenset({*LEFT_BEHIND, "tests", "unit_tests"})


def source_files(root: Path, inputs: Iterable[str]) -> Iterator[Path]:
    """Every file under the inputs (paths relative to root, files or folders), sorted, without IGNORED folders."""
    for name in sorted(inputs):
        path = root / name
        if path.is_file():
            yield path
        elif path.is_dir():
            below = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from (file for file in below if not _is_ignored(file.relative_to(path)))
        else:
            raise ImageError(f"{path} does not exist, but an image is built from it. See images/catalogue.py.")


def _is_ignored(path: Path) -> bool:
    folders = path.parts[:-1]
    return path.suffix == ".pyc" or any(part in IGNORED or part.endswith(".egg-info") for part in folders)


def mode_of(path: Path) -> int:
    """0o755 or 0o644: only the executable bit matters, the rest depends on the umask of a checkout."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def digest(parts: Mapping[str, str], root: Path, inputs: Iterable[str]) -> str:
    """Key of the named parts and the inputs' paths, modes and contents: hex, KEY_LENGTH characters."""
    total = hashlib.sha256()
    for name, value in sorted(parts.items()):
        total.update(f"{name}={value}\0".encode())
    for file in source_files(root, inputs):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(root)} {mode_of(file):o} {content}\0".encode())
    return total.hexdigest()[:KEY_LENGTH]


def stage(root: Path, inputs: Iterable[str], target: Path) -> None:
    """Copy the inputs to target, as a build context that holds exactly what the key was made of."""
    for file in source_files(root, inputs):
        copy = target / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copy.chmod(mode_of(file))
        os.utime(copy, (EPOCH, EPOCH))
