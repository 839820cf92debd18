"""`seatrial cancel`: end a TestRun now."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.cli.options import Context, Kubeconfig, Namespace, Output, OutputFormat, RunName, Where

Wait = Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")]


def cancel(
    run: RunName,
    wait: Wait = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """End a TestRun now, as Cancelled, with the results so far."""
    item = asyncio.run(_cancel(run, Where(namespace, context, kubeconfig), wait=wait))
    if output is Output.JSON:
        print(json.dumps(item, indent=2))
    else:
        print(f"{run}: {'Cancelled' if wait else 'is being cancelled'}")
    return Exit.PASSED


async def _cancel(name: str, where: Where, *, wait: bool) -> dict[str, Any]:
    from seatrial.cli.cluster import connect
    from seatrial.cli.commands.wait import follow_on

    async with connect(where) as cluster:
        item = await cluster.read_run(name)
        status = item.get("status") or {}
        if exit_of(status) is not None:
            raise CliError(
                f"TestRun {cluster.namespace}/{name} is over already ({status.get('phase')}): nothing to cancel"
            )
        item = await cluster.patch_spec(item, {"cancel": True})
        return await follow_on(cluster, name, None) if wait else item
