"""`seatrial init [DIR]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.options import Force


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project.")] = Path(),
    force: Force = False,
) -> None:
    """Write testrun.yaml, seatrial.toml and, where a project has no tests, a first one."""
    from seatrial.cli.starting import look_at, starting_files
    from seatrial.cli.writing import write_text

    if not folder.is_dir():
        raise CliError(f"{folder} is no folder", Exit.USAGE)
    project = look_at(folder)
    files, notes = starting_files(project)
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise CliError(f"{', '.join(there)} in {folder} would be replaced: --force does that", Exit.USAGE)
    for name, text in files.items():
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CliError(f"{target.parent} cannot be made: {error.strerror or error}") from None
        write_text(target, text)
        print(f"wrote {target}", file=sys.stderr)
    for note in notes:
        print(f"  {note}", file=sys.stderr)
    place = "" if folder == Path() else f"cd {folder} && "
    print(f"next: {place}seatrial run testrun.yaml", file=sys.stderr)
