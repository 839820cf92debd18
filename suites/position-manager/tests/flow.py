"""One symbol of one test: sends its inputs in event time and reads its outputs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from contract import Event, PnlUpdate, PositionState

if TYPE_CHECKING:
    from collections.abc import Callable

    from wire import Wire

E = TypeVar("E", bound=Event)
FIRST_MS = 1_750_000_000_000
STEP_MS = 1000


class Flow:
    """A symbol and a position of their own, so that tests do not meet; event time advances one second a message."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.symbol = f"TEST-{uuid.uuid4().hex[:16]}"
        self.position_id = f"position-{uuid.uuid4().hex[:16]}"
        self.now_ms = FIRST_MS
        wire.watch(self.symbol)

    def tick(self, milliseconds: int = STEP_MS) -> int:
        self.now_ms += milliseconds
        return self.now_ms

    def funding_message(
        self,
        rate: str = "0.0001",
        legs: tuple[tuple[str, str], tuple[str, str]] | None = None,
        /,
        **members: object,
    ) -> dict[str, object]:
        """A funding context; legs are ((quantity, price) of long, (quantity, price) of short)."""
        message: dict[str, object] = {
            "symbol": self.symbol,
            "position_id": self.position_id,
            "timestamp_ms": members.get("timestamp_ms") or self.tick(),
            "funding_rate": rate,
        }
        if legs is not None:
            for name, (quantity, price) in zip(("long", "short"), legs, strict=True):
                message[name] = {"quantity": quantity, "price": price}
        return message | members

    def market_message(self, long_price: str, short_price: str = "100", /, **members: object) -> dict[str, object]:
        return {
            "symbol": self.symbol,
            "timestamp_ms": members.get("timestamp_ms") or self.tick(),
            "long_price": long_price,
            "short_price": short_price,
            "volume": "12.5",
        } | members

    async def funding(
        self,
        rate: str = "0.0001",
        legs: tuple[tuple[str, str], tuple[str, str]] | None = None,
        /,
        **members: object,
    ) -> dict[str, object]:
        message = self.funding_message(rate, legs, **members)
        await self.wire.send("funding_context", self.symbol, message)
        return message

    async def market(self, long_price: str, short_price: str = "100", /, **members: object) -> dict[str, object]:
        message = self.market_message(long_price, short_price, **members)
        await self.wire.send("market_data", self.symbol, message)
        return message

    async def raw(self, topic: str, value: bytes | None) -> Any:
        return await self.wire.send(topic, self.symbol, value)

    async def next(self, model: type[E], awaited: str, where: Callable[[E], bool] | None = None) -> E:
        return await self.wire.next(self.symbol, model, where, awaited)

    def seen(self, model: type[E]) -> list[E]:
        return self.wire.seen(self.symbol, model)

    async def open(self, quantity: str = "1", price: str = "100", rate: str = "0.0001") -> PositionState:
        """Open a balanced position and wait for its state."""
        await self.funding(rate, ((quantity, price), (quantity, price)))
        return await self.next(PositionState, f"a position of {quantity} at {price}", lambda s: s.trigger == "opened")

    async def valued(self, long_price: str, short_price: str = "100") -> PnlUpdate:
        """Send prices and wait for the P&L at them."""
        await self.market(long_price, short_price)
        return await self.valued_at(self.now_ms)

    async def valued_at(self, at_ms: int) -> PnlUpdate:
        """Wait for the P&L at the prices of that event time."""
        return await self.next(PnlUpdate, f"the P&L at {at_ms}", lambda p: p.timestamp_ms == at_ms)
