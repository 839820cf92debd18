"""What PostgreSQL holds, asked past the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.isolation import connected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    import asyncpg

    from tbot.settings import Settings

LEDGER = "SELECT balance, sum(amount) AS amount FROM ledger_entries WHERE account = $1 AND asset = $2 GROUP BY balance"
ENTRIES = """
    SELECT orders.order_id FROM orders LEFT JOIN ledger_entries USING (order_id)
    WHERE orders.account = $1 GROUP BY orders.order_id HAVING count(*) <> 2
"""


class Books:
    """The orders and the ledger of one schema."""

    def __init__(self, config: Settings) -> None:
        self._config = config

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with connected(self._config) as connection:
            return list(await connection.fetch(query, *arguments))

    async def orders(self, account: str) -> list[asyncpg.Record]:
        return await self.fetch("SELECT * FROM orders WHERE account = $1 ORDER BY created_at, order_id", account)

    async def count(self, account: str) -> int:
        return len(await self.orders(account))

    async def ledger(self, account: str, asset: str) -> dict[str, Decimal]:
        return {row["balance"]: row["amount"] for row in await self.fetch(LEDGER, account, asset)}

    async def assert_exactly(self, account: str, payloads: Sequence[dict[str, str]]) -> None:
        """Each of these contents is there once, nothing else is, and all of it is booked once and balanced."""
        rows = await self.orders(account)
        found = sorted(_content(dict(row)) for row in rows)
        wanted = sorted({_content(payload) for payload in payloads})
        assert found == wanted, f"{len(found)} orders in the books, {len(wanted)} wanted; {_difference(found, wanted)}"
        unbooked = await self.fetch(ENTRIES, account)
        assert not unbooked, f"orders without exactly two ledger entries: {[str(row['order_id']) for row in unbooked]}"
        spent = sum(row["total"] for row in rows if row["side"] == "buy")
        if spent:
            assert await self.ledger(account, "USD") == {"available": -spent, "reserved": spent}


def _content(row: dict[str, Any]) -> tuple[str, ...]:
    amounts = (f"{float_free(row['quantity'])}", f"{float_free(row['price'])}")
    return (row["account"], row["symbol"], row["side"], *amounts)


def float_free(value: str | Decimal) -> str:
    """The shortest form of an amount, so that 1.50 and 1.5 compare equal."""
    text = str(value) if isinstance(value, str) else f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _difference(found: list[tuple[str, ...]], wanted: list[tuple[str, ...]]) -> str:
    missing = [content for content in wanted if content not in found]
    twice = sorted({content for content in found if found.count(content) > 1})
    return f"missing: {missing[:3]}; more than once: {twice[:3]}"
