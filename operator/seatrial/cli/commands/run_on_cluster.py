"""`seatrial run --cluster`: apply manifests and follow their TestRuns to the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.cli.exits import CliError, Exit, exit_of
from seatrial.cli.options import Output, Where
from seatrial.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from seatrial.cli.cluster import RunCluster

Object = dict[str, Any]


@dataclass(frozen=True)
class ClusterOptions:
    """How to run manifests on a cluster."""

    where: Where = field(default_factory=Where)
    timeout_seconds: float | None = None
    """Of waiting for each run."""
    output: Output = Output.TABLE


def apply_and_follow(paths: Sequence[Path], options: ClusterOptions) -> Exit | int:
    """Apply what is in some files, TestRuns last, and follow each TestRun; the worst exit code of them.

    Raises CliError for files that cannot be read or hold no TestRun, and for what the cluster refuses.
    """
    from seatrial.cli.applying import read_objects
    from seatrial.cli.commands.wait import interrupted, tell_ends
    from seatrial.cli.ends import INTERRUPTED, interrupts
    from seatrial.cli.screen import notice

    objects = read_objects(paths)
    started: list[str] = []
    try:
        with interrupts():
            runs = asyncio.run(_apply_and_follow(objects, options, started))
    except KeyboardInterrupt:
        for name in started:
            notice(interrupted(name, options.where))
        return INTERRUPTED
    return tell_ends(runs, options.output)


async def _apply_and_follow(objects: list[Object], options: ClusterOptions, started: list[str]) -> list[Object]:
    from seatrial.cli.cluster import connect
    from seatrial.cli.commands.wait import follow_on

    async with connect(options.where) as cluster:
        placed = [_placed(item, cluster.namespace) for item in objects]
        for run in (item for item in placed if item["kind"] == "TestRun"):
            await _refuse_finished(cluster, run)
        names = []
        for item in placed:  # what a run needs comes first, see read_objects
            applied = await (cluster.apply(item) if "name" in item["metadata"] else cluster.create(item))
            if item["kind"] == "TestRun":
                names.append(str(applied["metadata"]["name"]))
        started += names
        return [await follow_on(cluster, name, options.timeout_seconds) for name in names]


def _placed(item: Object, namespace: str) -> Object:
    """An object in its namespace. Raises CliError when it names another one: its run would not be found there."""
    own = item["metadata"].get("namespace")
    if own and own != namespace:
        raise CliError(
            f"{item['kind']} {item['metadata'].get('name', '')} is of namespace {own}, and {namespace} is asked for: "
            f"add -n {own}",
            Exit.USAGE,
        )
    return {**item, "metadata": {**item["metadata"], "namespace": namespace}}


async def _refuse_finished(cluster: RunCluster, run: Object) -> None:
    """A TestRun is one execution: applied once more it would stay what it is, and its old verdict would be told."""
    name = run["metadata"].get("name")
    if not name:
        return
    try:
        there, _ = await cluster.look(name)
    except ClusterError as error:
        raise cluster.explain(error, f"TestRun {cluster.namespace}/{name} cannot be read") from None
    if there is not None and exit_of(there.get("status") or {}) is not None:
        flags = cluster.where.flags
        raise CliError(
            f"TestRun {cluster.namespace}/{name} is over already ({there['status'].get('phase')}), and one TestRun is "
            f"one execution. Delete it first: seatrial clean {name}{flags}; or repeat it: "
            f"seatrial rerun {name} --wait{flags}; or write metadata.generateName instead of name"
        )
