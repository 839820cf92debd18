"""Scenarios run side by side, each in a lane of its own; a test waits for the result of its scenario."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

from .trial import Trial, attempt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from .kinds import Kind
    from .lane import Lane
    from .world import World

    Scenario = Callable[["Stage"], Awaitable[str]]

ALL = os.environ.get("SEATRIAL_FAULTS") == "all"
"""Whether everything is tried; otherwise the short form."""
LANES = int(os.environ.get("SEATRIAL_FAULTS_LANES", "6"))


class Stage:
    """Free lanes, undisturbed runs to compare with, and the scenarios that are under way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._free: asyncio.Queue[Lane] = asyncio.Queue()
        for lane in world.lanes:
            self._free.put_nowait(lane)
        self._references: dict[str, asyncio.Task[Trial]] = {}
        self._tasks: dict[str, asyncio.Task[str]] = {}

    @contextlib.asynccontextmanager
    async def lane(self) -> AsyncIterator[Lane]:
        """A lane for one's own, once there is a free one."""
        lane = await self._free.get()
        try:
            yield lane
        finally:
            lane.proxy.reset()
            await lane.clear()
            self._free.put_nowait(lane)

    async def reference(self, kind: Kind) -> Trial:
        """An undisturbed run of a kind; tried once."""
        if kind.name not in self._references:
            self._references[kind.name] = asyncio.create_task(self._reference(kind))
        return await self._references[kind.name]

    async def _reference(self, kind: Kind) -> Trial:
        async with self.lane() as lane:
            trial = await attempt(lane, kind)
        assert not trial.problems, f"an undisturbed run: {trial.problems}"
        return trial

    def begin(self, name: str, scenario: Scenario) -> None:
        """Start a scenario."""
        self._tasks[name] = asyncio.create_task(self._timed(scenario), name=name)

    async def _timed(self, scenario: Scenario) -> str:
        began = time.monotonic()
        return f"{await scenario(self)} [{time.monotonic() - began:.0f} s]"

    async def result(self, name: str) -> str:
        """What a scenario has to say; raises what went wrong in it."""
        return await self._tasks[name]

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *self._references.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def report(title: str, lines: Iterable[str]) -> str:
    """What was tried, and a failure when something is wrong."""
    wrong = list(lines)
    assert not wrong, "\n".join([f"{title}: {len(wrong)} wrong", *wrong])
    return title
