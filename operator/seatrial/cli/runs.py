"""Which run is meant: a local one or one of a cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from seatrial.cli.exits import CliError
from seatrial.cli.progress import OVER
from seatrial.cli.records import find_record, is_free, runs_folder
from seatrial.cli.screen import notice

if TYPE_CHECKING:
    from seatrial.cli.options import Where
    from seatrial.cli.record import RunRecord


def load_record(name: str, where: Where) -> RunRecord:
    """The run of that name: where the options say, else the local one, else that of the current cluster.

    Raises CliError that names every place that was looked at.
    """
    if not where.explicit and (found := find_record(name)) is not None:
        notice(f"a local run; --cluster asks the cluster for {name}")
        if found.status.get("phase") not in OVER and is_free(runs_folder() / found.namespace / name):
            notice(f"{name} was ended before its verdict, this is what it had until then; seatrial run repeats it")
        return found
    try:
        return asyncio.run(_from_cluster(name, where))
    except CliError as error:
        if where.explicit:
            raise
        raise CliError(f"there is no local run {name} in {runs_folder()}, and {error.message}", error.exit) from None


async def _from_cluster(name: str, where: Where) -> RunRecord:
    from seatrial.cli.cluster import connect

    async with connect(where) as cluster:
        return await cluster.read_record(name)
