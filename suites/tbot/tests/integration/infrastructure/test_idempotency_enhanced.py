"""Enhanced idempotency: six scenarios, each a test, and all of them one after the other on one environment."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from tbot.cache import CacheManager
from tests.support.contract import KEY_PREFIX, Order

if TYPE_CHECKING:
    from tests.integration.infrastructure.service_factory import Trading

UNIQUE_ORDERS = 50
DUPLICATE_ORDERS = 20


async def test_financial_precision_idempotency(trading: Trading) -> None:
    """Totals are exact to the eighth place, in the answer, in PostgreSQL and in Redis; the same money is the same."""
    payload = trading.account.order(quantity="0.12345678", price="45678.12345678")
    exact = Decimal("0.12345678") * Decimal("45678.12345678")
    assert str(exact) == "5639.2740384165279684", "the product itself has 16 places"

    first = await trading.place(payload)
    assert str(first.order.total) == "5639.27403842"
    (row,) = await trading.books.orders(trading.account.name)
    assert (row["quantity"], row["price"]) == (Decimal("0.12345678"), Decimal("45678.12345678"))
    assert str(row["total"]) == "5639.27403842"

    written_otherwise = {"quantity": "0.1234567800", "price": "4567812345678E-8"}
    assert trading.account.order(**written_otherwise)["quantity"] != payload["quantity"]
    again = await trading.place(trading.account.order(quantity="0.12345678", price="4567812345678E-8"))
    assert (again.duplicate, again.order) == (True, first.order)


async def test_financial_precision_of_28_digits(trading: Trading) -> None:
    """A float would have lost the last twelve of them."""
    price = "99999999999999999999.99999999"
    receipt = await trading.place(trading.account.order(quantity="1", price=price))
    assert f"{receipt.order.total:f}" == price
    (row,) = await trading.books.orders(trading.account.name)
    assert (f"{row['price']:f}", f"{row['total']:f}") == (price, price)
    ledger = await trading.books.ledger(trading.account.name, "USD")
    assert ledger == {"available": -Decimal(price), "reserved": Decimal(price)}


async def test_database_persistence_verification(trading: Trading) -> None:
    """An accepted order is in PostgreSQL and, under the hash of its content, in Redis; no longer than it counts."""
    payloads = trading.account.orders(3)
    receipts = await trading.process_orders_sequentially(payloads)
    await trading.books.assert_exactly(trading.account.name, payloads)

    keys = [KEY_PREFIX + receipt.order.content_hash for receipt in receipts]
    assert set(keys) <= set(await trading.database.redis_keys())
    async with trading.database.redis() as client:
        for key, receipt in zip(keys, receipts, strict=True):
            stored = Order.model_validate_json(await client.get(key) or "")
            assert stored.model_dump() == receipt.order.model_dump()
            assert 0 < await client.ttl(key) <= trading.database.config.idempotency_window_seconds

    repeated = await trading.process_orders_sequentially(payloads)
    assert {(receipt.duplicate, receipt.decided_by) for receipt in repeated} == {(True, "redis")}
    assert [receipt.order.order_id for receipt in repeated] == [receipt.order.order_id for receipt in receipts]


async def test_high_frequency_trading_stress(trading: Trading) -> None:
    """70 orders at once, 50 of them unique and 20 repetitions under other ids, in any order."""
    unique = trading.account.orders(UNIQUE_ORDERS)
    repetitions = [trading.account.repeated(payload) for payload in random.sample(unique, DUPLICATE_ORDERS)]
    orders = [*unique, *repetitions]
    random.shuffle(orders)
    receipts = await trading.process_orders_concurrently(orders)

    new_orders = sum(not receipt.duplicate for receipt in receipts)
    duplicates = sum(receipt.duplicate for receipt in receipts)
    assert (new_orders, duplicates) == (UNIQUE_ORDERS, DUPLICATE_ORDERS)
    assert len({receipt.order.order_id for receipt in receipts}) == UNIQUE_ORDERS
    await trading.books.assert_exactly(trading.account.name, unique)
    hashes = {receipt.order.content_hash for receipt in receipts}
    assert {KEY_PREFIX + digest for digest in hashes} <= set(await trading.database.redis_keys())


async def test_high_frequency_trading_one_after_the_other(trading: Trading) -> None:
    """The same 70 in a row: here every repetition is answered from Redis."""
    unique = trading.account.orders(UNIQUE_ORDERS)
    repetitions = [trading.account.repeated(payload) for payload in unique[:DUPLICATE_ORDERS]]
    receipts = await trading.process_orders_sequentially([*unique, *repetitions])
    assert Counter((receipt.duplicate, receipt.decided_by) for receipt in receipts) == {
        (False, "postgres"): UNIQUE_ORDERS,
        (True, "redis"): DUPLICATE_ORDERS,
    }
    await trading.books.assert_exactly(trading.account.name, unique)


async def test_redis_failure_fallback(fragile_trading: Trading) -> None:
    """Redis is stopped and started again: orders are accepted and repetitions recognised all the time."""
    trading, server = fragile_trading, fragile_trading.redis_server
    before = trading.account.order()
    accepted = await trading.place(before)
    assert (accepted.duplicate, accepted.degraded) == (False, False)

    await server.stop()
    assert (await trading.container.health())["CacheManager"].startswith("Redis does not answer")
    meanwhile = trading.account.order()
    fresh = await trading.place(meanwhile)
    assert (fresh.duplicate, fresh.decided_by, fresh.degraded) == (False, "postgres", True)
    for payload, receipt in ((before, accepted), (meanwhile, fresh)):
        repeated = await trading.place(trading.account.repeated(payload))
        assert (repeated.duplicate, repeated.decided_by, repeated.degraded) == (True, "postgres", True)
        assert repeated.order == receipt.order

    await server.start()
    assert await server.keys() == [], "it lost everything that it knew"
    await trading.container.get(CacheManager).ping()
    for decided_by in ("postgres", "redis"):  # what Redis had forgotten it learns from the first repetition
        repeated = await trading.place(trading.account.repeated(before))
        assert (repeated.duplicate, repeated.decided_by, repeated.degraded) == (True, decided_by, False)
        assert repeated.order == accepted.order
    await trading.books.assert_exactly(trading.account.name, [before, meanwhile])


async def test_order_modification_detection(trading: Trading) -> None:
    """Not the id makes an order, its content does: each modification under the same id is an order of its own."""
    original = trading.account.order()
    modifications = [
        original | {"quantity": "0.50000001"},
        original | {"price": "46000"},
        original | {"side": "sell"},
        original | {"symbol": "ETH-USD"},
        original | {"account": f"{trading.account.name}-other"},
    ]
    receipts = await trading.process_orders_sequentially([original, *modifications])
    assert [receipt.duplicate for receipt in receipts] == [False] * len(receipts)
    assert len({receipt.order.content_hash for receipt in receipts}) == len(receipts)
    again = await trading.place(original)
    assert (again.duplicate, again.order.order_id) == (True, receipts[0].order.order_id)


async def test_concurrent_same_content(trading: Trading) -> None:
    """Ten clients send the same content at the same moment under ten ids: one order, known to all of them."""
    payload = trading.account.order()
    receipts = await trading.process_orders_concurrently([trading.account.repeated(payload) for _ in range(10)])
    assert Counter(receipt.duplicate for receipt in receipts) == {False: 1, True: 9}
    assert len({receipt.order.order_id for receipt in receipts}) == 1
    await trading.books.assert_exactly(trading.account.name, [payload])


async def test_enhanced_idempotency_suite(fragile_trading: Trading) -> None:
    """All six scenarios on one environment: what one leaves behind must not disturb the next."""
    for scenario, passed in (
        (test_financial_precision_idempotency, "Financial precision: totals are exact"),
        (test_database_persistence_verification, "Database persistence: orders are in PostgreSQL and in Redis"),
        (test_high_frequency_trading_stress, f"Stress: {UNIQUE_ORDERS} new, {DUPLICATE_ORDERS} duplicates"),
        (test_redis_failure_fallback, "Redis failure: PostgreSQL decided alone"),
        (test_order_modification_detection, "Order modification: content decides, not the id"),
        (test_concurrent_same_content, "Concurrent same content: one order"),
    ):
        trading = type(fragile_trading)(
            fragile_trading.container, fragile_trading.database, fragile_trading.redis_server
        )
        await scenario(trading)
        print(passed)
