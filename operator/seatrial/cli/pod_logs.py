"""Logs of the pods of a run's environment."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from seatrial.cli.environment import pods_of
from seatrial.cli.exits import CliError
from seatrial.naming import NAME_LABEL, SHARD_LABEL

if TYPE_CHECKING:
    from seatrial.cli.cluster import RunCluster
    from seatrial.cli.environment import Part
    from seatrial.cli.options import Where

Object = dict[str, Any]


async def print_pod_logs(name: str, where: Where, part: Part, *, follow: bool) -> None:
    """Print the logs of a part's pods: one after the other, or all at once when they are followed."""
    from seatrial.cli.cluster import connect

    async with connect(where) as cluster:
        run = await cluster.read_run(name)
        try:
            pods = await pods_of(cluster, run, part)
        except CliError as error:
            hint = f"what tests said when they failed is kept: seatrial results {name} --failed{where.flags}"
            raise CliError(f"{error.message}; {hint}", error.exit) from None
        prefixes = [f"[{_title(pod)}] " if len(pods) > 1 else "" for pod in pods]
        jobs = [_print(cluster, pod, prefix, follow=follow) for pod, prefix in zip(pods, prefixes, strict=True)]
        if follow:
            await asyncio.gather(*jobs)
        else:
            for job in jobs:
                await job


def _title(pod: Object) -> str:
    labels = pod["metadata"].get("labels") or {}
    name = labels.get(NAME_LABEL, pod["metadata"]["name"])
    return f"{name}/{labels[SHARD_LABEL]}" if SHARD_LABEL in labels else name


async def _print(cluster: RunCluster, pod: Object, prefix: str, *, follow: bool) -> None:
    metadata, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
    lines = cluster.log(metadata["namespace"], metadata["name"], container, follow=follow)
    async with aclosing(lines):
        async for line in lines:
            # As the program has printed it, with its colours: it is asked for by name, as with kubectl.
            sys.stdout.buffer.write(prefix.encode() + line + b"\n")
            sys.stdout.buffer.flush()
