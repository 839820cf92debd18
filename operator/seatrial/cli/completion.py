"""Names of runs for shell completion."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import typer

SECONDS = 2.0
"""A shell that waits longer seems broken."""


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs of this machine and of the cluster that the options typed so far name; none when it cannot be asked."""
    import asyncio

    from seatrial.cli.options import Where

    given: dict[str, Any] = ctx.params
    where = Where(
        given.get("namespace") or "",
        given.get("context") or "",
        given.get("kubeconfig"),
        bool(given.get("cluster")),
    )
    names = [] if where.explicit else _local()
    with suppress(Exception):  # a shell that is asked for a name shows names or nothing
        names += asyncio.run(_remote(where))
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _local() -> list[str]:
    from seatrial.cli.records import run_folders

    return [path.name for path in run_folders()]


async def _remote(where: Any) -> list[str]:
    import asyncio

    from seatrial.cli.cluster import connect

    async with asyncio.timeout(SECONDS), connect(where) as cluster:
        return [str(run["metadata"]["name"]) for run in await cluster.list_runs()]
