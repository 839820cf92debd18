"""An observer outside of the operator: watches what a run makes, and stamps each change when it arrives here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.api import Api, Object

WATCHED = {
    "TestRun": "/apis/seatrial.dev/v1alpha1/testruns",
    "Namespace": "/api/v1/namespaces",
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "ConfigMap": "/api/v1/configmaps",
    "Secret": "/api/v1/secrets",
    "ServiceAccount": "/api/v1/serviceaccounts",
    "ResourceQuota": "/api/v1/resourcequotas",
    "LimitRange": "/api/v1/limitranges",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/networkpolicies",
    "Job": "/apis/batch/v1/jobs",
}
"""Kind -> collection in all namespaces. Connections are made before a run starts, so that none is in its time."""


@dataclass(frozen=True)
class Change:
    """One event of a watch."""

    at: float
    """Arrival here, in seconds since the epoch."""
    type: str
    """ADDED, MODIFIED or DELETED."""
    item: Object

    @property
    def kind(self) -> str:
        return str(self.item["kind"])

    @property
    def name(self) -> str:
        return str(self.item["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.item["metadata"].get("namespace", ""))


@dataclass
class Observer:
    """All changes since it was started, and whoever waits for one."""

    api: Api
    changes: list[Change] = field(default_factory=list)
    on_change: list[Callable[[Change], None]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start(self) -> None:
        """Connect. Returns when every watch runs."""
        for kind, path in WATCHED.items():
            connected = asyncio.Event()
            self._tasks.append(asyncio.create_task(self._watch(kind, path, connected), name=f"watch {kind}"))
            await connected.wait()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Drop what was seen: memory and searches stay small over many runs."""
        self.changes.clear()

    async def wait(self, what: str, found: Callable[[Change], bool], seconds: float = 180) -> Change:
        """The first change that fits, seen already or still to come. Raises TimeoutError, or what ended a watch."""
        seen = 0
        try:
            async with asyncio.timeout(seconds), self._news:
                while True:
                    for change in self.changes[seen:]:
                        if found(change):
                            return change
                    seen = len(self.changes)
                    await self._news.wait()
                    for task in self._tasks:
                        if task.done():
                            task.result()
        except TimeoutError:
            raise TimeoutError(f"{what}: not seen within {seconds:g} s") from None

    async def _watch(self, kind: str, path: str, connected: asyncio.Event) -> None:
        try:
            async for at, event, item in self.api.watch(path, connected):
                item.setdefault("kind", kind)
                change = Change(at, event, item)
                async with self._news:
                    self.changes.append(change)
                    for callback in self.on_change:
                        callback(change)
                    self._news.notify_all()
        finally:
            connected.set()
            async with self._news:
                self._news.notify_all()
