"""SIGTERM, and starts that cannot succeed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.books import Books
from tests.support.bot import OwnBot
from tests.support.contract import KEY_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from tbot.settings import Settings
    from tests.support.orders import Account
    from tests.support.redis_server import RedisServer


@pytest.fixture
def books(fragile_config: Settings) -> Books:
    return Books(fragile_config)


class TestStop:
    """SIGTERM: what is under way is finished, then the process ends with 0."""

    async def test_idle(self, own_bot: OwnBot) -> None:
        await own_bot.start()
        assert await own_bot.running().terminate() == 0

    async def test_under_load(self, own_bot: OwnBot, own_redis: RedisServer, account: Account, books: Books) -> None:
        """An order is confirmed and in the books, or refused; and in Redis, unless its receipt says otherwise."""
        await own_bot.start()
        payloads = account.orders(200)
        async with own_bot.client() as bot:
            placing = [asyncio.create_task(bot.place(payload)) for payload in payloads]
            await asyncio.wait(placing, return_when=asyncio.FIRST_COMPLETED)
            assert await own_bot.running().terminate() == 0
            answers = await asyncio.gather(*placing, return_exceptions=True)
        receipts = [answer for answer in answers if not isinstance(answer, BaseException)]
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert receipts
        assert all(isinstance(error, httpx.TransportError) for error in refused), refused
        stored = {str(row["order_id"]) for row in await books.orders(account.name)}
        assert {str(receipt.order.order_id) for receipt in receipts} <= stored
        told = {KEY_PREFIX + receipt.order.content_hash for receipt in receipts if not receipt.degraded}
        assert told <= set(await own_redis.keys())

    @pytest.mark.parametrize(
        ("settings", "status", "words"),
        [
            pytest.param({"database_port": 1, "connect_deadline_seconds": 0.1}, 1, ":1/", id="no-postgres"),
            pytest.param({"database_schema": "no spaces"}, 2, "DATABASE_SCHEMA", id="wrong-setting"),
        ],
    )
    async def test_what_cannot_work_ends_at_once_and_says_why(
        self, fragile_config: Settings, tmp_path: Path, settings: dict[str, Any], status: int, words: str
    ) -> None:
        bot = OwnBot(fragile_config.model_copy(update=settings), tmp_path)
        try:
            bot.launch()
            assert await bot.running().ended() == status
            assert words in bot.running().output()
            assert "Traceback" not in bot.running().output()
        finally:
            bot.destroy()
