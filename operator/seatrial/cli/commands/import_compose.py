"""`seatrial import compose docker-compose.yml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seatrial.cli.options import Force

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def import_() -> None:
    """Make a TestRun from what a project has."""


@app.command()
def compose(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The compose file.")] = Path("docker-compose.yml"),
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The manifest to write; - for standard output.")
    ] = Path("-"),
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="Name of the TestRun; the project's when absent.", show_default=False
        ),
    ] = "",
    force: Force = False,
) -> None:
    """Make a TestRun from a compose file. What could not be taken over is listed on standard error."""
    from seatrial.cli.compose import convert, read_compose
    from seatrial.cli.dump import dump_documents
    from seatrial.cli.writing import STDOUT, write_text

    imported = convert(read_compose(file), name)
    head = f"# Made by `seatrial import compose {file.name}`."
    write_text(output, dump_documents(imported.documents, head), overwrite=force or output == STDOUT)
    if imported.notes:
        print("not taken over as it was:", file=sys.stderr)
        for note in imported.notes:
            print(f"  {note}", file=sys.stderr)
    if output != STDOUT:
        print(f"wrote {output}; next: seatrial lint {output}", file=sys.stderr)
