"""`seatrial diff`: what has changed from one run to another."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seatrial.cli.completion import complete_run
from seatrial.cli.exits import Exit
from seatrial.cli.options import Context, InCluster, Kubeconfig, Namespace, Output, OutputFormat, Where

Before = Annotated[
    str, typer.Argument(metavar="RUN", help="The earlier run.", show_default=False, autocompletion=complete_run)
]
After = Annotated[
    str, typer.Argument(metavar="RUN", help="The later run.", show_default=False, autocompletion=complete_run)
]


def diff(
    before: Before,
    after: After,
    cluster: InCluster = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """Compare two runs: tests that newly fail or pass, that are new, gone or slower than twice.

    Exits with 1 when a test fails that did not fail before.
    """
    from seatrial.cli.comparison import as_json, as_lines, compare
    from seatrial.cli.runs import load_record

    where = Where(namespace, context, kubeconfig, cluster)
    first, second = load_record(before, where), load_record(after, where)
    found = compare(first, second)
    print(
        json.dumps(as_json(found, first, second), indent=2)
        if output is Output.JSON
        else "\n".join(as_lines(found, first, second))
    )
    return Exit.FAILED if found.newly_failing else Exit.PASSED
