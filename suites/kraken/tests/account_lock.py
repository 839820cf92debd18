"""One account is shared by all tests, also by those of another copy of the suite: they take turns where they must.

Locks of PostgreSQL, which end with the connection, so that a killed suite leaves none.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = 0x4B52414B454E  # "KRAKEN"


@asynccontextmanager
async def hold(url: str, *, exclusive: bool) -> AsyncIterator[None]:
    """Alone, or together with all others that are not exclusive. Who waits for it alone is not overtaken."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock{'' if exclusive else '_shared'}({KEY})")
        yield
    finally:
        await connection.close()
