"""`seatrial status`: the TestRuns of a namespace, or one of them in full."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from seatrial.cli.exits import CliError, Exit
from seatrial.cli.options import (
    AllNamespaces,
    Context,
    InCluster,
    Kubeconfig,
    Namespace,
    Output,
    OutputFormat,
    RunName,
    Selector,
    Where,
)


def status(
    run: RunName = "",
    all_namespaces: AllNamespaces = False,
    selector: Selector = "",
    cluster: InCluster = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """Show one run in full, or the TestRuns of a cluster; the runs of this machine where no cluster can be asked.

    A local run comes first when it has the name that is asked for and no option names a cluster.
    """
    where = Where(namespace, context, kubeconfig, cluster)
    if run:
        if all_namespaces or selector:
            raise CliError("RUN is one run: leave out -A and -l", Exit.USAGE)
        _show(run, where, output)
    else:
        _list(where, selector, output, everywhere=all_namespaces)
    return Exit.PASSED


def _show(name: str, where: Where, output: Output) -> None:
    from seatrial.cli.describe import describe
    from seatrial.cli.runs import load_record
    from seatrial.cli.screen import now

    record = load_record(name, where)
    if output is Output.JSON:
        print(json.dumps(record.run, indent=2))
        return
    print("\n".join(describe(record.run, now())))


def _list(where: Where, selector: str, output: Output, *, everywhere: bool) -> None:
    from seatrial.cli.describe import list_runs
    from seatrial.cli.records import read_record, run_folders
    from seatrial.cli.screen import notice, now

    try:
        runs, place = asyncio.run(_read(where, selector, everywhere=everywhere))
    except CliError as error:
        folders = run_folders()
        if where.explicit or selector or everywhere or not folders:
            raise
        notice(f"{error.message}; these are the runs of this machine")
        runs, place = [read_record(folder).run for folder in folders], "this machine"
    if output is Output.JSON:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": runs}, indent=2))
    elif runs:
        print("\n".join(list_runs(runs, now(), namespaces=everywhere)))
    else:
        notice(f"no TestRuns in {place}")


async def _read(where: Where, selector: str, *, everywhere: bool) -> tuple[list[dict[str, Any]], str]:
    from seatrial.cli.cluster import connect

    async with connect(where) as cluster:
        place = "any namespace" if everywhere else f"namespace {cluster.namespace}"
        return await cluster.list_runs(selector, everywhere=everywhere), f"{place} of {cluster.server}"
