"""`seatrial extend`: keep the environment of a TestRun longer."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from seatrial.cli.durations import api_duration, seconds_of_duration
from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.cli.options import Context, Kubeconfig, Namespace, Output, OutputFormat, RunName, Where

Object = dict[str, Any]

DEFAULTS = {"onSuccess": "0s", "onFailure": "30m"}
"""Of spec.retention; the API server writes them into every TestRun."""
Longer = Annotated[str, typer.Argument(metavar="DURATION", help="How much longer, such as 30m.", show_default=False)]


def extend(
    run: RunName,
    duration: Longer,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    output: OutputFormat = Output.TABLE,
) -> int:
    """Keep the environment of a TestRun longer than it would be kept; its results stay in any case."""
    seconds = seconds_of_duration(duration, "DURATION")
    if not seconds:
        raise CliError("DURATION: 0 seconds longer is no longer", Exit.USAGE)
    item = asyncio.run(_extend(run, Where(namespace, context, kubeconfig), seconds))
    print(json.dumps(item, indent=2) if output is Output.JSON else f"{run}: {told(item)}")
    return Exit.PASSED


async def _extend(name: str, where: Where, seconds: int) -> Object:
    from seatrial.cli.cluster import connect

    async with connect(where) as cluster:
        item = await cluster.read_run(name)
        return await cluster.patch_spec(item, {"retention": extended(item, seconds)})


def extended(run: Object, seconds: int) -> dict[str, str]:
    """The retention of a TestRun and so many seconds more. Raises CliError when its environment is gone. Pure."""
    status = run.get("status") or {}
    if exit_of(status) is not None:
        cleaned: Object = next((item for item in status["conditions"] if item["type"] == "EnvironmentCleaned"), {})
        if cleaned.get("status") == "True" or cleaned.get("reason") != "Retained":
            raise CliError(
                f"the environment of TestRun {run['metadata']['name']} is gone or is being deleted"
                f" ({cleaned.get('message') or 'it was not kept'}); spec.retention keeps the next one"
            )
    now = {**DEFAULTS, **((run.get("spec") or {}).get("retention") or {})}
    return {key: api_duration(seconds_of_duration(now[key], f"spec.retention.{key}") + seconds) for key in DEFAULTS}


def told(run: Object) -> str:
    """Until when the environment is kept, for people. Pure."""
    status, retention = run.get("status") or {}, run["spec"]["retention"]
    code, finished = exit_of(status), (status.get("timings") or {}).get("finished")
    if code is None or not finished:
        success, failure = retention["onSuccess"], retention["onFailure"]
        return f"its environment is kept for {success} after a success, {failure} after a failure"
    kept = retention["onSuccess" if code is Exit.PASSED else "onFailure"]
    until = datetime.fromisoformat(finished) + timedelta(seconds=seconds_of_duration(kept, "spec.retention"))
    return f"its environment is kept until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
