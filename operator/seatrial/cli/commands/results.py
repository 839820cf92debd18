"""`seatrial results`: every test of a run, for people and for other tools."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.cli.options import Context, Failed, InCluster, Kubeconfig, Namespace, RunName, Where

if TYPE_CHECKING:
    from seatrial.cli.record import RunRecord


class Format(StrEnum):
    """What results can be written as."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"
    CTRF = "ctrf"
    GITHUB = "github"


SELECTABLE = frozenset({Format.TABLE, Format.JSON})
"""The other formats are whole runs: whoever reads them would take a part for all."""

Flaky = Annotated[bool, typer.Option("--flaky", help="Only tests that passed after a failed attempt.")]
Slowest = Annotated[
    int,
    typer.Option(
        "--slowest", metavar="N", min=0, help="Only the N slowest tests, the slowest first.", show_default=False
    ),
]
OutputFormat = Annotated[Format, typer.Option("-o", "--output", help="Format of standard output.")]


def results(
    run: RunName,
    failed: Failed = False,
    flaky: Flaky = False,
    slowest: Slowest = 0,
    cluster: InCluster = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Format.TABLE,
) -> int:
    """Show the outcome of every test of a run.

    junit and ctrf are files for other tools; github prints annotations, and writes the job summary where GitHub wants
    one.
    Exits with 0 whatever the tests said: `seatrial wait` gives the verdict.
    """
    from seatrial.cli.runs import load_record
    from seatrial.cli.screen import notice

    if output not in SELECTABLE and (failed or flaky or slowest):
        raise CliError(
            f"--failed, --flaky and --slowest go with -o table and json: {output} is always the whole run", Exit.USAGE
        )
    record = load_record(run, Where(namespace, context, kubeconfig, cluster))
    if exit_of(record.status) is None:
        notice(f"{run} is not over ({record.status.get('phase') or 'not started'}): these are the results so far")
    print(render(record, output, failed=failed, flaky=flaky, slowest=slowest).rstrip("\n"))
    return Exit.PASSED


def render(record: RunRecord, output: Format, *, failed: bool = False, flaky: bool = False, slowest: int = 0) -> str:
    """A record in a format."""
    match output:
        case Format.JUNIT:
            from seatrial.cli.export.junit import export_junit

            return export_junit(record)
        case Format.CTRF:
            from seatrial.cli.export.ctrf import export_ctrf

            return export_ctrf(record)
        case Format.GITHUB:
            from seatrial.cli.export.github import export_github, write_summary

            write_summary(record)
            return export_github(record)
        case Format.JSON:
            from seatrial.cli.export.jsonout import export_json
            from seatrial.cli.result_table import select

            return export_json(select(record, failed=failed, flaky=flaky, slowest=slowest))
        case Format.TABLE:
            from seatrial.cli.result_table import result_table, select

            found = select(record, failed=failed, flaky=flaky, slowest=slowest)
            return "\n".join(result_table(found, by_time=slowest > 0))
