"""Faults of watches and followed logs: silent, cut, repeated, out of order, with gaps."""

# ruff: noqa: ARG002 - hooks are given what some fault needs

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from .fault import Fault, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .call import Call

QUIET_SECONDS = 0.3
"""How long a held event waits for another one before it is let go."""


def identity(event: dict[str, Any]) -> tuple[str, str, str]:
    """Which object an event is about."""
    metadata = event["object"].get("metadata") or {}
    return str(event["object"].get("kind")), str(metadata.get("namespace")), str(metadata.get("name"))


async def timed(events: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes | None]:
    """The events, and None whenever none has come for so long while one is awaited."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def pump() -> None:
        try:
            async for event in events:
                queue.put_nowait(event)
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(pump())
    try:
        while True:
            try:
                async with asyncio.timeout(seconds):
                    event = await queue.get()
            except TimeoutError:
                yield None
                continue
            if event is None:
                await task
                return
            yield event
    finally:
        task.cancel()


class Freeze(Fault):
    """Watches fall silent and stay open, as behind a dead connection. Those that are opened later work."""

    def __init__(self) -> None:
        self.frozen = 0
        self._live: list[asyncio.Event] = []

    def strike(self) -> None:
        """Silence every watch that is open now, for ever."""
        self.frozen += len(self._live)
        for open_ in self._live:
            open_.clear()
        self._live = []

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        flowing = asyncio.Event()
        flowing.set()
        self._live.append(flowing)
        try:
            async for event in events:
                await flowing.wait()
                yield event
        finally:
            if flowing in self._live:
                self._live.remove(flowing)


class Pause(Fault):
    """Watches are late: nothing comes through until they may go on, then everything does."""

    def __init__(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()

    def begin(self) -> None:
        self._flowing.clear()

    def end(self) -> None:
        self._flowing.set()

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for event in events:
            await self._flowing.wait()
            yield event


class Cut(Fault):
    """Every watch ends after so many events."""

    def __init__(self, after: int, *, gone: bool = False) -> None:
        self.cuts = 0
        self._after = after
        self._gone = gone
        """It ends with the ERROR event of a resourceVersion that is too old."""

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        left = self._after
        async for event in events:
            yield event
            left -= 1
            if left <= 0:
                self.cuts += 1
                break
        if self._gone and left <= 0:
            yield b'{"type":"ERROR","object":' + refusal(410, message="too old resource version").body + b"}\n"


class CutLogs(Fault):
    """Every followed log is cut short some times, after a piece each time.

    The answer ends as that of a log which is over: so it does when the API server loses the kubelet.
    """

    def __init__(self, times: int) -> None:
        self.cuts = 0
        self._times = times
        self._cut: dict[Call, int] = {}

    async def log(self, call: Call, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        number = self._cut[call] = self._cut.get(call, 0) + 1
        async for chunk in chunks:
            if number <= self._times:
                self.cuts += 1
                yield chunk[: 4000 * number]
                return
            yield chunk


class Repeat(Fault):
    """Every event comes twice."""

    def __init__(self) -> None:
        self.repeated = 0

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for event in events:
            yield event
            self.repeated += 1
            yield event


class Reorder(Fault):
    """Neighbouring events of different objects change places."""

    def __init__(self) -> None:
        self.swapped = 0

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        held: bytes | None = None
        async for event in timed(events, QUIET_SECONDS):
            if held is None:
                held = event
                continue
            if event is not None and identity(json.loads(event)) != identity(json.loads(held)):
                self.swapped += 1
                yield event
                yield held
                held = None
            else:
                yield held
                held = event
        if held is not None:
            yield held


class Miss(Fault):
    """Every second change of an object is missed, but for its last: a list shows that, whatever was missed before."""

    def __init__(self) -> None:
        self.missed = 0

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        changes: dict[tuple[str, str, str], int] = {}
        held: dict[tuple[str, str, str], bytes] = {}
        async for event in timed(events, QUIET_SECONDS):
            if event is None:
                for line in held.values():
                    yield line
                held.clear()
                continue
            seen = json.loads(event)
            key = identity(seen)
            if held.pop(key, None) is not None:
                self.missed += 1
            if seen["type"] == "MODIFIED":
                changes[key] = changes.get(key, 0) + 1
                if changes[key] % 2 == 1:
                    held[key] = event
                    continue
            yield event
        for line in held.values():
            yield line
