"""PostgreSQL: orders, what they repeat, and the ledger. It alone decides whether an order is new."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential

from tbot.bugs import Bug
from tbot.errors import DatabaseUnavailableError
from tbot.migrate import migrate
from tbot.orders import Order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from tbot.settings import Settings

COMMAND_SECONDS: Final = 10.0
ATTEMPTS: Final = 3
LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # the connection was closed under our hands
    asyncpg.InternalClientError,  # the same, noticed by asyncpg in the middle of something
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # an administrator, a shutdown or a crash of another backend
    asyncpg.TooManyConnectionsError,
)
CLAIM: Final = """
    INSERT INTO idempotency_keys AS known (content_hash, order_id, expires_at)
    VALUES ($1, $2, $3::timestamptz + make_interval(secs => $4))
    ON CONFLICT (content_hash) DO UPDATE SET order_id = EXCLUDED.order_id, expires_at = EXCLUDED.expires_at
    WHERE known.expires_at <= $3
    RETURNING expires_at
"""
KNOWN: Final = """
    SELECT orders.*, idempotency_keys.expires_at FROM idempotency_keys JOIN orders USING (order_id)
    WHERE idempotency_keys.content_hash = $1
"""
INSERT: Final = """
    INSERT INTO orders
        (order_id, client_order_id, account, symbol, side, quantity, price, total, content_hash, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
BOOK: Final = """
    INSERT INTO ledger_entries (order_id, account, balance, asset, amount)
    VALUES ($1, $2, 'available', $3, -$4::numeric), ($1, $2, 'reserved', $3, $4::numeric)
"""
BALANCES: Final = "SELECT asset, balance, sum(amount) AS amount FROM ledger_entries WHERE account = $1 GROUP BY 1, 2"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Placement:
    """The order that stands for a content, and until when repetitions of it are recognised."""

    order: Order
    new: bool
    expires_at: datetime


class DatabaseService:
    """A pool of connections whose search path is one schema. Raises DatabaseUnavailableError."""

    def __init__(self, pool: asyncpg.Pool[Any], settings: Settings) -> None:
        self._pool, self._settings = pool, settings

    @classmethod
    async def connect(cls, settings: Settings) -> DatabaseService:
        """Connect, however long the server takes to start, up to the deadline; and migrate."""
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(LOST),
            wait=wait_exponential(multiplier=0.05, max=1),
            stop=stop_after_delay(settings.connect_deadline_seconds),
            reraise=True,
        )
        try:
            pool: asyncpg.Pool[Any] = await attempts(_pool, settings)
        except (*LOST, asyncpg.PostgresError) as error:
            raise DatabaseUnavailableError(
                f"no connection to PostgreSQL at {settings.database_host}:{settings.database_port}/"
                f"{settings.database_name} as {settings.database_user} "
                f"after {settings.connect_deadline_seconds:g} s: {_text(error)}"
            ) from error
        service = cls(pool, settings)
        async with service.connection() as connection:
            applied = await migrate(connection, settings.database_schema)
        log.info("migrated", extra={"schema": settings.database_schema, "applied": applied})
        return service

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        try:
            async with self._pool.acquire(timeout=COMMAND_SECONDS) as connection:
                yield connection
        except LOST as error:
            with suppress(asyncpg.InterfaceError):  # the pool is closed
                await self._pool.expire_connections()  # what has cut this one may have cut all of them
            raise DatabaseUnavailableError(f"PostgreSQL does not answer: {_text(error)}") from error

    async def place(self, order: Order, window_seconds: int) -> Placement:
        """Accept the order, or return the one that it repeats, atomically.

        A lost connection leaves open whether the transaction was committed. So it is tried again, and an order that
        then meets itself is still new.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(DatabaseUnavailableError),
            wait=wait_exponential(multiplier=0.02, max=0.2),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        return await attempts(self._place, order, window_seconds)

    async def order(self, order_id: UUID) -> Order | None:
        async with self.connection() as connection:
            row = await connection.fetchrow("SELECT * FROM orders WHERE order_id = $1", order_id)
        return _order(row) if row is not None else None

    async def balances(self, account: str) -> dict[str, dict[str, Decimal]]:
        """What an account's orders have moved: asset -> balance (available, reserved) -> amount."""
        async with self.connection() as connection:
            rows = await connection.fetch(BALANCES, account)
        found: dict[str, dict[str, Decimal]] = {}
        for row in rows:
            found.setdefault(row["asset"], {})[row["balance"]] = row["amount"]
        return found

    async def ping(self) -> None:
        async with self.connection() as connection:
            await connection.execute("SELECT 1 FROM schema_versions LIMIT 1")

    async def close(self) -> None:
        self._pool.terminate()  # nothing is under way any more, and a server that hangs must not keep us

    async def _place(self, order: Order, window_seconds: int) -> Placement:
        async with self.connection() as connection, connection.transaction():
            expires_at = await self._claim(connection, order, window_seconds)
            if expires_at is None:
                row = await connection.fetchrow(KNOWN, order.content_hash)
                if row is None:
                    raise DatabaseUnavailableError(f"the order of {order.content_hash} has gone while it was looked up")
                known = _order(row)
                return Placement(known, known.order_id == order.order_id, row["expires_at"])
            await connection.execute(
                INSERT,
                order.order_id,
                order.client_order_id,
                order.account,
                order.symbol,
                order.side.value,
                order.quantity,
                order.price,
                order.total,
                order.content_hash,
                order.created_at,
            )
            await connection.execute(BOOK, order.order_id, order.account, order.pays_in, order.pays)
        return Placement(order, new=True, expires_at=expires_at)

    async def _claim(self, connection: asyncpg.Connection[Any], order: Order, window_seconds: int) -> datetime | None:
        """When the claim on the content ends, or None when another order has it.

        Of two transactions that claim the same content the second waits for the first one's end.
        """
        arguments = (order.content_hash, order.order_id, order.created_at, window_seconds)
        if self._settings.tbot_bug is Bug.CHECK_THEN_INSERT:
            if await connection.fetchval("SELECT 1 FROM orders WHERE content_hash = $1", order.content_hash):
                return None
            overwrite = CLAIM.replace("WHERE known.expires_at <= $3", "WHERE $3 = $3")
            return await connection.fetchval(overwrite, *arguments)  # type: ignore[no-any-return]
        return await connection.fetchval(CLAIM, *arguments)  # type: ignore[no-any-return]


async def _pool(settings: Settings) -> asyncpg.Pool[Any]:
    return await asyncpg.create_pool(
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
        user=settings.database_user,
        password=settings.database_password.get_secret_value(),
        min_size=1,
        max_size=settings.database_connections,
        command_timeout=COMMAND_SECONDS,
        timeout=2,
        server_settings={"search_path": f'"{settings.database_schema}"', "application_name": settings.instance},
    )


def _order(row: asyncpg.Record) -> Order:
    return Order(**{name: row[name] for name in Order.model_fields})


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
