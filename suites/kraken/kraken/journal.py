"""The journal in PostgreSQL: every order before it is sent, every trade once."""

from __future__ import annotations

import asyncio
import json
import logging
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from kraken.bugs import Bug
from kraken.models import ZERO, Order, Status, Trade
from kraken.settings import Mode

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

RETRY_SECONDS: Final = 0.2
POOL_SIZE: Final = 4
UNREACHABLE: Final = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)
_COLUMNS: Final = (
    "id, txid, pair, side, kind, price, volume, leverage, mode, post_only, stop_loss, take_profit, parent, status, "
    "reason, deadline, created_at"
)
_SELECT: Final = f"""
    SELECT {_COLUMNS}, filled.executed, filled.cost, filled.fee FROM kraken.orders AS o
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(t.volume), 0) AS executed, COALESCE(sum(t.cost), 0) AS cost, COALESCE(sum(t.fee), 0) AS fee
        FROM kraken.trades AS t WHERE t.order_id = o.id
    ) AS filled
"""  # noqa: S608  (constants)
log = logging.getLogger(__name__)


class UnreachableError(Exception):
    """The database stayed out of reach for the deadline."""


class Journal:
    """Reads and writes; each method is one statement or one transaction."""

    def __init__(self, pool: asyncpg.Pool, bug: Bug = Bug.NONE) -> None:
        self._pool = pool
        self._bug = bug

    @classmethod
    async def open(cls, url: str, seconds: float, bug: Bug = Bug.NONE) -> Journal:
        """Connect and create what is missing. Raises UnreachableError."""
        schema = files("kraken").joinpath("schema.sql").read_text()
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_delay(seconds),
                wait=wait_fixed(RETRY_SECONDS),
                retry=retry_if_exception_type(UNREACHABLE),
                reraise=True,
            ):
                with attempt:
                    pool = await asyncpg.create_pool(url, min_size=1, max_size=POOL_SIZE)
                    await pool.execute(schema)
                    return cls(pool, bug)
        except UNREACHABLE as error:
            raise UnreachableError(f"no PostgreSQL at DATABASE_URL after {seconds:g} s: {error}") from None
        raise AssertionError("the last error is raised")

    async def close(self) -> None:
        async with asyncio.timeout(1):
            await self._pool.close()

    async def ping(self) -> None:
        await self._pool.fetchval("SELECT 1")

    async def admit(self, order: Order) -> bool:
        """Write an order before anything is sent; False if its id is there already (one not placed is taken up)."""
        row = await self._pool.fetchrow(
            """
            INSERT INTO kraken.orders (id, pair, side, kind, price, volume, leverage, mode, post_only, stop_loss,
                                       take_profit, parent, status, reason, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            ON CONFLICT (id) DO UPDATE SET status = excluded.status, reason = excluded.reason, deadline = NULL,
                                           volume = excluded.volume, created_at = excluded.created_at,
                                           updated_at = now()
            WHERE orders.status = 'not_placed'
            RETURNING id
            """,
            order.id,
            order.pair,
            order.side,
            order.kind,
            order.price,
            order.volume,
            order.leverage,
            order.mode.value,
            order.post_only,
            order.stop_loss,
            order.take_profit,
            order.parent,
            order.status.value,
            order.reason,
            order.created_at,
        )
        return row is not None

    async def sending(self, order_id: uuid.UUID, deadline: datetime) -> None:
        await self._pool.execute("UPDATE kraken.orders SET deadline = $2 WHERE id = $1", order_id, deadline)

    async def settle(
        self, order_id: uuid.UUID, status: Status, *, txid: str | None = None, reason: str | None = None
    ) -> Order:
        """What became of an order; a final status stays, whatever is heard later.

        That it was not placed is what we believe: an exchange that reports the order knows better.
        """
        await self._pool.execute(
            """
            UPDATE kraken.orders SET txid = COALESCE($3, txid), updated_at = now(),
                status = CASE WHEN status IN ('pending', 'open', 'not_placed') THEN $2 ELSE status END,
                reason = CASE WHEN status IN ('pending', 'open', 'not_placed') THEN COALESCE($4, reason) ELSE reason END
            WHERE id = $1
            """,
            order_id,
            status.value,
            txid,
            reason,
        )
        return await self.get(order_id)

    async def give_up(self, order: Order, reason: str) -> None:
        """An order that the exchange does not have is not placed, unless it has been sent since it was read."""
        await self._pool.execute(
            "UPDATE kraken.orders SET status = 'not_placed', reason = $3, updated_at = now() "
            "WHERE id = $1 AND status = 'pending' AND deadline IS NOT DISTINCT FROM $2",
            order.id,
            order.deadline,
            reason,
        )

    async def book(self, trade: Trade) -> bool:
        """Book a trade; False if it is booked already."""
        row = await self._pool.fetchrow(
            """
            INSERT INTO kraken.trades (id, order_id, pair, side, price, volume, cost, fee, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING RETURNING id
            """,
            trade.id,
            trade.order_id,
            trade.pair,
            trade.side,
            trade.price,
            trade.volume,
            trade.cost,
            trade.fee,
            trade.at,
        )
        return row is not None

    async def find(self, order_id: uuid.UUID) -> Order | None:
        row = await self._pool.fetchrow(f"{_SELECT} WHERE o.id = $1", order_id)
        return _order(row) if row is not None else None

    async def get(self, order_id: uuid.UUID) -> Order:
        order = await self.find(order_id)
        if order is None:
            raise LookupError(f"no order {order_id}")
        return order

    async def by_txid(self, txids: Sequence[str]) -> dict[str, Order]:
        rows = await self._pool.fetch(f"{_SELECT} WHERE o.txid = ANY($1)", list(txids))
        return {row["txid"]: _order(row) for row in rows}

    async def orders(
        self, *, statuses: Sequence[Status] = (), pair: str | None = None, limit: int | None = 1000
    ) -> list[Order]:
        """The latest first; without a limit all."""
        rows = await self._pool.fetch(
            f"{_SELECT} WHERE (cardinality($1::text[]) = 0 OR status = ANY($1)) AND ($2::text IS NULL OR pair = $2) "
            "ORDER BY created_at DESC LIMIT $3",
            [status.value for status in statuses],
            pair,
            limit,
        )
        return [_order(row) for row in rows]

    async def guarded(self, pair: str | None = None) -> list[Order]:
        """Orders with a stop-loss or take-profit that have traded and are not left yet; none that is being left now."""
        rows = await self._pool.fetch(
            f"""{_SELECT} WHERE ($1::text IS NULL OR pair = $1) AND (stop_loss IS NOT NULL OR take_profit IS NOT NULL)
            AND filled.executed > (
                SELECT COALESCE(sum(t.volume), 0) FROM kraken.orders AS e
                JOIN kraken.trades AS t ON t.order_id = e.id WHERE e.parent = o.id
            )
            AND NOT EXISTS (
                SELECT FROM kraken.orders AS e WHERE e.parent = o.id AND e.status IN ('pending', 'open')
            )""",  # noqa: S608  (constants)
            pair,
        )
        return [_order(row) for row in rows]

    async def exits(self, parent: uuid.UUID) -> list[Order]:
        rows = await self._pool.fetch(f"{_SELECT} WHERE parent = $1", parent)
        return [_order(row) for row in rows]

    async def trades(self, *, pair: str | None = None, order_id: uuid.UUID | None = None) -> list[Trade]:
        """In the order of their time."""
        rows = await self._pool.fetch(
            "SELECT id, order_id, pair, side, price, volume, cost, fee, at FROM kraken.trades "
            "WHERE ($1::text IS NULL OR pair = $1) AND ($2::uuid IS NULL OR order_id = $2) ORDER BY at, id",
            pair,
            order_id,
        )
        return [Trade(**dict(row)) for row in rows]

    async def traded_since(self, since: datetime) -> int:
        """Orders that were or may have been placed; exits that protect a position do not count."""
        if self._bug is Bug.NO_DAILY_LIMIT:
            return 0
        return int(
            await self._pool.fetchval(
                "SELECT count(*) FROM kraken.orders WHERE created_at >= $1 AND parent IS NULL "
                "AND status NOT IN ('rejected', 'not_placed', 'validated')",
                since,
            )
        )

    async def unsettled_volume(self, pair: str) -> dict[str, Decimal]:
        """What may still be bought and sold."""
        found = await self.orders(statuses=(Status.PENDING, Status.OPEN), pair=pair)
        live = [order for order in found if order.mode is not Mode.VALIDATE]
        return {side: sum((o.remaining for o in live if o.side == side), ZERO) for side in ("buy", "sell")}

    async def load(self, name: str) -> Any:
        value = await self._pool.fetchval("SELECT value FROM kraken.state WHERE name = $1", name)
        return json.loads(value) if value is not None else None

    async def save(self, name: str, value: Any) -> None:
        await self._pool.execute(
            "INSERT INTO kraken.state (name, value) VALUES ($1, $2) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            json.dumps(value, default=str),
        )


def _order(row: asyncpg.Record) -> Order:
    return Order(**dict(row) | {"status": Status(row["status"]), "mode": Mode(row["mode"])})
