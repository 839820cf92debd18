"""`seatrial lint FILE...`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from seatrial.cli.exits import Exit
from seatrial.cli.options import Files, Output, OutputFormat


def lint(
    files: Files,
    output: OutputFormat = Output.TABLE,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
) -> None:
    """Check manifests as the API server does, each problem with file, line, column and what is allowed.

    Exit codes: 0 nothing wrong, 1 something is, 2 a file cannot be read.
    """
    from seatrial.cli.lint import lint as check
    from seatrial.cli.lint.objects import TEST_RUN
    from seatrial.cli.manifest import load_files

    manifests, wrong = load_files(files)
    problems = sorted([*(wrong.problems if wrong else ()), *check(manifests)])
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
    if wrong is not None and not wrong.readable:
        raise typer.Exit(Exit.CANNOT_ASK)
    if errors or (strict and problems):
        raise typer.Exit(Exit.FAILED)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
