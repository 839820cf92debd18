"""Ticks without a pause, each of which makes its strategy trade, and the proof that each did so once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from contract import CHAIN, Signal

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from types import TracebackType

    from desk import Desk

PAUSE_SECONDS = 0.02
PRICES = ("100", "102")


class Load:
    """Sends from the start of the `async with` block until `finish`; a broker that is away holds it up, no more."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ending = asyncio.Event()
        self.ticks: list[dict[str, Any]] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._send())
        await self.trades(10)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def trades(self, more: int) -> None:
        """Wait until that many more orders have been booked: the pipeline works."""
        portfolio = await self._desk.cached()
        target = more + (portfolio.orders if portfolio is not None else 0)

        async def probe() -> bool:
            found = await self._desk.cached()
            orders = found.orders if found is not None else 0
            assert orders >= target, orders
            return True

        await eventually_async(probe, f"{target} orders under load", seconds=60)

    async def finish(self) -> None:
        """Stop sending, and see that every tick had its effect, once and in order, and that nothing is dead."""
        self._ending.set()
        assert self._task is not None
        await self._task
        expected = len(self.ticks) - 1  # the first price is only the reference
        portfolio = await self._desk.portfolio(expected)
        chains = [await self._desk.expect(kind, count=expected) for kind in CHAIN]
        await self._desk.wire.settle()
        assert not self._desk.seen("dead_letter")
        for kind, events in zip(CHAIN, chains, strict=True):
            assert len(self._desk.seen(kind)) == expected, kind
            assert len({event.id for event in events}) == expected
        for before, after in pairwise(chains):
            assert [event.causation_id for event in after] == [event.id for event in before], after[0].type
        prices = [Signal.model_validate(event.data).price for event in chains[0]]
        assert prices == [Decimal(tick["data"]["last_price"]) for tick in self.ticks[1:]]
        assert (await self._desk.cached()) == portfolio
        print(f"{expected} trades, {self._desk.wire.repeated} events were published more than once and counted once")

    async def _send(self) -> None:
        while not self._ending.is_set():
            self.ticks.append(await self._desk.tick(PRICES[len(self.ticks) % 2]))
            await asyncio.sleep(PAUSE_SECONDS)
