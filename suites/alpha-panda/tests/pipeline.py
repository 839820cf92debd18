"""A pipeline of the suite's own, on a broker of its own, in a namespace of its own: it can be broken without harm."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contract import STAGES, all_topics
from desk import Desk
from processes import ServiceProcess, clients, running
from topic_admin import new_namespace, topics
from wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import asyncpg
    from redis.asyncio import Redis


@dataclass
class Pipeline:
    """The four services, and a desk that trades through them."""

    wire: Wire
    processes: dict[str, ServiceProcess]
    redis: Redis
    database: asyncpg.Connection
    namespace: str
    desks: list[Desk] = field(default_factory=list)

    async def desk(self, partition: int | None = None, **how: Any) -> Desk:
        desk = Desk(self.wire, self.redis, ("paper",), partition)
        self.desks.append(desk)
        await desk.configure(self.database, limits=(1000, 1_000_000, 100_000), **how)
        async with clients(self.processes.values()) as found:
            await desk.in_force(found)
        return desk


@asynccontextmanager
async def pipeline_on(
    servers: str, redis: Redis, database: asyncpg.Connection, folder: Path, **settings: str
) -> AsyncIterator[Pipeline]:
    """Paper only; every desk's rows and every key of the namespace are removed afterwards."""
    namespace = new_namespace()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(topics(servers, all_topics(namespace), 3))
        wire = Wire(servers, namespace)
        stack.push_async_callback(wire.stop)
        await wire.start()
        own = {"KAFKA_BOOTSTRAP_SERVERS": servers, "NAMESPACE": namespace, "BROKERS": "paper", **settings}
        processes = await stack.enter_async_context(running(folder, STAGES, **own))
        pipeline = Pipeline(wire, processes, redis, database, namespace)
        try:
            yield pipeline
        finally:
            for desk in pipeline.desks:
                await desk.remove(database)
            async for key in redis.scan_iter(match=f"{namespace}:*", count=1000):
                await redis.delete(key)
