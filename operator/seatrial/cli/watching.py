"""Waiting for the end of a TestRun, through watches that break and API servers that restart."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from seatrial.cli.exits import CliError, exit_of
from seatrial.errors import ClusterError, ForbiddenError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from seatrial.cli.live import Progress
    from seatrial.cli.options import Where

Object = dict[str, Any]

WATCH_SECONDS = 25
"""One watch; then the TestRun is read again. So the end is seen also when a connection dies without a word."""
GRACE_SECONDS = 5.0
"""How much longer a watch may be silent before the connection is given up."""
PATIENCE_SECONDS = 120.0
"""How long an API server may be away."""
UNTOUCHED_SECONDS = 15.0
"""How long a TestRun may stay as it was created before it is said that no operator looks after it."""
PAUSES = (0.1, 0.3, 1.0, 2.0)
"""After watches that break at once, one after the other."""
LONG_ENOUGH_SECONDS = 1.0
"""A watch that has lived so long broke by itself: the next one needs no pause."""


class WatchedCluster(Protocol):
    """What watching needs of a cluster."""

    namespace: str
    server: str
    where: Where

    async def look(self, name: str) -> tuple[Object | None, str]:
        """A TestRun, or None, and the version from which a watch goes on. Raises ClusterError."""

    def watch(self, name: str, version: str, seconds: int) -> AsyncGenerator[tuple[str, Object], None]:
        """Types of events and TestRuns. Raises ClusterError, or ends."""

    def explain(self, error: ClusterError, what: str) -> CliError:
        """An answer of the API server as an error for people."""


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds."""

    total: float | None = None
    untouched: float = UNTOUCHED_SECONDS
    unavailable: float = PATIENCE_SECONDS


async def wait_for_end(cluster: WatchedCluster, name: str, progress: Progress, patience: Patience) -> Object:
    """The TestRun with its verdict. Raises CliError when there will be none, or not in time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    end = None if patience.total is None else began + patience.total
    untouched = began + patience.untouched
    latest: Object = {}
    limit = asyncio.timeout_at(untouched if end is None else min(end, untouched))
    try:
        async with limit, aclosing(states(cluster, name, progress, patience.unavailable)) as runs:
            async for run in runs:
                latest = run
                status = run.get("status") or {}
                progress.show(status)
                if exit_of(status) is not None:
                    return run
                if is_touched(status):
                    limit.reschedule(end)
    except TimeoutError:
        if not limit.expired():
            raise
    raise _too_late(cluster, name, latest, patience, over=end is not None and loop.time() >= end)


def is_touched(status: Object) -> bool:
    """Whether an operator has seen the run."""
    return int(status.get("observedGeneration", -1)) >= 0 or bool(status.get("conditions"))


def _too_late(cluster: WatchedCluster, name: str, run: Object, patience: Patience, *, over: bool) -> CliError:
    flags = cluster.where.flags
    status = run.get("status") or {}
    if not run:
        return CliError(f"the cluster at {cluster.server} has not answered in time; TestRun {name} may go on")
    if is_touched(status):
        said = ": ".join(part for part in (status.get("phase"), status.get("message")) if part)
        return CliError(
            f"TestRun {cluster.namespace}/{name} was not over after {patience.total:g} s ({said}). It goes on: "
            f"seatrial wait {name}{flags}, or seatrial cancel {name}{flags}"
        )
    seconds = patience.total if over and patience.total is not None else patience.untouched
    return CliError(
        f"no operator has taken up TestRun {cluster.namespace}/{name} for {seconds:g} s. Is it running, and does it "
        f"look after namespace {cluster.namespace}? See: kubectl get deployments -A -l app.kubernetes.io/name=seatrial"
        f"{cluster.where.cluster_flags}"
    )


async def states(
    cluster: WatchedCluster, name: str, progress: Progress, patience: float
) -> AsyncGenerator[Object, None]:
    """A TestRun as it is now, and whenever it has changed. Raises CliError when it is gone or its server stays away."""
    uid, seen = "", None
    answered = time.monotonic()
    breaks = 0
    while True:
        try:
            run, version = await cluster.look(name)
        except UnavailableError as error:
            if not uid or time.monotonic() - answered > patience:
                raise cluster.explain(error, "") from None
            progress.say(f"the cluster at {cluster.server} does not answer; trying again, the run is not affected")
            continue  # the request itself has tried several times, with pauses
        except ClusterError as error:
            raise cluster.explain(error, f"TestRun {cluster.namespace}/{name} cannot be watched") from None
        answered = time.monotonic()
        run = _the_same(cluster, name, run, uid)
        uid = run["metadata"]["uid"]
        if run["metadata"]["resourceVersion"] != seen:
            seen = run["metadata"]["resourceVersion"]
            yield run
        began = time.monotonic()
        async with aclosing(_events(cluster, name, version)) as events:
            async for kind, item in events:
                run = _the_same(cluster, name, None if kind == "DELETED" else item, uid)
                seen = run["metadata"]["resourceVersion"]
                yield run
        if time.monotonic() - began < LONG_ENOUGH_SECONDS:
            await asyncio.sleep(PAUSES[min(breaks, len(PAUSES) - 1)])
            breaks += 1
        else:
            breaks = 0


async def _events(cluster: WatchedCluster, name: str, version: str) -> AsyncGenerator[tuple[str, Object], None]:
    """The events of one watch until it ends, for whatever reason: whoever reads them looks again afterwards."""
    try:
        async with aclosing(cluster.watch(name, version, WATCH_SECONDS)) as events:
            while True:
                async with asyncio.timeout(WATCH_SECONDS + GRACE_SECONDS):
                    event = await anext(events, None)
                if event is None or event[0] == "ERROR":  # such as 410 Gone: the version is too old
                    return
                if event[0] != "BOOKMARK":
                    yield event
    except ForbiddenError as error:
        raise cluster.explain(error, f"TestRun {cluster.namespace}/{name} cannot be watched") from None
    except (ClusterError, TimeoutError, json.JSONDecodeError):
        return


def _the_same(cluster: WatchedCluster, name: str, run: Object | None, uid: str) -> Object:
    """The TestRun, if it is there and still the one that it was."""
    what = f"TestRun {cluster.namespace}/{name}"
    if run is not None and (not uid or run["metadata"]["uid"] == uid):
        if run["metadata"].get("deletionTimestamp") and exit_of(run.get("status") or {}) is None:
            raise CliError(f"{what} is being deleted; there will be no verdict")
        return run
    if not uid:
        raise CliError(f"there is no {what} at {cluster.server}; see: seatrial status -A{cluster.where.cluster_flags}")
    if run is None:
        raise CliError(f"{what} was deleted before it was over; its results are gone with it")
    raise CliError(f"{what} was deleted before it was over, and another one has its name")
