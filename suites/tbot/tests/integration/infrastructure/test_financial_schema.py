"""The financial schema: what PostgreSQL itself refuses, whoever writes."""

from __future__ import annotations

import asyncio
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tbot.database import DatabaseService
from tbot.migrate import migrate
from tests.integration.infrastructure.service_factory import ProductionReadyTestBase
from tests.support.isolation import connected

if TYPE_CHECKING:
    from tests.integration.infrastructure.service_factory import CleanDatabase, RealServiceFactory

AMOUNTS = """
    SELECT table_name, column_name, numeric_precision, numeric_scale FROM information_schema.columns
    WHERE table_schema = $1 AND data_type = 'numeric' ORDER BY 1, 2
"""
INSERT = """
    INSERT INTO orders
    VALUES ($1, 'c', 'a', 'BTC-USD', $2, $3::numeric, $4::numeric, $5::numeric, repeat('a', 64), now())
"""
ENTRY = """
    INSERT INTO ledger_entries (order_id, account, balance, asset, amount) VALUES ($1, 'a', $2, 'USD', $3::numeric)
"""
FIVE = (Decimal(1), Decimal(5), Decimal(5))


class TestSchema(ProductionReadyTestBase):
    """On the tables that the service has made."""

    async def test_amounts_have_28_digits_and_8_places(self) -> None:
        rows = await self.database.books.fetch(AMOUNTS, self.database.config.database_schema)
        assert {(row["table_name"], row["column_name"]) for row in rows} == {
            ("ledger_entries", "amount"),
            ("orders", "price"),
            ("orders", "quantity"),
            ("orders", "total"),
        }
        assert {(row["numeric_precision"], row["numeric_scale"]) for row in rows} == {(28, 8)}

    @pytest.mark.parametrize(
        ("side", "quantity", "price", "total"),
        [
            pytest.param("hold", "1", "1", "1", id="side"),
            pytest.param("buy", "0", "1", "1", id="quantity"),
            pytest.param("buy", "1", "-1", "1", id="price"),
            pytest.param("buy", "2", "3", "6.00000001", id="total"),
        ],
    )
    async def test_impossible_orders_are_refused(self, side: str, quantity: str, price: str, total: str) -> None:
        async with connected(self.database.config) as connection:
            amounts = (Decimal(quantity), Decimal(price), Decimal(total))
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(INSERT, uuid.uuid4(), side, *amounts)

    async def test_unbalanced_entries_are_refused_at_commit(self) -> None:
        """One half of a booking does not stay, and takes with it what was done in the same transaction."""
        order_id = uuid.uuid4()
        async with connected(self.database.config) as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(INSERT, order_id, "buy", *FIVE)
            await connection.execute(ENTRY, order_id, "available", Decimal(-5))
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=r"differ by -5\.00000000 USD"):
                await transaction.commit()
            assert await connection.fetchval("SELECT count(*) FROM orders") == 0
            async with connection.transaction():
                await connection.execute(INSERT, order_id, "buy", *FIVE)
                await connection.execute(ENTRY, order_id, "available", Decimal(-5))
                await connection.execute(ENTRY, order_id, "reserved", Decimal(5))
            assert await connection.fetchval("SELECT count(*) FROM orders") == 1

    @pytest.mark.parametrize(
        "statement",
        ["UPDATE orders SET price = 1", "DELETE FROM orders", "UPDATE ledger_entries SET amount = 1"],
    )
    async def test_history_cannot_be_changed(self, statement: str) -> None:
        await self.trading.place(self.account.order())
        async with connected(self.database.config) as connection:
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="is append-only"):
                await connection.execute(statement)

    async def test_orders_are_booked_in_what_they_pay(self) -> None:
        await self.trading.place(self.account.order(side="buy", quantity="2", price="10.5"))
        await self.trading.place(self.account.order(side="sell", quantity="0.25", price="11"))
        balances = await self.container.get(DatabaseService).balances(self.account.name)
        assert balances == {
            "USD": {"available": Decimal(-21), "reserved": Decimal(21)},
            "BTC": {"available": Decimal("-0.25"), "reserved": Decimal("0.25")},
        }

    async def test_the_same_content_is_a_new_order_after_its_window(self) -> None:
        """Ordered again tomorrow it is another order: neither store remembers longer than the window."""
        payload = self.account.order()
        first = await self.trading.place(payload)
        async with connected(self.database.config) as connection:
            await connection.execute("UPDATE idempotency_keys SET expires_at = now() - interval '1 microsecond'")
        async with self.database.redis() as client:
            await client.delete(*await self.database.redis_keys())
        second = await self.trading.place(payload)
        third = await self.trading.place(payload)
        assert (second.duplicate, third.duplicate) == (False, True)
        assert second.order.order_id == third.order.order_id != first.order.order_id


class TestMigration:
    """Schemas are made by whoever comes first."""

    async def test_several_processes_at_once_make_one_schema(
        self, factory: RealServiceFactory, clean_database: CleanDatabase
    ) -> None:
        containers = await asyncio.gather(*(factory.initialize_core_services(clean_database) for _ in range(4)))
        assert len(containers) == 4
        names = [row["name"] for row in await clean_database.books.fetch("SELECT name FROM schema_versions")]
        assert names == ["001_orders.sql"]

    async def test_a_second_time_changes_nothing(self, clean_database: CleanDatabase) -> None:
        schema = clean_database.config.database_schema
        async with connected(clean_database.config) as connection:
            assert await migrate(connection, schema) == ["001_orders.sql"]
            assert await migrate(connection, schema) == []
