"""The journal against the exchange's own books: trades, balances, open orders, fees."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bot import Bot
    from exchange import Exchange
    from sandbox import Market, Sandbox

pytestmark = [pytest.mark.asyncio, pytest.mark.sandbox]


async def compare(bot: Bot, market: Market) -> None:
    """Every trade of the pair, member by member."""
    mine = {
        trade["id"]: trade
        for order in (await bot.get("orders", pair=market.pair))["orders"]
        for trade in (await bot.look(order["id"]))["trades"]
    }
    theirs = await market.trades()
    assert mine.keys() == theirs.keys()
    for trade_id, trade in theirs.items():
        for name, its in (("price", "price"), ("volume", "vol"), ("cost", "cost"), ("fee", "fee")):
            assert Decimal(mine[trade_id][name]) == Decimal(trade[its]), f"{name} of {trade_id}"


async def test_trade_history_is_that_of_the_exchange(bot: Bot, market: Market) -> None:
    """Takers and makers, both sides, several fills an order."""
    await bot.filled((await bot.order(market.pair, "buy", "0.7"))["id"])
    resting = await bot.order(market.pair, "sell", "0.6", "103.0", post_only=True)
    await market.aggress("buy", "103.0", "1000")
    await bot.filled(resting["id"])
    await market.levels([("103.5", "0.1"), ("103.6", "0.1"), ("103.7", "5")], [("102.0", "5")])
    await bot.filled((await bot.order(market.pair, "buy", "0.3"))["id"])
    await compare(bot, market)
    assert (await bot.send("POST", f"reconciliations?pair={market.pair}"))["shortfalls"] == {}


@pytest.mark.exclusive
async def test_balances_change_by_what_was_traded(bot: Bot, market: Market) -> None:
    """To the last digit: euros paid, fees, units got."""

    async def held() -> tuple[Decimal, Decimal]:
        balances = (await bot.send("POST", f"reconciliations?pair={market.pair}"))["balances"]
        return Decimal(balances["ZEUR"]), Decimal(balances[market.base])

    euros, units = await held()
    bought = await bot.filled((await bot.order(market.pair, "buy", "0.5"))["id"])
    sold = await bot.filled((await bot.order(market.pair, "sell", "0.2"))["id"])
    paid = sum(Decimal(bought[name]) for name in ("cost", "fee"))
    got = Decimal(sold["cost"]) - Decimal(sold["fee"])
    assert await held() == (euros - paid + got, units + Decimal("0.3"))


@pytest.mark.exclusive
async def test_trades_that_the_stream_did_not_tell_are_found(bot: Bot, sandbox: Sandbox, market: Market) -> None:
    """Filled while no stream is connected; heard of again afterwards, and booked once."""
    order = await bot.order(market.pair, "buy", "0.5", "95.0", post_only=True)
    await sandbox.post("streams", kind="refuse")
    await bot.until_status("no stream", lambda s: not any(x["connected"] for x in s["streams"].values()))
    await market.aggress("sell", "95.0", "0.2")
    found = await bot.send("POST", f"reconciliations?pair={market.pair}")
    partial = await bot.look(order["id"])
    assert (partial["executed"], partial["status"]) == ("0.2", "open"), found
    await market.aggress("sell", "95.0", "0.3")
    await bot.filled(order["id"])
    await sandbox.clear()
    await bot.until_status("streams again", lambda s: s["streams"]["executions"]["connected"])
    await bot.send("POST", f"reconciliations?pair={market.pair}")
    await compare(bot, market)
    assert (await bot.get(f"positions/{market.pair}"))["trades"] == 2


@pytest.mark.exclusive
async def test_what_a_broken_stream_may_have_missed_is_asked(bot: Bot, sandbox: Sandbox) -> None:
    """From the moment that there is a new one, the status says that it is being asked, until it is known."""
    stream = (await bot.get("status"))["streams"]["executions"]
    last = await sandbox.last_request()
    await sandbox.post("streams", kind="drop")
    await bot.until_status(
        "the new stream's connection to be reconciled",
        lambda s: (
            s["streams"]["executions"]["connections"] > stream["connections"]
            and s["streams"]["executions"]["connected"]
            and not s["reconciling"]
        ),
    )
    assert "OpenOrders" in {entry["method"] for entry in await sandbox.requests(after=last)}


@pytest.mark.exclusive
async def test_orders_of_others_are_seen_and_left_alone(bot: Bot, exchange: Exchange, market: Market) -> None:
    """The same account, another program: counted, not cancelled by a halt, not booked."""
    before = (await bot.send("POST", f"reconciliations?pair={market.pair}"))["foreign_orders"]
    foreign = {"pair": market.pair, "type": "buy", "ordertype": "limit", "price": "90.0", "volume": "0.2"}
    (txid,) = (await exchange.private("AddOrder", **foreign))["result"]["txid"]
    assert (await bot.send("POST", f"reconciliations?pair={market.pair}"))["foreign_orders"] == before + 1
    await bot.send("POST", "halt", reason="a test")
    await market.aggress("sell", "90.0", "1000")
    assert (await market.orders())[txid]["status"] == "closed"
    assert (await bot.get("orders", pair=market.pair))["orders"] == []
    assert (await bot.get(f"positions/{market.pair}"))["volume"] == "0"


async def test_an_order_cancelled_elsewhere_is_noticed(bot: Bot, market: Market, exchange: Exchange) -> None:
    order = await bot.order(market.pair, "buy", "0.2", "90.0", post_only=True)
    assert (await exchange.private("CancelOrder", txid=order["txid"]))["result"] == {"count": 1}
    assert (await bot.settled(order["id"]))["status"] == "canceled"
