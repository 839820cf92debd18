"""The service that the run has started, over HTTP, and what it leaves in PostgreSQL, Redis and InfluxDB."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
import pytest

from seatrial_kit.waiting import eventually_async
from tests.support.books import Books
from tests.support.contract import KEY_PREFIX, Order
from tests.support.isolation import redis_client
from tests.support.points import points

if TYPE_CHECKING:
    from tbot.settings import Settings
    from tests.support.bot import Bot
    from tests.support.orders import Account


@pytest.fixture
def books(run_settings: Settings) -> Books:
    """Those of the running service."""
    return Books(run_settings)


async def test_service_is_ready(bot: Bot) -> None:
    health = await bot.wait_health("all of its services to be ok", MetricsService="ok", CacheManager="ok")
    assert (health.ready, health.degraded) == (True, False)
    assert set(health.services) == {"DatabaseService", "CacheManager", "MetricsService"}


async def test_order_is_accepted_and_stored(bot: Bot, account: Account, books: Books, run_settings: Settings) -> None:
    payload = account.order(quantity="0.12345678", price="45678.12345678")
    receipt = await bot.place(payload)
    assert (receipt.duplicate, receipt.decided_by, receipt.degraded) == (False, "postgres", False)
    assert receipt.order.total == Decimal("5639.27403842")
    assert await bot.order(receipt.order.order_id) == receipt.order
    await books.assert_exactly(account.name, [payload])
    async with redis_client(run_settings, run_settings.redis_db) as redis:
        stored = await redis.get(KEY_PREFIX + receipt.order.content_hash)
    assert Order.model_validate_json(stored or "") == receipt.order


async def test_repeated_order_is_recognised(bot: Bot, account: Account, books: Books) -> None:
    payload = account.order()
    first = await bot.place(payload)
    second = await bot.place(account.repeated(payload))
    assert (second.duplicate, second.decided_by, second.order) == (True, "redis", first.order)
    await books.assert_exactly(account.name, [payload])


async def test_seventy_orders_at_once(bot: Bot, account: Account, books: Books) -> None:
    """50 new ones and 20 repetitions."""
    unique = account.orders(50)
    orders = [*unique, *(account.repeated(payload) for payload in unique[:20])]
    receipts = await asyncio.gather(*(bot.place(payload) for payload in orders))
    assert Counter(receipt.duplicate for receipt in receipts) == {False: 50, True: 20}
    await books.assert_exactly(account.name, unique)


async def test_balances_are_exact(bot: Bot, account: Account) -> None:
    """A third and two thirds of a cent's millionth: what floats would lose adds up here."""
    prices = ["0.00000001", "0.00000002", "99999999.99999999"]
    for price in prices:
        await bot.place(account.order(quantity="1", price=price))
    spent = str(sum(map(Decimal, prices)))
    assert await bot.balances(account.name) == {"USD": {"available": f"-{spent}", "reserved": spent}}


async def test_orders_are_points_in_influxdb(bot: Bot, account: Account, run_settings: Settings) -> None:
    symbol = f"T{uuid.uuid4().hex[:12].upper()}-USD"
    payload = account.order(symbol=symbol)
    await bot.place(payload)
    await bot.place(account.repeated(payload))

    async def probe() -> list[str]:
        found = [point["outcome"] for point in await points(run_settings, "orders") if point["symbol"] == symbol]
        assert len(found) > 1, found
        return found

    assert await eventually_async(probe, f"the points of {symbol}") == ["new", "duplicate"]


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("quantity", "0", "greater than 0"),
        ("quantity", "-1", "greater than 0"),
        ("quantity", "NaN", "finite"),
        ("quantity", "0.123456789", "8 decimal places"),
        ("quantity", 0.5, "as strings"),
        ("price", "1e400", "digits"),
        ("price", "100000000000000000000", "20 digits before the decimal point"),
        ("side", "hold", "'buy' or 'sell'"),
        ("symbol", "BTC", "pattern"),
        ("account", "", "at least 1"),
        ("account", "'; DROP TABLE orders; --", "pattern"),
        ("client_order_id", None, "string"),
    ],
)
async def test_impossible_orders_are_refused_by_name(  # noqa: PLR0917  (fixtures and cases)
    bot: Bot, account: Account, books: Books, member: str, value: object, message: str
) -> None:
    payload: dict[str, object] = dict(account.order()) | {member: value}
    response = await bot.client.post("/orders", json=payload)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY, response.text
    (problem,) = response.json()["errors"]
    assert problem["field"] == member
    assert message in problem["message"]
    assert await books.count(account.name) == 0


@pytest.mark.parametrize(
    ("members", "message"),
    [
        pytest.param({"quantity": "99999999999999999999", "price": "2"}, "28 digits", id="total-too-large"),
        pytest.param({"quantity": "0.00000001", "price": "0.00000001"}, "quantity times price", id="total-zero"),
    ],
)
async def test_orders_without_a_possible_total_are_refused(
    bot: Bot, account: Account, members: dict[str, str], message: str
) -> None:
    response = await bot.client.post("/orders", json=account.order(**members))
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY, response.text
    assert message in response.json()["errors"][0]["message"]


@pytest.mark.parametrize("body", [b"", b"{truncated", b"[]", b"\xff\xfe", b'{"unknown": 1}'], ids=repr)
async def test_bodies_that_are_no_order_are_refused(bot: Bot, body: bytes) -> None:
    response = await bot.client.post("/orders", content=body)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.json()["errors"]


async def test_a_body_that_is_too_large_is_refused(bot: Bot) -> None:
    response = await bot.client.post("/orders", content=b" " * 20_000)
    assert response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


async def test_unknown_orders_are_not_found(bot: Bot) -> None:
    for order_id, status in ((uuid.uuid4(), httpx.codes.NOT_FOUND), ("17", httpx.codes.UNPROCESSABLE_ENTITY)):
        response = await bot.client.get(f"/orders/{order_id}")
        assert response.status_code == status
        assert response.json()["errors"][0]["field"] == "order_id"
