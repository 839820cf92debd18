"""`seatrial wait`: until the end of a TestRun of a cluster."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from seatrial.cli.durations import seconds_of_duration
from seatrial.cli.ends import INTERRUPTED, interrupts
from seatrial.cli.exits import Exit, exit_of
from seatrial.cli.options import Context, Kubeconfig, Namespace, Output, OutputFormat, RunName, Timeout, Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.cli.cluster import RunCluster


def wait(
    run: RunName,
    timeout: Timeout = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """Wait for the end of a TestRun and show its progress.

    Exits with 0 when it has passed, 1 when tests have failed, and 2 when there is no answer: the run has ended in
    Error, was cancelled or deleted, or was not over in time.
    """
    where = Where(namespace, context, kubeconfig)
    seconds = seconds_of_duration(timeout, "--timeout") if timeout else None
    return follow_to_end(run, where, seconds, output)


def follow_to_end(name: str, where: Where, seconds: float | None, output: Output) -> int:
    """Show a TestRun's progress until its end, then its verdict on standard output; returns the exit code."""
    from seatrial.cli.screen import notice

    try:
        with interrupts():
            run = asyncio.run(_follow(name, where, seconds))
    except KeyboardInterrupt:
        notice(interrupted(name, where))
        return INTERRUPTED
    return tell_end(run, output)


def interrupted(name: str, where: Where) -> str:
    """What people should know after Ctrl-C."""
    flags = where.flags
    return f"interrupted; TestRun {name} goes on: seatrial wait {name}{flags}, or seatrial cancel {name}{flags}"


def tell_end(run: dict[str, Any], output: Output) -> int:
    """The verdict of a TestRun on standard output; returns its exit code."""
    from seatrial.cli.export.texts import one_line
    from seatrial.cli.progress import verdict_text

    status = run["status"]
    if output is Output.JSON:
        print(json.dumps(run, indent=2))
    elif not (sys.stdout.isatty() and sys.stderr.isatty()):  # there the progress has ended with it already
        text = f"{run['metadata']['name']}: {one_line(verdict_text(status), 2000)}"
        print(text)
    return _code(run)


def tell_ends(runs: Sequence[dict[str, Any]], output: Output) -> int:
    """The verdicts of TestRuns, in JSON as one object; returns the worst exit code."""
    if output is Output.JSON and len(runs) > 1:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": runs}, indent=2))
        return max(_code(run) for run in runs)
    return max(tell_end(run, output) for run in runs)


def _code(run: dict[str, Any]) -> int:
    code = exit_of(run["status"])
    return Exit.CANNOT_ASK if code is None else code


async def _follow(name: str, where: Where, seconds: float | None) -> dict[str, Any]:
    from seatrial.cli.cluster import connect

    async with connect(where) as cluster:
        return await follow_on(cluster, name, seconds)


async def follow_on(cluster: RunCluster, name: str, seconds: float | None) -> dict[str, Any]:
    """The same with a cluster that is connected already."""
    from seatrial.cli.live import progress_on
    from seatrial.cli.watching import Patience, wait_for_end

    with progress_on() as progress:
        return await wait_for_end(cluster, name, progress, Patience(total=seconds))
