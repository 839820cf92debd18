"""Orders that are safe at any exchange: small, far from the market, and cancelled."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot import Bot

EUROS = Decimal(6)
"""A little more than the least that the exchange takes (MIN_EUR_FOR_TRADE is 5)."""
HALF, DOUBLE = Decimal("0.5"), Decimal(2)


async def far_order(bot: Bot, pair: str, side: str, **more: Any) -> dict[str, Any]:
    """A post-only limit order for 6 EUR, to buy at half or to sell at double the price."""
    price, info = Decimal((await bot.get(f"ticker/{pair}"))["ticker"]["last"]), await bot.get(f"pairs/{pair}")
    limit = (price * (HALF if side == "buy" else DOUBLE)).quantize(Decimal(info["tick"]), ROUND_DOWN)
    volume = max(Decimal(info["minimum"]), (EUROS / limit).quantize(Decimal("1e-8"), ROUND_UP))
    return await bot.order(pair, side, f"{volume:f}", f"{limit:f}", post_only=True, **more)


@asynccontextmanager
async def resting(bot: Bot, pair: str, side: str) -> AsyncIterator[dict[str, Any]]:
    """Such an order for the time of the block; it is cancelled whatever happens."""
    order = await far_order(bot, pair, side)
    try:
        yield order
    finally:
        await bot.cancel(order["id"])
