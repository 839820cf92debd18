"""The sandbox as tests control it; nothing of this exists at the real exchange."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Market:
    """A pair of a test's own, quoted in EUR."""

    sandbox: Sandbox
    pair: str
    symbol: str
    base: str
    price: Decimal

    async def move(self, price: object) -> None:
        """Everybody trades at that price from now on."""
        await self.sandbox.post(f"markets/{self.pair}/move", price=str(price))

    async def levels(self, asks: list[tuple[str, str]], bids: list[tuple[str, str]]) -> None:
        """What others offer: (price, volume), the best first."""
        await self.sandbox.post(f"markets/{self.pair}/levels", asks=asks, bids=bids)

    async def aggress(self, side: str, price: object, volume: str) -> None:
        """Somebody else's order, which takes what it finds up to that price."""
        await self.sandbox.post(f"markets/{self.pair}/trade", side=side, price=str(price), volume=volume)

    async def requests(self, method: str, after: int = 0) -> list[dict[str, Any]]:
        """What the service asked about this pair."""
        found = await self.sandbox.requests(after, pair=self.pair)
        return [entry for entry in found if entry["method"] == method]

    async def orders(self) -> dict[str, dict[str, Any]]:
        """All orders that the exchange has of this pair, by its ids."""
        return dict((await self.sandbox.account(self.pair))["orders"])

    async def trades(self) -> dict[str, dict[str, Any]]:
        return dict((await self.sandbox.account(self.pair))["trades"])


class Sandbox:
    """Its control interface."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        response = await self.client.post(f"/sandbox/{path}", json=body)
        assert response.is_success, f"the sandbox refuses {path} {body}: {response.status_code} {response.text}"
        return dict(response.json())

    async def market(self, price: str = "100.0", depth: str = "5", fund: str = "0") -> Market:
        base = f"T{uuid.uuid4().hex[:10].upper()}"
        made = await self.post("markets", base=base, price=price, depth=depth, fund=fund)
        return Market(self, made["pair"], made["symbol"], made["base"], Decimal(price))

    async def fault(self, on: str, kind: str, **more: Any) -> None:
        await self.post("faults", on=on, kind=kind, **more)

    async def clear(self) -> None:
        """No fault is left, counters are at 0, the system is online."""
        (await self.client.delete("/sandbox/faults")).raise_for_status()

    async def requests(self, after: int = 0, **query: str) -> list[dict[str, Any]]:
        response = await self.client.get("/sandbox/requests", params={"after": str(after), **query})
        return list(response.raise_for_status().json()["requests"])

    async def last_request(self) -> int:
        response = await self.client.get("/sandbox/requests", params={"after": str(2**62)})
        return int(response.raise_for_status().json()["last"])

    async def account(self, pair: str) -> dict[str, Any]:
        return dict((await self.client.get("/sandbox/account", params={"pair": pair})).raise_for_status().json())
