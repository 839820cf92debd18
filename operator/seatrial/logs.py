"""One run's memory between passes: what its logs have said, what was done, and when to look again."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from seatrial.environment import EnvironmentState, fold_environment
from seatrial.errors import ClusterError, ConflictError, UnavailableError
from seatrial.evidence import Room, ShardEvidence
from seatrial.follow import Followers, LogKey
from seatrial.lines import RecordError, decode
from seatrial.naming import ENVIRONMENT, RELAY_CONTAINER, RunId
from seatrial.records import Collected, End, Finish, JunitError
from seatrial.slices import SliceWriter, restore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from seatrial.cluster import Cluster
    from seatrial.observe import PodView
    from seatrial.plan import Plan
    from seatrial.plan.model import Object

logger = logging.getLogger(__name__)

URGENT = (Collected, Finish, End, JunitError)
"""Records that may change a decision; all others only change counts, which can wait for the next status write."""
NEWS_SECONDS = 0.5
FLUSH_SECONDS = 2.0
"""How often growing slices are written: a restarted operator has to read again what came after."""
CATCH_UP_SECONDS = 5.0
"""How long a verdict waits for what a log already holds."""


class RunLogs:
    """The logs of one run, folded into evidence and written into slices."""

    def __init__(self, run: RunId, cluster: Cluster, wake: asyncio.Event) -> None:
        self.environment = EnvironmentState()
        self.shards: dict[tuple[str, int], ShardEvidence] = {}
        self._run = run
        self._cluster = cluster
        self._wake = wake
        self._room = Room()
        self._writers: dict[tuple[str, int], SliceWriter] = {}
        self._keys: dict[tuple[str, int], LogKey] = {}
        """Where each shard's records come from."""
        self._environment_key: LogKey | None = None
        self._followers = Followers(cluster)
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def restore(self) -> None:
        """Take up what an operator before this one has written."""
        self._room = Room()
        self.shards, self._writers = restore(self._run, await self._cluster.list_slices(self._run), self._room)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._followers.close()

    def _wake_soon(self) -> None:
        """Wake the run for news that can wait a moment: counts, not decisions."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NEWS_SECONDS, self._wake_now)

    def _wake_now(self) -> None:
        self._timer = None
        self._wake.set()

    def follow(self, namespace: str, pods: Sequence[PodView]) -> None:
        """Follow the log of each container that speaks; note which of them have stopped."""
        for pod in pods:
            if pod.component == ENVIRONMENT and pod.container_runs(ENVIRONMENT):
                key = LogKey(namespace, pod.name, pod.uid, ENVIRONMENT)
                self._environment_key = key
                self._followers.follow(key, self._on_environment_line, self._wake.set)
            elif pod.component == "suite":
                self._follow_suite(LogKey(namespace, pod.name, pod.uid, RELAY_CONTAINER), pod)

    def _follow_suite(self, key: LogKey, pod: PodView) -> None:
        if pod.terminated:
            self._followers.mark_ended(key)
        if not pod.relay_speaks and not pod.terminated:
            return
        fresh = ShardEvidence(pod.role, pod.shard, pod.uid, self._room)
        shard = self.shards.setdefault((pod.role, pod.shard), fresh)
        shard.pod_uid = shard.pod_uid or pod.uid
        if shard.pod_uid != pod.uid:
            shard.lose("a second pod ran the same shard")
            return
        self._keys[pod.role, pod.shard] = key

        def on_line(line: bytes) -> None:
            self._on_relay_line(shard, line)

        def on_end() -> None:
            shard.drained = True
            self._wake.set()

        self._followers.follow(key, on_line, on_end, lambda: shard.end is not None)

    async def catch_up(self, suites: Collection[str]) -> bool:
        """Read what logs hold at this moment that have not come to their end. Returns whether that was news.

        The logs are those of the suites that are named, and the environment's. Whoever has only begun to follow (after
        a restart), or whose connection hangs, does not know it yet. Nothing is raised: what cannot be read in time is
        not waited for.
        """
        behind = [shard for shard in self.shards.values() if shard.suite in suites and not (shard.end or shard.drained)]
        before = self.environment, [shard.sequence for shard in behind]
        reads = [
            self._read_up_to_now(key, partial(self._on_relay_line, shard))
            for shard in behind
            if (key := self._keys.get((shard.suite, shard.shard))) is not None
        ]
        if self._environment_key is not None and not (before[0].is_open or before[0].failed_reason):
            reads.append(self._read_up_to_now(self._environment_key, self._on_environment_line))
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await asyncio.gather(*reads)
        except TimeoutError:
            logger.warning("%s: not all logs could be read within %g s", self._run, CATCH_UP_SECONDS)
        return before != (self.environment, [shard.sequence for shard in behind])

    async def _read_up_to_now(self, key: LogKey, on_line: Callable[[bytes], None]) -> None:
        try:
            async for line in self._cluster.read_log(key.namespace, key.pod, key.container):
                on_line(line)
        except ClusterError as error:
            logger.debug("log of %s/%s: %s", key.namespace, key.pod, error)

    def _on_environment_line(self, line: bytes) -> None:
        before = self.environment
        self.environment = fold_environment(before, line)
        state = self.environment
        if (before.services_ready, before.is_open, before.failed_reason) != (
            state.services_ready,
            state.is_open,
            state.failed_reason,
        ):
            self._wake.set()
        elif state != before:
            self._wake_soon()

    def _on_relay_line(self, shard: ShardEvidence, line: bytes) -> None:
        try:
            batch = decode(line)
        except RecordError as error:
            shard.lose(str(error))
            self._wake.set()
            return
        if batch.overflow:
            shard.lose("the suite printed more results than its log may hold")
            self._wake.set()
        key = (shard.suite, shard.shard)
        writer = self._writers.setdefault(key, SliceWriter(self._run, *key))
        for offset, record in enumerate(batch.records):
            sequence = batch.first + offset
            if not shard.fold(sequence, record):
                continue
            writer.add(sequence, record, shard.pod_uid)
            if isinstance(record, URGENT) or shard.finals == 1:
                self._wake.set()
            else:
                self._wake_soon()

    def all_ended(self, plan: Plan) -> bool:
        """Whether every shard of every suite has come to its own end; what has not is still running, or never ran."""
        keys = [(suite.name, index) for suite in plan.suites for index in range(suite.shards)]
        return all((shard := self.shards.get(key)) is not None and (shard.end or shard.drained) for key in keys)

    @property
    def flush_at(self) -> float | None:
        """When growing slices are to be written; None when there is nothing to write."""
        return self._flushed_at + FLUSH_SECONDS if any(writer.dirty for writer in self._writers.values()) else None

    async def flush(self, now: float) -> None:
        """Write what is not yet in slices. Raises UnavailableError when that is to be repeated.

        A slice that is refused for good (by a quota, say) is given up: the verdict does not depend on it.
        """
        self._flushed_at = now
        pending: list[tuple[SliceWriter, Object]] = [
            (writer, item) for key, writer in self._writers.items() for item in writer.pending(self.shards[key].pod_uid)
        ]
        answers = await asyncio.gather(*(self._cluster.apply(item) for _, item in pending), return_exceptions=True)
        failed = [answer for answer in answers if answer is not None and not _is_refusal(answer)]
        for (writer, item), answer in zip(pending, answers, strict=True):
            if answer is not None and _is_refusal(answer):
                logger.error("%s: results cannot be kept in %s: %s", self._run, item["metadata"]["name"], answer)
            if answer not in failed:
                writer.mark_written(item)
        if failed:
            raise failed[0]


def _is_refusal(answer: BaseException) -> bool:
    return isinstance(answer, ClusterError) and not isinstance(answer, ConflictError | UnavailableError)
