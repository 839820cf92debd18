"""The service is killed at the worst moments, and PostgreSQL cuts its connections; each order is taken once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from seatrial_kit.waiting import eventually_async
from tests.support.books import Books
from tests.support.bot import OwnBot, receipt_of
from tests.support.isolation import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tbot.settings import Settings
    from tests.support.bot import Bot
    from tests.support.contract import Receipt
    from tests.support.orders import Account, Payload
    from tests.support.redis_server import RedisServer

WAITING = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


@pytest.fixture
def books(fragile_config: Settings) -> Books:
    return Books(fragile_config)


@asynccontextmanager
async def locked_orders(config: Settings) -> AsyncIterator[None]:
    """Whoever inserts an order meanwhile waits, in the middle of its transaction."""
    async with connected(config) as connection, connection.transaction():
        await connection.execute("LOCK TABLE orders IN SHARE MODE")
        yield


async def in_its_transaction(books: Books, config: Settings, sessions: int = 1) -> None:
    async def probe() -> bool:
        waiting = (await books.fetch(WAITING, config.instance))[0]["n"]
        assert waiting >= sessions, f"{waiting} sessions of the service wait for a lock"
        return True

    await eventually_async(probe, f"{sessions} sessions of the service to be in the middle of their transactions")


async def abandoned(task: asyncio.Task[Receipt]) -> None:
    """The client sees its connection break, and does not know what became of its order."""
    with pytest.raises(httpx.TransportError):
        await task


class TestKill:
    """`kill -9`: no order is lost that was confirmed, and none is taken twice."""

    async def test_in_the_middle_of_the_transaction(
        self, own_bot: OwnBot, own_redis: RedisServer, account: Account, books: Books, fragile_config: Settings
    ) -> None:
        """Nothing of the order is left, in Redis neither: sent again it is new."""
        await own_bot.start()
        payload = account.order()
        async with own_bot.client() as bot, locked_orders(fragile_config):
            placing = asyncio.create_task(bot.place(payload))
            await in_its_transaction(books, fragile_config)
            await own_bot.kill()
            await abandoned(placing)
        assert await own_redis.keys() == []
        await own_bot.start()
        async with own_bot.client() as bot:
            receipt = await bot.place(payload)
        assert not receipt.duplicate
        await books.assert_exactly(account.name, [payload])

    async def test_between_commit_and_redis(
        self, own_bot: OwnBot, own_redis: RedisServer, account: Account, books: Books
    ) -> None:
        """The order is in the books and nobody was told: sent again it is recognised."""
        await own_bot.start()
        payload = account.order()

        async def probe() -> bool:
            assert await books.count(account.name), "no order in PostgreSQL"
            return True

        async with own_bot.client() as bot:
            async with own_redis.client() as redis:
                await redis.client_pause(60_000, all=False)  # reads are answered, writes wait
                placing = asyncio.create_task(bot.place(payload))
                await eventually_async(probe, "the order to be committed")
                await own_bot.kill()
                await redis.client_unpause()
            await asyncio.gather(placing, return_exceptions=True)
        await own_bot.start()
        async with own_bot.client() as bot:
            receipt = await bot.place(account.repeated(payload))
        assert (receipt.duplicate, receipt.order.client_order_id) == (True, payload["client_order_id"])
        await books.assert_exactly(account.name, [payload])

    async def test_again_and_again_under_load(self, own_bot: OwnBot, account: Account, books: Books) -> None:
        """Clients repeat what was not answered, the service is killed three times meanwhile."""
        await own_bot.start()
        payloads = account.orders(120)
        confirmed: dict[str, str] = {}

        async def client(mine: list[Payload]) -> None:
            for payload in mine:
                receipt = await _placed(own_bot, payload)
                confirmed[payload["client_order_id"]] = str(receipt.order.order_id)

        clients = [asyncio.create_task(client(payloads[start::8])) for start in range(8)]
        for threshold in (20, 50, 80):

            async def probe(least: int = threshold) -> bool:
                assert len(confirmed) >= least, f"{len(confirmed)} orders are confirmed"
                return True

            await eventually_async(probe, f"{threshold} confirmed orders")
            await own_bot.restart()
        await asyncio.gather(*clients)
        await books.assert_exactly(account.name, payloads)
        stored = {row["client_order_id"]: str(row["order_id"]) for row in await books.orders(account.name)}
        assert stored == confirmed, "each client was told the id under which its order is in the books"


async def _placed(own_bot: OwnBot, payload: Payload) -> Receipt:
    """By whichever process serves: after a restart it has another port."""

    async def probe() -> httpx.Response:
        async with own_bot.client() as bot:
            return await bot.client.post("/orders", json=payload)

    return receipt_of(await eventually_async(probe, f"an answer to {payload}", transient=(httpx.TransportError,)))


class TestPostgres:
    """Connections that are cut, and orders that cannot be decided."""

    async def test_cut_connections_are_replaced(
        self, own_bot: OwnBot, account: Account, books: Books, fragile_config: Settings
    ) -> None:
        await own_bot.start()
        unique = account.orders(40)
        async with own_bot.client() as bot:
            await bot.place(unique[0])
            placing = [asyncio.create_task(bot.place_for_sure(payload)) for payload in unique]
            await asyncio.wait(placing, return_when=asyncio.FIRST_COMPLETED)
            await books.fetch(TERMINATE, fragile_config.instance)
            receipts = await asyncio.gather(*placing)
        assert len({receipt.order.order_id for receipt in receipts}) == 40
        await books.assert_exactly(account.name, unique)

    async def test_cut_in_the_middle_of_a_transaction_the_order_is_tried_again(
        self, own_bot: OwnBot, account: Account, books: Books, fragile_config: Settings
    ) -> None:
        await own_bot.start()
        payload = account.order()
        async with own_bot.client() as bot:
            async with locked_orders(fragile_config):
                placing = asyncio.create_task(bot.place(payload))
                await in_its_transaction(books, fragile_config)
                await books.fetch(TERMINATE, fragile_config.instance)
                await in_its_transaction(books, fragile_config)
            receipt = await placing
        assert not receipt.duplicate, "it met nobody but itself"
        await books.assert_exactly(account.name, [payload])

    async def test_two_at_the_same_moment(
        self, own_bot: OwnBot, account: Account, books: Books, fragile_config: Settings
    ) -> None:
        """Neither finds the other's order, since neither is committed; one of them gets it all the same."""
        await own_bot.start()
        payload = account.order()
        async with own_bot.client() as bot:
            async with locked_orders(fragile_config):
                placing = [asyncio.create_task(bot.place(account.repeated(payload))) for _ in range(2)]
                await in_its_transaction(books, fragile_config, sessions=2)
            receipts = await asyncio.gather(*placing)
        assert Counter(receipt.duplicate for receipt in receipts) == {False: 1, True: 1}
        await books.assert_exactly(account.name, [payload])


async def test_two_processes_share_one_truth(
    own_bot: OwnBot, fragile_config: Settings, tmp_path: Path, account: Account, books: Books
) -> None:
    """The same orders sent to both at the same moment: each is accepted by one of them, once."""
    (tmp_path / "second").mkdir()
    second = OwnBot(fragile_config, tmp_path / "second")
    try:
        await asyncio.gather(own_bot.start(), second.start())
        payloads = account.orders(40)
        async with own_bot.client() as one, second.client() as other:
            bots: list[Bot] = [one, other]
            receipts = await asyncio.gather(*(bot.place(payload) for payload in payloads for bot in bots))
    finally:
        second.destroy()
    assert Counter(receipt.duplicate for receipt in receipts) == {False: 40, True: 40}
    await books.assert_exactly(account.name, payloads)
