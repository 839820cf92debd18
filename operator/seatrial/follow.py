"""Following container logs: one task per log, started when its container speaks, repeated until the log has ended."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.errors import ClusterError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.cluster import Cluster

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 0.25
"""Pause before a log that broke off, or is not there yet, is followed again."""
SILENT_SECONDS = 20.0
"""How long the log of a stopped container may say nothing before it is read anew: its connection may be dead."""


@dataclass(frozen=True)
class LogKey:
    """Which log."""

    namespace: str
    pod: str
    pod_uid: str
    container: str


class Followers:
    """The followed logs of one run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._tasks: dict[LogKey, asyncio.Task[None]] = {}
        self._ended: set[LogKey] = set()
        """Logs whose container has stopped: the end of the stream is then the end of the log."""
        self._limits: dict[LogKey, asyncio.Timeout] = {}
        """Of what is being read."""

    def follow(
        self,
        key: LogKey,
        on_line: Callable[[bytes], None],
        on_end: Callable[[], None],
        is_whole: Callable[[], bool] = lambda: False,
    ) -> None:
        """Follow a log unless that is being done. `on_line` gets each line, from the log's start after every break.

        `is_whole` says whether the log has told of its own end.
        """
        if key not in self._tasks:
            work = self._follow(key, on_line, on_end, is_whole)
            self._tasks[key] = asyncio.create_task(work, name=f"follow {key.pod}")

    def mark_ended(self, key: LogKey) -> None:
        """Say that the log's container has stopped, or its pod is gone."""
        if key not in self._ended:
            self._ended.add(key)
            self._expect_more(key)

    def _expect_more(self, key: LogKey) -> None:
        """Give a log whose container has stopped some time for its next line."""
        limit = self._limits.get(key)
        if limit is not None and not limit.expired() and key in self._ended:
            limit.reschedule(asyncio.get_running_loop().time() + SILENT_SECONDS)

    async def close(self) -> None:
        """Stop following."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(
        self,
        key: LogKey,
        on_line: Callable[[bytes], None],
        on_end: Callable[[], None],
        is_whole: Callable[[], bool],
    ) -> None:
        most = -1
        while True:
            ended = key in self._ended
            lines = 0
            try:
                async with asyncio.timeout(None) as self._limits[key]:
                    self._expect_more(key)
                    async for line in self._cluster.follow_log(key.namespace, key.pod, key.container):
                        lines += 1
                        on_line(line)
                        self._expect_more(key)
                # A connection that breaks behind the API server looks like the log's end: read it once more to know.
                ended = ended and (is_whole() or lines <= most)
            except NotFoundError:
                ended = True
            except TimeoutError:
                ended = lines <= most  # twice in silence, and the second time no more than the first
            except ClusterError as error:
                logger.debug("log of %s/%s: %s", key.namespace, key.pod, error)
                # What was said before the container stopped can still be read, unless the API server has lost it too.
                ended = ended and error.reason == "BadRequest"
            except Exception:
                # A defect must not leave the run waiting for its total timeout: what is missing is missing.
                logger.exception("log of %s/%s: a line cannot be taken in", key.namespace, key.pod)
                ended = True
            finally:
                self._limits.pop(key, None)
            most = max(most, lines)
            if ended:
                on_end()
                return
            # The stream may end a moment before the pod's status says that its container has stopped.
            await asyncio.sleep(AGAIN_SECONDS)
