"""What the journal says of an order is what became of it, whoever asks at the same time."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from bot import Bot
    from sandbox import Market

pytestmark = [pytest.mark.asyncio, pytest.mark.sandbox, pytest.mark.exclusive]


async def test_a_reconciliation_takes_no_order_for_lost_that_is_about_to_be_sent(bot: Bot, market: Market) -> None:
    """Between an order's way into the journal and its way to the exchange."""
    for _ in range(3):
        placing = [bot.order(market.pair, "buy", "0.06", "90.0", post_only=True) for _ in range(8)]
        asking = [bot.send("POST", f"reconciliations?pair={market.pair}") for _ in range(8)]
        orders, _ = await asyncio.gather(asyncio.gather(*placing), asyncio.gather(*asking))
        assert [order["status"] for order in orders] == ["open"] * len(orders)
        for order in orders:
            assert (await bot.cancel(order["id"]))["status"] == "canceled"


async def test_what_the_exchange_reports_counts_more_than_what_was_believed(
    bot: Bot, market: Market, database_url: str
) -> None:
    """An order that was held not to have been placed trades: it is closed, and its trade counts."""
    order = await bot.order(market.pair, "buy", "0.2", "95.0", post_only=True)
    connection = await asyncpg.connect(database_url)
    try:
        change = "UPDATE kraken.orders SET status = 'not_placed' WHERE id = $1"
        assert await connection.execute(change, uuid.UUID(order["id"])) == "UPDATE 1"
    finally:
        await connection.close()
    await market.aggress("sell", "95.0", "1000")
    assert (await bot.filled(order["id"]))["executed"] == "0.2"
    assert (await bot.get(f"positions/{market.pair}"))["volume"] == "0.2"
