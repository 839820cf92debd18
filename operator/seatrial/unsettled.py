"""TestRuns whose finalizer is not as it should be, and that nobody would tell us of again.

kopf puts the finalizer on and takes it off when it hears of the object. When the API server refuses that (a conflict,
an admission webhook that is being replaced), kopf drops the event: without another one the run would never be started,
or never be gone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from seatrial.errors import ClusterError

if TYPE_CHECKING:
    from seatrial.cluster import Cluster
    from seatrial.naming import RunId

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
INTERVAL_SECONDS = 2.0


class Unsettled:
    """The runs, and since when."""

    def __init__(self) -> None:
        self._since: dict[RunId, float] = {}

    def observe(self, run: RunId, *, settled: bool, now: float) -> None:
        """Note how a run's finalizer stands."""
        if settled:
            self._since.pop(run, None)
        else:
            self._since.setdefault(run, now)

    def take_overdue(self, now: float) -> list[RunId]:
        """Those that have waited long enough; their time begins anew."""
        overdue = [run for run, since in self._since.items() if now - since >= PATIENCE_SECONDS]
        self._since |= dict.fromkeys(overdue, now)
        return overdue


async def touch_forever(cluster: Cluster, unsettled: Unsettled) -> None:
    """Change what is overdue, so that a watch tells of it again."""
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        for run in unsettled.take_overdue(time.monotonic()):
            logger.warning("%s: its finalizer could not be changed for %g s; trying again", run, PATIENCE_SECONDS)
            try:
                await cluster.touch_run(run)
            except ClusterError as error:
                logger.warning("%s: %s", run, error)
