"""Everything fails at random while clients order. CHAOS_SEED repeats earlier faults, CHAOS_ROUNDS (10) adds some."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from seatrial_kit.waiting import eventually_async
from tests.support.books import Books
from tests.support.bot import receipt_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tbot.settings import Settings
    from tests.support.bot import OwnBot
    from tests.support.contract import Receipt
    from tests.support.orders import Account, Payload
    from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]  # the service starts anew several times
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "10"))
CLIENTS = 8
PROGRESS = 15
"""Orders that must be confirmed between two faults, so that each fault meets a service at work."""
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


class Faults:
    """What can go wrong, each method once and over when it returns."""

    def __init__(self, bot: OwnBot, redis: RedisServer, books: Books, config: Settings, progress: Progress) -> None:
        self._bot, self._redis, self._books, self._config, self._progress = bot, redis, books, config, progress
        self.all: dict[str, Callable[[], Awaitable[Any]]] = {
            "the service is killed": bot.restart,
            "the service hangs": self.service_hangs,
            "Redis is killed and comes back empty": self.redis_killed,
            "Redis is stopped and comes back empty": self.redis_stopped,
            "Redis hangs": self.redis_hangs,
            "Redis forgets everything": self.redis_emptied,
            "Redis cuts its connections": self.redis_cuts,
            "PostgreSQL cuts its connections": self.postgres_cuts,
            "the service is killed while Redis is away": self.both,
        }

    async def service_hangs(self) -> None:
        self._bot.running().freeze()
        await self.redis_cuts()
        self._bot.running().thaw()

    async def redis_killed(self) -> None:
        await self._redis.kill()
        await self._progress.more(PROGRESS)
        await self._redis.start()

    async def redis_stopped(self) -> None:
        await self._redis.stop()
        await self._progress.more(PROGRESS)
        await self._redis.start()

    async def redis_hangs(self) -> None:
        self._redis.freeze()
        await self._progress.more(PROGRESS)
        self._redis.thaw()

    async def redis_emptied(self) -> None:
        async with self._redis.client() as client:
            await client.flushall()

    async def redis_cuts(self) -> None:
        async with self._redis.client() as client:
            await client.client_kill_filter(_type="normal", skipme=True)

    async def postgres_cuts(self) -> None:
        await self._books.fetch(TERMINATE, self._config.instance)

    async def both(self) -> None:
        await self._redis.kill()
        await self._bot.restart()
        await self._progress.more(PROGRESS)
        await self._redis.start()


class Progress:
    """What clients were told: client order id -> receipt."""

    def __init__(self) -> None:
        self.receipts: dict[str, Receipt] = {}

    async def more(self, count: int) -> None:
        wanted = len(self.receipts) + count

        async def probe() -> bool:
            assert len(self.receipts) >= wanted, f"{len(self.receipts)} orders are confirmed"
            return True

        await eventually_async(probe, f"{wanted} confirmed orders")


async def test_random_faults(
    own_bot: OwnBot,
    own_redis: RedisServer,
    account: Account,
    fragile_config: Settings,
    record_property: Callable[[str, object], None],
) -> None:
    """However often and wherever it is interrupted: each content is one order, and all who sent it know that one."""
    seed = os.environ.get("CHAOS_SEED") or secrets.token_hex(4)
    record_property("seed", seed)
    print(f"CHAOS_SEED={seed}")
    chance = random.Random(seed)
    progress, books = Progress(), Books(fragile_config)
    await own_bot.start()
    faults = Faults(own_bot, own_redis, books, fragile_config, progress)
    sent: dict[str, Payload] = {}
    over = asyncio.Event()

    async def client() -> None:
        while not over.is_set():
            again = bool(sent) and chance.random() < 0.3
            payload = account.repeated(chance.choice(list(sent.values()))) if again else account.order()
            sent[payload["client_order_id"]] = payload
            progress.receipts[payload["client_order_id"]] = await _placed(own_bot, payload)

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    try:
        for number in range(ROUNDS):
            await progress.more(PROGRESS)
            fault = chance.choice(sorted(faults.all))
            print(f"round {number + 1}, {len(progress.receipts)} orders: {fault}")
            await faults.all[fault]()
        await progress.more(PROGRESS)
    finally:
        over.set()
        await asyncio.gather(*clients)

    await books.assert_exactly(account.name, list(sent.values()))
    stored = {row["content_hash"]: str(row["order_id"]) for row in await books.orders(account.name)}
    for receipt in progress.receipts.values():
        assert str(receipt.order.order_id) == stored[receipt.order.content_hash]
    async with own_redis.client() as redis:
        for key in await own_redis.keys("idempotency:order:*"):
            assert stored[key.rpartition(":")[2]] in (await redis.get(key) or "")
    record_property("orders", len(sent))
    print(f"{len(sent)} orders, {len(stored)} of them unique, through {ROUNDS} faults")


async def _placed(own_bot: OwnBot, payload: Payload) -> Receipt:
    async def probe() -> httpx.Response:
        async with own_bot.client() as bot:
            response = await bot.client.post("/orders", json=payload)
        assert response.status_code != httpx.codes.SERVICE_UNAVAILABLE, response.text
        return response

    return receipt_of(await eventually_async(probe, f"an answer to {payload}", transient=(httpx.TransportError,)))
