"""A schema of its own for each test, and a service that works in it.

Who is at work in a schema holds an advisory lock on its name, on a connection that the server closes when the process
dies. So the schema of a killed test can be told from one in use, on whatever machine the test ran.
"""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial_kit.missing import MissingServiceError, client
from seatrial_kit.services.config import with_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from seatrial_kit.services.config import RealTestConfig

CONNECT_SECONDS = 5.0
LOCK_SEED = 0x5EA7
MARK = "pytest-seatrial: the schema of one test"
_STALE = """
    SELECT nspname FROM pg_catalog.pg_namespace
    WHERE nspname ~ '^test_[0-9a-f]{32}$' AND obj_description(oid, 'pg_namespace') = $1
"""


@dataclass(frozen=True)
class CleanDatabase:
    """An empty schema. Whoever connects with the URL works in it, and in no other."""

    schema: str
    url: str
    config: RealTestConfig


class DatabaseService:
    """A pool of connections to a test's schema."""

    def __init__(self, database: CleanDatabase) -> None:
        self.schema = database.schema
        self._url = database.url
        self._pool: Any = None

    async def start(self) -> None:
        """Connect. Raises what asyncpg raises, or OSError: the server was there when the schema was made."""
        asyncpg = client("asyncpg", "postgres")
        self._pool = await asyncpg.create_pool(self._url, min_size=1, max_size=10, timeout=CONNECT_SECONDS)

    async def close(self) -> None:
        """Cut off all connections at once, those in use, too."""
        if self._pool is not None:
            self._pool.terminate()

    @property
    def pool(self) -> Any:
        """The asyncpg pool. Raises RuntimeError before `start`."""
        if self._pool is None:
            raise RuntimeError("the DatabaseService was not started")
        return self._pool

    async def execute(self, query: str, *arguments: Any) -> str:
        """Run a statement; its status."""
        return str(await self.pool.execute(query, *arguments))

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """All rows."""
        return list(await self.pool.fetch(query, *arguments))

    async def fetchrow(self, query: str, *arguments: Any) -> Any:
        """The first row, or None."""
        return await self.pool.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """The first value of the first row, or None."""
        return await self.pool.fetchval(query, *arguments)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection in a transaction."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection

    async def healthy(self) -> bool:
        """Whether the server answers."""
        return bool(await self.fetchval("SELECT 1") == 1)


async def connect(config: RealTestConfig) -> Any:
    """A connection. Raises MissingServiceError."""
    asyncpg = client("asyncpg", "postgres")
    try:
        return await asyncpg.connect(config.database_url, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MissingServiceError(
            f"PostgreSQL at {config.address('postgres')}: {type(error).__name__}: {error or 'no answer'}; "
            "DATABASE_URL, or DATABASE_HOST and its companions, name another one"
        ) from error


@asynccontextmanager
async def own_schema(config: RealTestConfig) -> AsyncIterator[CleanDatabase]:
    """A schema `test_` and 32 hexadecimal digits, gone afterwards. Sweeps what killed tests have left before."""
    holder = await connect(config)
    try:
        await sweep(holder)
        schema = f"test_{uuid.uuid4().hex}"
        await holder.execute("SELECT pg_advisory_lock(hashtextextended($1, $2))", schema, LOCK_SEED)
        async with holder.transaction():
            await holder.execute(f"CREATE SCHEMA {schema}; COMMENT ON SCHEMA {schema} IS '{MARK}'")
        # Understood by libpq and asyncpg alike; the name tells which connections are the test's.
        url = with_query(config.database_url, options=f"-csearch_path={schema}", application_name=schema)
        try:
            yield CleanDatabase(schema, url, config)
        finally:
            await _drop(holder, schema)
    finally:
        await holder.close()


async def sweep(connection: Any) -> list[str]:
    """Drop the schemas of tests whose process is gone. Returns their names."""
    swept = []
    for record in await connection.fetch(_STALE, MARK):
        schema = record["nspname"]
        key = "hashtextextended($1, $2)"
        if await connection.fetchval(f"SELECT pg_try_advisory_lock({key})", schema, LOCK_SEED):
            try:
                await _drop(connection, schema)
                swept.append(schema)
            finally:
                await connection.execute(f"SELECT pg_advisory_unlock({key})", schema, LOCK_SEED)
    return swept


async def _drop(connection: Any, schema: str) -> None:
    """End the connections that a test has left open, which might hold locks, and drop its schema."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        schema,
    )
    await connection.execute(f"SET lock_timeout = '10s'; DROP SCHEMA IF EXISTS {schema} CASCADE")
