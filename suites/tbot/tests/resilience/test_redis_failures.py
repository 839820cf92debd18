"""Redis is stopped, killed, frozen and emptied under a running service; orders go on, once each."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import httpx

from tests.support.books import Books
from tests.support.contract import KEY_PREFIX

if TYPE_CHECKING:
    from tbot.settings import Settings
    from tests.support.bot import OwnBot
    from tests.support.orders import Account
    from tests.support.redis_server import RedisServer


async def test_stopped_and_started_again(
    own_bot: OwnBot, own_redis: RedisServer, account: Account, fragile_config: Settings
) -> None:
    await own_bot.start()
    payloads = account.orders(3)
    async with own_bot.client() as bot:
        before = await bot.place(payloads[0])
        await own_redis.stop()
        health = await bot.wait_health("Redis to be missed", CacheManager="Redis does not answer")
        assert (health.ready, health.degraded) == (True, True)
        during = await bot.place(payloads[1])
        assert (during.duplicate, during.decided_by, during.degraded) == (False, "postgres", True)
        for payload, receipt in zip(payloads[:2], (before, during), strict=True):
            repeated = await bot.place(account.repeated(payload))
            assert (repeated.duplicate, repeated.decided_by, repeated.order) == (True, "postgres", receipt.order)

        await own_redis.start()
        health = await bot.wait_health("Redis to be back", CacheManager="ok")
        assert not health.degraded
        after = await bot.place(payloads[2])
        assert (after.duplicate, after.degraded) == (False, False)
        assert await own_redis.keys() == [KEY_PREFIX + after.order.content_hash]
        relearned = [await bot.place(account.repeated(payloads[0])) for _ in range(2)]
        assert [receipt.decided_by for receipt in relearned] == ["postgres", "redis"]
    await Books(fragile_config).assert_exactly(account.name, payloads)


async def test_killed_between_orders_that_come_at_once(
    own_bot: OwnBot, own_redis: RedisServer, account: Account, fragile_config: Settings
) -> None:
    """Connections break in the middle of commands: no order is refused, lost or doubled by it."""
    await own_bot.start()
    unique = account.orders(60)
    async with own_bot.client() as bot:
        first = [asyncio.create_task(bot.place(payload)) for payload in unique]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        await own_redis.kill()
        second = [asyncio.create_task(bot.place(account.repeated(payload))) for payload in unique]
        receipts = await asyncio.gather(*first, *second)
    assert Counter(receipt.duplicate for receipt in receipts) == {False: 60, True: 60}
    await Books(fragile_config).assert_exactly(account.name, unique)


async def test_frozen_does_not_hold_up_orders(own_bot: OwnBot, own_redis: RedisServer, account: Account) -> None:
    """A Redis that takes connections and answers nothing is worse than none: orders go on without it."""
    await own_bot.start()
    payloads = account.orders(5)
    async with own_bot.client() as bot:
        await bot.place(payloads[0])
        own_redis.freeze()
        try:
            receipts = [await bot.place(payload) for payload in payloads]
        finally:
            own_redis.thaw()
        assert [receipt.duplicate for receipt in receipts] == [True, False, False, False, False]
        assert {receipt.decided_by for receipt in receipts} == {"postgres"}
        await bot.wait_health("Redis to be back", CacheManager="ok")
        assert (await bot.place(account.repeated(payloads[0]))).duplicate


async def test_emptied_forgets_no_order(own_bot: OwnBot, own_redis: RedisServer, account: Account) -> None:
    await own_bot.start()
    payload = account.order()
    async with own_bot.client() as bot, own_redis.client() as redis:
        accepted = await bot.place(payload)
        await redis.flushall()
        repeated = await bot.place(account.repeated(payload))
        assert (repeated.duplicate, repeated.decided_by, repeated.order) == (True, "postgres", accepted.order)


async def test_unreadable_entry_is_replaced(own_bot: OwnBot, own_redis: RedisServer, account: Account) -> None:
    await own_bot.start()
    payload = account.order()
    async with own_bot.client() as bot, own_redis.client() as redis:
        accepted = await bot.place(payload)
        await redis.set(KEY_PREFIX + accepted.order.content_hash, '{"order_id": 7}')
        decided = [(await bot.place(account.repeated(payload))).decided_by for _ in range(2)]
        assert decided == ["postgres", "redis"]
    assert own_redis.password not in own_bot.running().output()


async def test_away_from_the_start(own_bot: OwnBot, own_redis: RedisServer, account: Account) -> None:
    await own_redis.stop()
    await own_bot.start()
    async with own_bot.client() as bot:
        receipt = await bot.place(account.order())
        assert (receipt.duplicate, receipt.degraded) == (False, True)
        assert (await bot.client.get("/healthz")).status_code == httpx.codes.OK
