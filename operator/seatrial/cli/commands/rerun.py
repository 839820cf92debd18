"""`seatrial rerun`: the same TestRun once more, or its failed tests alone."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from seatrial.cli.commands.wait import follow_on, tell_end
from seatrial.cli.durations import seconds_of_duration
from seatrial.cli.exits import Exit
from seatrial.cli.options import (
    Context,
    Failed,
    Kubeconfig,
    Namespace,
    Output,
    OutputFormat,
    RunName,
    Timeout,
    Where,
)

Wait = Annotated[bool, typer.Option("--wait", help="Wait for its end and exit as `seatrial wait` does.")]


def rerun(
    run: RunName,
    failed: Failed = False,
    wait: Wait = False,
    timeout: Timeout = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """Create a TestRun with the same spec under a new name, and print that name.

    With --failed each suite gets the node ids of its failed tests; suites in which all tests passed are left out.
    """
    seconds = seconds_of_duration(timeout, "--timeout") if timeout else None
    where = Where(namespace, context, kubeconfig)
    item = asyncio.run(_rerun(run, where, seconds, failed=failed, wait=wait))
    if wait:
        return tell_end(item, output)
    print(json.dumps(item, indent=2) if output is Output.JSON else item["metadata"]["name"])
    return Exit.PASSED


async def _rerun(name: str, where: Where, seconds: float | None, *, failed: bool, wait: bool) -> dict[str, Any]:
    from seatrial.cli.again import again
    from seatrial.cli.cluster import connect
    from seatrial.cli.screen import notice

    async with connect(where) as cluster:
        record = await cluster.read_record(name)
        wanted, notes = again(record, failed=failed)
        for note in notes:
            notice(note)
        item = await cluster.create(wanted)
        if not wait:
            return item
        notice(f"TestRun {item['metadata']['name']}")
        return await follow_on(cluster, item["metadata"]["name"], seconds)
