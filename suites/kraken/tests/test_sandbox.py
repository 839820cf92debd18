"""The sandbox is as strict as the exchange's documentation says: asked directly, without the service."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bot import Bot
    from exchange import Exchange
    from sandbox import Market, Sandbox

pytestmark = [pytest.mark.asyncio, pytest.mark.sandbox, pytest.mark.exclusive]
LIMIT = {"ordertype": "limit", "type": "buy", "price": "90.0", "volume": "0.1"}


@pytest.fixture(autouse=True)
def _with_the_service(bot: Bot) -> None:
    """Nonces are shared with it: it must be idle, and is when it is ready and these tests have the account alone."""
    del bot


async def add(exchange: Exchange, market: Market, **more: object) -> dict[str, Any]:
    return await exchange.private("AddOrder", pair=market.pair, **LIMIT | more)


async def test_a_signature_covers_path_nonce_and_body(exchange: Exchange) -> None:
    assert (await exchange.private("Balance"))["error"] == []
    wrong = await exchange.private("Balance", secret="AAAA")
    assert wrong["error"] == ["EAPI:Invalid signature"]
    assert (await exchange.private("Balance", key="another"))["error"] == ["EAPI:Invalid key"]


async def test_a_nonce_counts_once_and_never_falls(exchange: Exchange) -> None:
    nonce = time.time_ns() // 1000
    assert (await exchange.private("Balance", nonce=nonce))["error"] == []
    for old in (nonce, nonce - 1, "x"):
        assert (await exchange.private("Balance", nonce=old))["error"] == ["EAPI:Invalid nonce"]


async def test_the_call_counter_refuses_and_recovers(exchange: Exchange, sandbox: Sandbox) -> None:
    await sandbox.post("counters", value=0, maximum=3, decay=0)
    outcomes = [(await exchange.private(method))["error"] for method in ("TradesHistory", "Balance", "Balance")]
    assert outcomes == [[], [], ["EAPI:Rate limit exceeded"]]
    await sandbox.post("counters", value=0)
    assert (await exchange.private("Balance"))["error"] == []


async def test_orders_and_cancellations_do_not_raise_the_call_counter(
    exchange: Exchange, sandbox: Sandbox, market: Market
) -> None:
    await sandbox.post("counters", value=0, maximum=1, decay=0)
    for _ in range(3):
        (txid,) = (await add(exchange, market))["result"]["txid"]
        assert (await exchange.private("CancelOrder", txid=txid))["result"] == {"count": 1}
    assert (await exchange.private("Balance"))["error"] == []
    assert (await exchange.private("Balance"))["error"] == ["EAPI:Rate limit exceeded"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
        ({"volume": "0.0001", "price": "1.0"}, "EOrder:Cost minimum not met"),
        ({"price": "90.05"}, "EOrder:Tick size check failed"),
        ({"volume": "100000000"}, "EOrder:Insufficient funds"),
        ({"price": "150.0", "oflags": "post"}, "EOrder:Post only order"),
        ({"leverage": "2:1"}, "EOrder:Cannot open position"),
        ({"ordertype": "guess"}, "EGeneral:Invalid arguments"),
        ({"price": "much"}, "EGeneral:Invalid arguments:price"),
        ({"pair": "NOSUCH"}, "EQuery:Unknown asset pair"),
    ],
)
async def test_an_order_is_refused_in_the_exchanges_words(
    exchange: Exchange, market: Market, change: dict[str, str], error: str
) -> None:
    assert (await exchange.private("AddOrder", **{"pair": market.pair} | LIMIT | change))["error"] == [error]
    assert await market.orders() == {}


async def test_an_order_that_comes_after_its_deadline_is_refused(exchange: Exchange, market: Market) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert (await add(exchange, market, deadline=past))["error"] == ["EService:Deadline elapsed"]
    future = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    assert (await add(exchange, market, deadline=future))["error"] == []


async def test_open_orders_hold_what_they_need(exchange: Exchange, market: Market) -> None:
    async def held() -> Decimal:
        return Decimal((await exchange.private("BalanceEx"))["result"]["ZEUR"]["hold_trade"])

    before = await held()
    (txid,) = (await add(exchange, market))["result"]["txid"]
    assert await held() == before + 9
    await exchange.private("CancelOrder", txid=txid)
    assert await held() == before


async def test_history_is_always_the_same(exchange: Exchange, market: Market) -> None:
    first, second = [
        (await exchange.public("OHLC", pair=market.pair, interval=60))["result"][market.pair] for _ in range(2)
    ]
    assert first[:-1] == second[:-1]
    assert len(first) == 720


async def test_trades_are_the_latest_or_the_first_after_a_moment(exchange: Exchange, market: Market) -> None:
    async def trades(**more: object) -> list[list[Any]]:
        return list((await exchange.public("Trades", pair=market.pair, **more))["result"][market.pair])

    for price in ("101.0", "102.0", "103.0"):
        await market.move(price)
    every = await trades()
    assert [Decimal(trade[0]) for trade in every] == [100, 101, 102, 103]
    assert await trades(count=2) == every[2:]
    assert await trades(count=2, since=every[0][2]) == every[1:3]


async def test_unknown_methods_and_pairs(exchange: Exchange) -> None:
    assert (await exchange.public("Nothing"))["error"] == ["EGeneral:Unknown method"]
    assert (await exchange.private("Nothing"))["error"] == ["EGeneral:Unknown method"]
    assert (await exchange.public("Ticker", pair="NOSUCH"))["error"] == ["EQuery:Unknown asset pair"]
