"""`seatrial report RUN -o report.html`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seatrial.cli.options import Context, InCluster, Kubeconfig, Namespace, RunName, Where


def report(
    name: RunName,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The page to write; - for standard output.")
    ] = Path("report.html"),
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    cluster: InCluster = False,
) -> None:
    """Write one self-contained page: verdict, timeline, failures with output, slowest and flaky tests, all tests."""
    from seatrial.cli.report import render
    from seatrial.cli.runs import load_record
    from seatrial.cli.writing import STDOUT, write_text

    record = load_record(name, Where(namespace, context, kubeconfig, cluster))
    write_text(output, render(record))
    if output != STDOUT:
        print(f"wrote {output}", file=sys.stderr)
