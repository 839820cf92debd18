"""Write, or check, the files that follow from the models: `python -m seatrial.api.generate [--check] REPOSITORY`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from seatrial.api.crd import crds
from seatrial.api.reference import reference

CRD_FOLDER = Path("charts/seatrial/files/crds")
REFERENCE = Path("docs/api.md")
_HEADER = "# Generated from operator/seatrial/api by `make crd`; changes belong there.\n"


def generated_files() -> dict[Path, str]:
    """All generated files: path inside the repository -> text."""
    files = {CRD_FOLDER / f"{crd['metadata']['name']}.yaml": _HEADER + _yaml(crd) for crd in crds()}
    return files | {REFERENCE: reference()}


def stale_files(repository: Path) -> list[Path]:
    """Generated files of a repository that differ from the models, and CRDs that no model stands for."""
    files = generated_files()
    stale = [
        path
        for path, text in files.items()
        if not (repository / path).is_file() or (repository / path).read_text(encoding="utf-8") != text
    ]
    left_over = [path.relative_to(repository) for path in sorted((repository / CRD_FOLDER).glob("*.yaml"))]
    return stale + [path for path in left_over if path not in files]


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns the exit status: 1 when `--check` finds a file that is out of date."""
    parser = argparse.ArgumentParser(prog="python -m seatrial.api.generate", description=__doc__)
    parser.add_argument("repository", type=Path, help="root of the repository")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    options = parser.parse_args(arguments)
    stale = stale_files(options.repository)
    if options.check:
        for path in stale:
            print(f"{path} does not follow from the models in operator/seatrial/api: run `make crd`", file=sys.stderr)
        return 1 if stale else 0
    files = generated_files()
    for path in stale:
        target = options.repository / path
        if path not in files:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(files[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice instead of writing anchors, which are hard to read in a schema."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _yaml(data: object) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    sys.exit(main())
