"""Time travel: reads answer from an earlier moment for a while; writes, and reads of single objects, do not."""

# ruff: noqa: ARG002 - hooks are given what some fault needs

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .fault import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .api import Api
    from .call import Call


async def moment(api: Api) -> str:
    """The present, as a resourceVersion."""
    answer = await api.call("GET", "/api/v1/namespaces", limit="1")
    return str(answer["metadata"]["resourceVersion"])


class Past(Fault):
    """Lists of the cluster are of a resourceVersion, and watches stand still there, until the present is let in.

    The API server itself answers what it was like then (resourceVersionMatch=Exact), so nothing is made up. Lists of
    one namespace are how the operator asks when in doubt; without a resourceVersion they are of the present.
    """

    def __init__(self, version: str) -> None:
        self.lists = 0
        self._version = version
        self._present = asyncio.Event()

    def end(self) -> None:
        """Watches catch up, and lists tell the truth again."""
        self._present.set()

    def ask(self, call: Call, query: dict[str, str]) -> dict[str, str]:
        if call.verb != "list" or call.namespace or self._present.is_set() or "continue" in query:
            return query
        self.lists += 1
        return query | {"resourceVersion": self._version, "resourceVersionMatch": "Exact"}

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for event in events:
            await self._present.wait()
            yield event
