"""The configuration, from PostgreSQL: strategies, instruments, risk limits. A change is noticed when it is committed.

What was read last stays in force while PostgreSQL is away.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from alpha_panda.events.envelope import Broker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

CHANNEL: Final = "alpha_panda_configuration"
EVERYONE: Final = "*"
CONNECT_SECONDS: Final = 5.0
RECONNECT_SECONDS: Final = 0.5
REREAD_SECONDS: Final = 30.0
SCHEMA_LOCK: Final = 0x616C706861  # "alpha": services that start at once apply the schema one after the other
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A row of `strategies`."""

    strategy_id: str
    kind: str
    threshold: Decimal
    quantity: int


@dataclass(frozen=True, slots=True)
class Limits:
    """A row of `risk_limits`."""

    max_order_quantity: int
    max_order_value: Decimal
    max_position: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it, as it was at one moment."""

    revision: int = 0
    instruments: Mapping[int, str] = field(default_factory=dict)
    strategies: Mapping[tuple[Broker, int], tuple[Strategy, ...]] = field(default_factory=dict)
    limits: Mapping[tuple[Broker, str], Limits] = field(default_factory=dict)

    def strategies_for(self, broker: Broker, instrument: int) -> tuple[Strategy, ...]:
        return self.strategies.get((broker, instrument), ())

    def limits_for(self, broker: Broker, strategy_id: str) -> Limits | None:
        return self.limits.get((broker, strategy_id)) or self.limits.get((broker, EVERYONE))

    def summary(self) -> dict[str, Any]:
        """For people and tests: what is in force."""
        by_broker: dict[str, set[str]] = defaultdict(set)
        for (broker, _), strategies in self.strategies.items():
            by_broker[broker] |= {strategy.strategy_id for strategy in strategies}
        return {
            "revision": self.revision,
            "instruments": sorted(self.instruments),
            "strategies": {broker: sorted(names) for broker, names in sorted(by_broker.items())},
            "limits": sorted(f"{broker}/{strategy}" for broker, strategy in self.limits),
        }


class ConfigurationSource:
    """Keeps `current` up to date until it is closed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.current = Configuration()
        self._changed = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Apply the schema, read, and listen. Raises OSError or asyncpg.PostgresError."""
        await self._connect()
        self._task = asyncio.create_task(self._follow(), name="configuration")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._disconnect()

    async def check(self) -> None:
        """Ask PostgreSQL something. Raises OSError or asyncpg.PostgresError."""
        if self._connection is None or self._connection.is_closed():
            message = "not connected"
            raise ConnectionError(message)
        await self._connection.execute("SELECT 1")

    def refresh(self) -> None:
        """Read again soon: somebody misses something."""
        self._changed.set()

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):  # a connection may be dead without saying so
                async with asyncio.timeout(REREAD_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            try:
                if self._connection is None or self._connection.is_closed():
                    await self._connect()
                else:
                    await self._read(self._connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("configuration not read", extra={"error": f"{type(error).__name__}: {error}"})
                await self._disconnect()
                asyncio.get_running_loop().call_later(RECONNECT_SECONDS, self._changed.set)

    async def _connect(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS)
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
                await connection.execute(files("alpha_panda").joinpath("schema.sql").read_text())
            # Listening first: what changes between reading and listening would go unnoticed.
            await connection.add_listener(CHANNEL, lambda *_: self._changed.set())
            connection.add_termination_listener(lambda *_: self._changed.set())
            await self._read(connection)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection

    async def _read(self, connection: asyncpg.Connection) -> None:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            instruments = await connection.fetch("SELECT instrument_token, symbol FROM instruments")
            strategies = await connection.fetch(
                "SELECT broker, strategy_id, kind, instrument_tokens, threshold, quantity"
                " FROM strategies WHERE active ORDER BY broker, strategy_id"
            )
            limits = await connection.fetch(
                "SELECT broker, strategy_id, max_order_quantity, max_order_value, max_position FROM risk_limits"
            )
        by_instrument: dict[tuple[Broker, int], tuple[Strategy, ...]] = defaultdict(tuple)
        for row in strategies:
            strategy = Strategy(row["strategy_id"], row["kind"], row["threshold"], row["quantity"])
            for instrument in row["instrument_tokens"]:
                by_instrument[Broker(row["broker"]), instrument] += (strategy,)
        self.current = Configuration(
            revision=self.current.revision + 1,
            instruments={row["instrument_token"]: row["symbol"] for row in instruments},
            strategies=dict(by_instrument),
            limits={(Broker(row["broker"]), row["strategy_id"]): Limits(*tuple(row)[2:]) for row in limits},
        )
        log.info("configuration read", extra={"revision": self.current.revision})

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=1)
