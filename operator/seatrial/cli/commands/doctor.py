"""`seatrial doctor [FILE...]`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.cli.exits import Exit
from seatrial.cli.options import Context, InCluster, Kubeconfig, Namespace, Output, OutputFormat, Where

if TYPE_CHECKING:
    from seatrial.cli.doctor import Check

_MARKS = {"ok": ("✓", typer.colors.GREEN), "warn": ("!", typer.colors.YELLOW), "fail": ("✗", typer.colors.RED)}


def doctor(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Manifests whose services this machine must have.", show_default=False),
    ] = None,
    output: OutputFormat = Output.TABLE,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    cluster: InCluster = False,
    operator_namespace: Annotated[
        str,
        typer.Option(
            "--operator-namespace",
            metavar="NAME",
            help="Where the operator is installed; looked for when absent.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Check this machine for local runs, and the cluster where there is a kubeconfig.

    Exit codes: 0 ready, 2 something is missing without which nothing can run.
    """
    from seatrial.cli.doctor import State, examine

    checks = examine(Where(namespace, context, kubeconfig, cluster), files or (), operator_namespace)
    failed = any(check.state is State.FAIL for check in checks)
    if output is Output.JSON:
        print(json.dumps({"ready": not failed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _show(checks)
    if failed:
        raise typer.Exit(Exit.CANNOT_ASK)


def _show(checks: list[Check]) -> None:
    width = max(len(check.name) for check in checks)
    area = ""
    for check in checks:
        if check.area != area:
            typer.echo(f"{'' if not area else chr(10)}{check.area}")
            area = check.area
        mark, color = _MARKS[check.state]
        shown = typer.style(mark, fg=color) if sys.stdout.isatty() else f"{check.state:4}"
        typer.echo(f"  {shown} {check.name:{width}}  {check.seen}")
        if check.next:
            typer.echo(f"  {' ' * (1 if sys.stdout.isatty() else 4)} {'':{width}}  -> {check.next}")
