"""A strategy of a test's own, on an instrument of its own: sends ticks and reads what follows from them."""

from __future__ import annotations

import json
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka.partitioner import DefaultPartitioner
from contract import PARTITIONS, STAGES, Event, Portfolio, topic

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import asyncpg
    from redis.asyncio import Redis
    from services import ServiceClient
    from wire import Wire

FIRST = datetime(2025, 8, 24, 9, 15, tzinfo=UTC)


class Desk:
    """Event time advances one second a tick."""

    def __init__(self, wire: Wire, redis: Redis, brokers: Sequence[str], partition: int | None = None) -> None:
        """With a partition, all its events are in the partition of that number."""
        self.wire, self.redis, self.brokers = wire, redis, tuple(brokers)
        self.strategy_id = drawn(lambda: f"test-{uuid.uuid4().hex[:16]}", partition)
        self.instrument = int(drawn(lambda: str(1 + secrets.randbelow(1 << 52)), partition))
        self.now = FIRST
        wire.watch(self.strategy_id)
        wire.watch(str(self.instrument))

    async def configure(
        self,
        database: asyncpg.Connection,
        *,
        kind: str = "momentum",
        threshold: str = "0.01",
        quantity: int = 10,
        known: bool = True,
        limits: tuple[int, int, int] | None = None,
    ) -> None:
        async with database.transaction():
            for broker in self.brokers:
                await database.execute(
                    "INSERT INTO strategies VALUES ($1, $2, $3, $4, $5::text::numeric, $6)",
                    broker, self.strategy_id, kind, [self.instrument], threshold, quantity,
                )  # fmt: skip
                if limits is not None:
                    await database.execute(
                        "INSERT INTO risk_limits VALUES ($1, $2, $3, $4, $5)", broker, self.strategy_id, *limits
                    )
            if known:
                await self.make_known(database)

    async def make_known(self, database: asyncpg.Connection) -> None:
        await database.execute("INSERT INTO instruments VALUES ($1, $2)", self.instrument, self.strategy_id)

    async def remove(self, database: asyncpg.Connection) -> None:
        async with database.transaction():
            await database.execute("DELETE FROM strategies WHERE strategy_id = $1", self.strategy_id)
            await database.execute("DELETE FROM risk_limits WHERE strategy_id = $1", self.strategy_id)
            await database.execute("DELETE FROM instruments WHERE instrument_token = $1", self.instrument)

    async def in_force(self, clients: dict[str, ServiceClient], *, known: bool = True) -> None:
        """Wait until the services have read this desk's configuration."""
        for name, client in clients.items():
            if name not in STAGES:
                continue

            async def probe(client: ServiceClient = client) -> bool:
                found = await client.get("/configuration")
                strategies, seen = found["strategies"], f"revision {found['revision']}"
                assert all(self.strategy_id in strategies.get(broker, ()) for broker in self.brokers), seen
                assert not known or self.instrument in found["instruments"], f"{seen}, without the instrument"
                return True

            await eventually_async(probe, f"{name} to have read the configuration of {self.strategy_id}")

    def price(self, price: str) -> dict[str, Any]:
        """A tick as the feed takes it."""
        self.now += timedelta(seconds=1)
        return {"instrument_token": self.instrument, "last_price": price, "timestamp": self.now.isoformat()}

    async def tick(self, price: str, **members: Any) -> dict[str, Any]:
        """Write a tick to the shared topic; its envelope."""
        event = envelope("market_tick", self.price(price), broker="shared", key=str(self.instrument)) | members
        await self.wire.send(topic("market_tick", namespace=self.wire.namespace), event["key"], event)
        return event

    def signal(self, **members: Any) -> dict[str, Any]:
        self.now += timedelta(seconds=1)
        return {
            "strategy_id": self.strategy_id,
            "instrument_token": self.instrument,
            "signal_type": "buy",
            "quantity": 10,
            "price": "100",
            "timestamp": self.now.isoformat(),
        } | members

    async def send(self, kind: str, data: dict[str, Any], broker: str = "paper", **members: Any) -> dict[str, Any]:
        """Write an event of a broker; its envelope."""
        event = envelope(kind, data, broker=broker, key=self.strategy_id) | members
        await self.wire.send(topic(kind, broker, self.wire.namespace), self.strategy_id, event)
        return event

    async def expect(self, kind: str, broker: str = "paper", count: int = 1) -> list[Event]:
        return await self.wire.expect(self.strategy_id, kind, broker, count)

    async def last(self, kind: str, broker: str = "paper", count: int = 1) -> Event:
        return (await self.expect(kind, broker, count))[count - 1]

    def seen(self, kind: str, broker: str | None = None) -> list[Event]:
        return self.wire.seen(self.strategy_id, kind, broker)

    def cache_key(self, broker: str = "paper") -> str:
        prefix = f"{self.wire.namespace}:" if self.wire.namespace else ""
        return f"{prefix}{broker}:portfolio:{self.strategy_id}"

    async def cached(self, broker: str = "paper") -> Portfolio | None:
        value = await self.redis.get(self.cache_key(broker))
        return Portfolio.model_validate_json(value) if value is not None else None

    async def portfolio(self, orders: int, broker: str = "paper") -> Portfolio:
        """The portfolio in the cache once it is made of that many orders."""

        async def probe() -> Portfolio:
            found = await self.cached(broker)
            assert found is not None, "nothing in the cache"
            assert found.orders >= orders, found
            return found

        found = await eventually_async(probe, f"{self.cache_key(broker)} of {orders} orders")
        assert found.orders == orders, f"{found.orders} orders were booked, {orders} were expected"
        return found


class OpenDesk(Protocol):
    """What the fixture of that name gives: a strategy that the services know, removed after the test."""

    async def __call__(self, brokers: Sequence[str] = ("paper",), **how: Any) -> Desk: ...


def drawn(draw: Callable[[], str], partition: int | None) -> str:
    """A key; one that belongs to that partition if there is one."""
    numbers = list(range(PARTITIONS))
    while True:
        key = draw()
        if partition is None or DefaultPartitioner()(key.encode(), numbers, numbers) == partition:
            return key


def envelope(kind: str, data: dict[str, Any], *, broker: str, key: str, **members: Any) -> dict[str, Any]:
    """An event that begins a chain, made without the services' code."""
    identifier = new_id()
    return {
        "id": identifier,
        "type": kind,
        "ts": datetime.now(UTC).isoformat(),
        "broker": broker,
        "key": key,
        "source": "suite",
        "correlation_id": identifier,
        "causation_id": None,
        "trace_id": uuid.uuid4().hex,
        "span_id": secrets.token_hex(8),
        "parent_span_id": None,
        "schema_version": "2.0",
        "data": json.loads(json.dumps(data)),
    } | members


def new_id() -> str:
    """A UUID of version 7, made without the services' code."""
    milliseconds = int(datetime.now(UTC).timestamp() * 1000)
    random = secrets.randbits(12) << 64 | secrets.randbits(62)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | random))
