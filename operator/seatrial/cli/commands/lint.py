"""`seatrial lint FILE...`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.cli.exits import Exit
from seatrial.cli.options import Output, OutputFormat

if TYPE_CHECKING:
    from seatrial.cli.manifest import Manifest, Problem


def lint(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Manifests; - for standard input.", show_default=False)
    ],
    output: OutputFormat = Output.TABLE,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
) -> None:
    """Check manifests as the API server does, each problem with file, line, column and what is allowed.

    Exit codes: 0 nothing wrong, 1 something is, 2 a file cannot be read.
    """
    from seatrial.cli.lint import lint as check
    from seatrial.cli.lint.objects import TEST_RUN
    from seatrial.cli.manifest import ManifestError, load_manifests

    manifests: list[Manifest] = []
    problems: list[Problem] = []
    readable = True
    for path in dict.fromkeys(files):
        try:
            manifests += load_manifests(path)
        except ManifestError as error:
            problems += error.problems
            readable = readable and error.readable
    problems = sorted([*problems, *check(manifests)])
    errors = [problem for problem in problems if problem.severity == "error"]
    runs = sum(manifest.kind == TEST_RUN for manifest in manifests)
    if output is Output.JSON:
        listed = [asdict(problem) | {"source": str(problem.source)} for problem in problems]
        print(json.dumps({"valid": not errors, "testRuns": runs, "problems": listed}, indent=2))
    else:
        for problem in problems:
            print(problem)
        if not problems:
            print(f"{_count(runs, 'TestRun')} in {_count(len(files), 'file')}: nothing wrong", file=sys.stderr)
    if not readable:
        raise typer.Exit(Exit.CANNOT_ASK)
    if errors or (strict and problems):
        raise typer.Exit(Exit.FAILED)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
