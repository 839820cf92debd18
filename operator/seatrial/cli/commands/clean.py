"""`seatrial clean`: delete TestRuns, with their results and what is left of their environments."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seatrial.cli.durations import seconds_of_duration
from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.cli.options import (
    AllNamespaces,
    Context,
    Kubeconfig,
    Namespace,
    Output,
    OutputFormat,
    Selector,
    Where,
    Yes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Object = dict[str, Any]

Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN", help="Names of TestRuns.", show_default=False)]
Finished = Annotated[bool, typer.Option("--finished", help="Those that are over.")]
OlderThan = Annotated[
    str,
    typer.Option(
        "--older-than", metavar="DURATION", help="Those that were over before so long, such as 7d.", show_default=False
    ),
]


def clean(
    runs: Runs = None,
    selector: Selector = "",
    finished: Finished = False,
    older_than: OlderThan = "",
    all_namespaces: AllNamespaces = False,
    yes: Yes = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """Delete TestRuns of a cluster. It asks before, unless --yes is given."""
    if bool(runs) == bool(selector or finished or older_than):
        raise CliError("say which TestRuns: RUN..., or any of -l, --finished and --older-than", Exit.USAGE)
    if runs and all_namespaces:
        raise CliError("RUN is of one namespace: leave out -A, or use -n", Exit.USAGE)
    if not yes and not sys.stdin.isatty():
        raise CliError("there is no terminal to ask: add --yes", Exit.USAGE)
    seconds = seconds_of_duration(older_than, "--older-than") if older_than else None
    where = Where(namespace, context, kubeconfig)
    deleted = asyncio.run(
        _clean(where, runs or [], selector, seconds, finished=finished, everywhere=all_namespaces, yes=yes)
    )
    names = [f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in deleted]
    if output is Output.JSON:
        print(json.dumps({"deleted": names}, indent=2))
    else:
        print("\n".join(f"{name} deleted" for name in names) or "nothing to delete")
    return Exit.PASSED


async def _clean(
    where: Where,
    names: Sequence[str],
    selector: str,
    seconds: int | None,
    *,
    finished: bool,
    everywhere: bool,
    yes: bool,
) -> list[Object]:
    from seatrial.cli.cluster import connect
    from seatrial.cli.describe import list_runs
    from seatrial.cli.screen import notice, now

    async with connect(where) as cluster:
        if names:
            chosen = [await cluster.read_run(name) for name in dict.fromkeys(names)]
        else:
            found = await cluster.list_runs(selector, everywhere=everywhere)
            chosen = choose(found, now(), finished=finished, seconds=seconds)
        if not chosen:
            return []
        if not yes:
            notice("\n".join(list_runs(chosen, now(), namespaces=True)))
            typer.confirm(f"Delete {len(chosen)} TestRuns with their results?", abort=True, err=True)
        await asyncio.gather(*(cluster.delete(item) for item in chosen))
        return chosen


def choose(runs: Sequence[Object], now: float, *, finished: bool, seconds: int | None) -> list[Object]:
    """Those that are over, where that is asked for, and for so long. Pure."""
    return [run for run in runs if not (finished or seconds is not None) or _is_over(run, now, seconds or 0)]


def _is_over(run: Object, now: float, seconds: int) -> bool:
    from seatrial.cli.cases import seconds_of

    status = run.get("status") or {}
    if exit_of(status) is None:
        return False
    ended = seconds_of((status.get("timings") or {}).get("finished")) or seconds_of(
        run["metadata"].get("creationTimestamp")
    )
    return ended is not None and now - ended >= seconds
