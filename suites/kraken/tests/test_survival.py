"""kill -9: the process ends wherever it is, another one goes on, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from bot import Bot
    from sandbox import Market, Sandbox

pytestmark = [pytest.mark.asyncio, pytest.mark.sandbox, pytest.mark.exclusive]


async def order_while_dying(bot: Bot, pair: str, order_id: str, **more: Any) -> None:
    """Ask for an order; the process ends before it can answer."""
    body = {"id": order_id, "pair": pair, "side": "buy", "type": "market", "volume": "0.1"} | more
    with pytest.raises(httpx.HTTPError):
        await bot.client.post("/v1/orders", json=body)


async def settled_once(bot: Bot, market: Market, order_id: str, volume: str = "0.1") -> None:
    done = await bot.settled(order_id)
    assert (done["status"], done["executed"]) == ("closed", volume)
    assert [o["cl_ord_id"] for o in (await market.orders()).values()] == [order_id]
    trades = (await bot.look(order_id))["trades"]
    assert {trade["id"] for trade in trades} == (await market.trades()).keys()
    assert (await bot.get(f"positions/{market.pair}"))["volume"] == volume


async def test_what_is_open_is_still_tracked(bot: Bot, market: Market) -> None:
    """An order that rests, a position, and a trade that happens while there is no process."""
    await bot.filled((await bot.order(market.pair, "buy", "0.3"))["id"])
    order = await bot.order(market.pair, "buy", "0.5", "95.0", post_only=True)
    run = await bot.kill()
    await market.aggress("sell", "95.0", "1000")
    await bot.reborn(run)
    assert (await bot.filled(order["id"]))["executed"] == "0.5"
    position = await bot.get(f"positions/{market.pair}")
    assert (position["volume"], position["trades"]) == ("0.8", 2)
    assert len(await market.trades()) == 2


async def test_killed_before_an_order_was_sent(bot: Bot, market: Market) -> None:
    """It is known not to be there, nobody sends it unasked, and the caller who asks again gets it once."""
    await bot.get(f"ticker/{market.pair}")
    order_id, run = bot.new_id(), await bot.kill("admitted")
    await order_while_dying(bot, market.pair, order_id)
    await bot.reborn(run)
    assert (await bot.settled(order_id))["status"] == "not_placed"
    assert await market.orders() == {}
    await bot.order(market.pair, "buy", "0.1", id=order_id)
    await settled_once(bot, market, order_id)


async def test_killed_before_an_answer_was_written_down(bot: Bot, market: Market) -> None:
    """The exchange has the order, the journal does not know: it is found by the id that both know."""
    await bot.get(f"ticker/{market.pair}")
    order_id, run = bot.new_id(), await bot.kill("accepted")
    await order_while_dying(bot, market.pair, order_id)
    await bot.reborn(run)
    await settled_once(bot, market, order_id)
    again = await bot.order(market.pair, "buy", "0.1", id=order_id)
    assert again["status"] == "closed"
    await settled_once(bot, market, order_id)


async def test_killed_while_the_exchange_answers(bot: Bot, sandbox: Sandbox, market: Market) -> None:
    await bot.get(f"ticker/{market.pair}")
    await sandbox.fault("AddOrder", "hold", times=1)
    order_id = bot.new_id()
    asking = asyncio.create_task(order_while_dying(bot, market.pair, order_id))

    async def taken() -> bool:
        return bool(await market.orders())

    await eventually_async(taken, "the order at the exchange")
    run = await bot.kill()
    await asking
    await bot.reborn(run)
    await settled_once(bot, market, order_id)


async def test_killed_between_two_trades_of_an_order(bot: Bot, market: Market) -> None:
    """The first is booked, the second is not: both are afterwards, each once."""
    await bot.get(f"ticker/{market.pair}")
    await market.levels([("100.0", "0.06"), ("100.1", "5")], [("99.0", "5")])
    order_id, run = bot.new_id(), await bot.kill("booked")
    body = {"id": order_id, "pair": market.pair, "side": "buy", "type": "market", "volume": "0.1"}
    await asyncio.gather(bot.client.post("/v1/orders", json=body), return_exceptions=True)
    await bot.reborn(run)
    await settled_once(bot, market, order_id)
    assert [trade["volume"] for trade in (await bot.look(order_id))["trades"]] == ["0.06", "0.04"]


async def test_positions_are_guarded_by_the_next_process(bot: Bot, market: Market) -> None:
    """The stop is reached while there is no process."""
    order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0")
    await bot.filled(order["id"])
    run = await bot.kill()
    await market.move("94.0")
    await bot.reborn(run)
    left = await bot.until(order["id"], "left", lambda o: [e["status"] for e in o["exits"]] == ["closed"])
    assert left["exits"][0]["executed"] == "0.5"
    assert (await bot.get(f"positions/{market.pair}"))["volume"] == "0"


async def test_lost_database_connections_end_nothing(bot: Bot, market: Market, database_url: str) -> None:
    """All of the service's connections are cut, while prices move; the same process still leaves the position."""
    run = (await bot.wait_ready())["run"]
    order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0")
    await bot.filled(order["id"])
    connection = await asyncpg.connect(database_url)
    try:
        own = await connection.fetchval("SELECT pg_backend_pid()")
        cut = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> $1 AND backend_type = 'client backend'
                 AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"""
        assert await connection.fetch(cut, own)
        for price in ("99.0", "98.0", "94.0"):
            await market.move(price)
            await connection.fetch(cut, own)
    finally:
        await connection.close()
    await bot.wait_ready()
    left = await bot.until(order["id"], "left", lambda o: any(e["status"] == "closed" for e in o["exits"]))
    assert sum(Decimal(e["executed"]) for e in left["exits"]) == Decimal("0.5")
    assert (await bot.wait_ready())["run"] == run


@pytest.mark.parametrize("at", ["admitted", "accepted"])
async def test_an_exit_that_a_kill_interrupts_happens_once(bot: Bot, market: Market, at: str) -> None:
    order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0")
    await bot.filled(order["id"])
    run = await bot.kill(at)
    await market.move("94.0")
    await bot.reborn(run)

    async def flat() -> bool:
        position = await bot.get(f"positions/{market.pair}")
        assert position["volume"] == "0", (position, (await bot.look(order["id"]))["exits"])
        return True

    await eventually_async(flat, "nothing held")
    sold = [Decimal(o["vol_exec"]) for o in (await market.orders()).values() if o["descr"]["type"] == "sell"]
    assert sold == [Decimal("0.5")]


async def test_a_halt_and_tightened_limits_outlive_the_process(bot: Bot, market: Market) -> None:
    await bot.send("PATCH", "limits", max_order_eur="7")
    await bot.send("POST", "halt", reason="a person says so")
    run = await bot.kill()
    await bot.reborn(run)
    status = await bot.get("status")
    assert (status["halted"], status["limits"]["max_order_eur"]) == ("a person says so", "7")
    refused = await bot.order(market.pair, "buy", "0.1", "99.0", expected=422)
    assert refused["violations"].keys() == {"halted", "order_value"}


async def test_the_exchange_takes_the_nonces_of_the_next_process(bot: Bot, sandbox: Sandbox) -> None:
    before = await sandbox.last_request()
    await bot.get("balances")
    run = await bot.kill()
    await bot.reborn(run)
    await bot.get("balances")
    asked = [entry for entry in await sandbox.requests(before) if entry["kind"] == "private"]
    nonces = [int(entry["params"]["nonce"]) for entry in asked]
    assert nonces == sorted(set(nonces))
    assert {entry["outcome"] for entry in asked} == {"ok"}
