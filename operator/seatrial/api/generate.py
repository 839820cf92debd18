"""The command that both generators share: write what follows from the models, or check that it is there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Files = dict[Path, str]

HEADER = "Generated from operator/seatrial/api by `make crd`; changes belong there."


def stale_files(target: Path, files: Mapping[Path, str]) -> list[Path]:
    """Files that differ from what they should be, and left-over YAML files in a target that is a folder."""
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    return stale + [path for path in sorted(target.glob("*.yaml")) if path not in files]


def run(program: str, generate: Callable[[Path], Files], arguments: list[str] | None = None) -> int:
    """Run `program [--check] TARGET`. Returns the exit status: 1 when `--check` finds a file that is out of date."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument("target", type=Path, help="what to write: a folder for CRDs, a file for the reference")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    options = parser.parse_args(arguments)
    files = generate(options.target)
    stale = stale_files(options.target, files)
    if options.check:
        for path in stale:
            print(f"{path} does not follow from the models in operator/seatrial/api: run `make crd`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
            print(f"wrote {path}")
        else:
            path.unlink()
            print(f"removed {path}")
    return 0
