"""Brings a schema to the newest version: the files of `migrations/`, each once, in the order of their names."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncpg

VERSIONS: Final = "CREATE TABLE IF NOT EXISTS schema_versions (name text PRIMARY KEY, applied_at timestamptz NOT NULL)"


async def migrate(connection: asyncpg.Connection[Any], schema: str) -> list[str]:
    """Apply what is missing, all or nothing; returns the names of what was applied. Safe when several do it at once."""
    applied = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"tbot migrate {schema}")
        await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')  # the settings allow plain names only
        await connection.execute(f'SET LOCAL search_path TO "{schema}"')
        await connection.execute(VERSIONS)
        known = {row["name"] for row in await connection.fetch("SELECT name FROM schema_versions")}
        for file in sorted(files("tbot").joinpath("migrations").iterdir(), key=lambda item: item.name):
            if file.name.endswith(".sql") and file.name not in known:
                await connection.execute(file.read_text())
                await connection.execute("INSERT INTO schema_versions VALUES ($1, clock_timestamp())", file.name)
                applied.append(file.name)
    return applied
