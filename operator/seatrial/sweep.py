"""Deleting what no TestRun owns any more: the operator may have been away when it was deleted."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from seatrial import metrics
from seatrial.errors import ClusterError
from seatrial.naming import RUN_UID_LABEL, is_environment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from seatrial.cluster import Cluster

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 600.0
RETRY_SECONDS = 30.0


def find_orphans(namespaces: Iterable[dict[str, Any]], uids: set[str]) -> list[str]:
    """Names of the runs' namespaces whose TestRun is gone. Those that are being deleted already are left alone.

    A label alone is no proof: whoever may label a namespace must not have it deleted by us. Its name must be ours too.
    """
    orphans = []
    for item in namespaces:
        metadata = item["metadata"]
        name, uid = str(metadata["name"]), (metadata.get("labels") or {}).get(RUN_UID_LABEL)
        ours = uid is not None and is_environment_of(name, uid)
        if ours and uid not in uids and "deletionTimestamp" not in metadata:
            orphans.append(name)
    return orphans


async def sweep(
    cluster: Cluster, retain: Callable[[set[str]], None] = lambda _: None, spared: Collection[str] = ()
) -> list[str]:
    """Delete orphaned environments; returns their names. `retain` is told the uids of all TestRuns.

    `spared` are uids that no TestRun has, and whose namespaces are in use all the same.

    Namespaces are listed before TestRuns: a run that is created meanwhile has no namespace in the first list.
    """
    namespaces = await cluster.list_environments()
    uids = await cluster.list_run_uids()
    retain(uids)
    orphans = find_orphans(namespaces, uids | set(spared))
    for name in orphans:
        logger.warning("namespace %s belongs to a TestRun that is gone; deleting it", name)
        await cluster.delete_environment(name)
        metrics.ORPHANS.inc()
    return orphans


async def sweep_forever(cluster: Cluster, retain: Callable[[set[str]], None], spared: Collection[str] = ()) -> None:
    """Sweep at once, and then every ten minutes."""
    while True:
        pause = INTERVAL_SECONDS
        try:
            await sweep(cluster, retain, spared)
        except ClusterError as error:
            logger.warning("the sweep for orphans failed: %s; trying again in %g s", error, RETRY_SECONDS)
            pause = RETRY_SECONDS
        await asyncio.sleep(pause)
