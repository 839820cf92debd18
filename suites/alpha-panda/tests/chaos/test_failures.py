"""A broker that dies, a network that splits, a service that is killed: every tick has its effect, and has it once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest
from contract import PARTITIONS, STAGES
from load import Load
from pipeline import Pipeline, pipeline_on
from processes import ServiceProcess, clients
from proxy import Proxy
from rig import Rig, event

from alpha_panda.events.envelope import EventType
from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import asyncpg
    from broker import OwnBroker
    from redis.asyncio import Redis

    from alpha_panda.events.envelope import EventEnvelope

pytestmark = pytest.mark.chaos


class TestBroker:
    async def test_broker_restart_under_load(self, pipeline: Pipeline, broker: OwnBroker) -> None:
        """kill -9, and a start on the same data."""
        async with Load(await pipeline.desk()) as load:
            for _ in range(2):
                broker.kill()
                await asyncio.to_thread(broker.start)
                await load.trades(10)
            await load.finish()

    async def test_partition_under_load(self, pipeline: Pipeline, broker: OwnBroker) -> None:
        """Connections stay open and carry nothing, until every service has given up on its place in the group."""
        async with Load(await pipeline.desk()) as load:
            broker.proxy.partition()

            async def probe() -> bool:
                ended = {name: "session expired" in one.output(100_000) for name, one in pipeline.processes.items()}
                assert all(ended.values()), ended
                return True

            await eventually_async(probe, "the session of every service to expire", seconds=60)
            async with clients(pipeline.processes.values()) as found:
                for client in found.values():
                    status, body = await client.health()
                    assert status == 503, body
            broker.proxy.heal()
            await load.trades(10)
            await load.finish()

    async def test_connections_reset_under_load(self, pipeline: Pipeline, broker: OwnBroker) -> None:
        async with Load(await pipeline.desk()) as load:
            for _ in range(10):
                broker.proxy.drop()
                await load.trades(3)
            await load.finish()

    async def test_sent_meanwhile_is_delivered_afterwards(self, broker: OwnBroker) -> None:
        """Neither publishing nor a flush ends while the broker cannot be reached; both do once it can."""
        async with AsyncExitStack() as stack:
            rig = Rig(broker.servers, stack)
            (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
            producer = await rig.producer(delivery_seconds=60)
            first = event()
            await producer.publish(first)  # from now on it knows the topic and its leaders
            stack.callback(broker.restore)
            broker.proxy.cut()
            sent = [event(f"s{number % 7}", quantity=number + 1) for number in range(20)]
            publishing = asyncio.create_task(producer.publish_all(sent))
            await asyncio.sleep(0)  # all are in the client's hands
            flushing = asyncio.create_task(producer.flush())
            done, _ = await asyncio.wait({publishing, flushing}, timeout=0.5)
            assert not done, "nobody can have acknowledged anything"
            broker.proxy.heal()
            await flushing
            written = await rig.events(name)
            assert Counter(one.id for one in written) == Counter(one.id for one in (first, *sent))
            for key in {one.key for one in sent}:
                assert [one.id for one in written if one.key == key] == [one.id for one in sent if one.key == key]
            assert len(await publishing) == len(sent)

    async def test_producer_is_idempotent(self, broker: OwnBroker) -> None:
        """Acknowledgements are lost again and again, so batches are sent again: the broker keeps one copy of each."""
        async with AsyncExitStack() as stack:
            rig = Rig(broker.servers, stack)
            (name,) = await rig.make_topics(EventType.TRADING_SIGNAL)
            producer = await rig.producer(delivery_seconds=60)
            sent = [event(f"s{number % 7}", quantity=number + 1) for number in range(2000)]
            publishing = asyncio.create_task(_in_portions(producer.publish_all, sent))
            cuts = 0
            while not publishing.done():
                reached = broker.proxy.connections + 1
                broker.proxy.drop()
                cuts += 1

                async def probe(reached: int = reached) -> bool:
                    seen = broker.proxy.connections
                    assert seen >= reached or publishing.done(), f"{seen} connections"
                    return True

                await eventually_async(probe, "the producer to have connected again")
            await publishing
            written = await rig.events(name, len(sent))
            assert Counter(one.id for one in written) == Counter(one.id for one in sent)
            for key in {one.key for one in sent}:
                assert [one.id for one in written if one.key == key] == [one.id for one in sent if one.key == key]
            assert cuts > 3


class TestServices:
    async def test_killed_services_under_load(self, pipeline: Pipeline) -> None:
        """kill -9 of each in turn; the next start goes on where it was, without loss and without a second effect."""
        async with Load(await pipeline.desk()) as load:
            for process in pipeline.processes.values():
                process.kill()
                process.start()
                await process.wait_ready()
            await load.trades(10)
            await load.finish()

    async def test_rebalancing_under_load(self, pipeline: Pipeline, broker: OwnBroker, tmp_path: Path) -> None:
        """A second member joins each group, takes its part, and is killed; then the first ones leave in good order."""
        own = {"KAFKA_BOOTSTRAP_SERVERS": broker.servers, "NAMESPACE": pipeline.namespace, "BROKERS": "paper"}
        desks = [await pipeline.desk(partition) for partition in range(PARTITIONS)]
        async with AsyncExitStack() as stack:
            loads = [await stack.enter_async_context(Load(desk)) for desk in desks]
            seconds = [ServiceProcess(service, tmp_path, **own) for service in STAGES]
            for process in seconds:
                stack.callback(process.kill)
                process.start()
            for process in seconds:
                await process.wait_ready()
            async with clients(seconds) as found:
                for client in found.values():
                    await client.wait_metric(5, "alpha_panda_events_total", outcome="processed")
            for process in seconds[:2]:
                process.kill()
            for load in loads:
                await load.trades(5)
            for process in list(pipeline.processes.values())[2:]:
                assert await process.stop() == 0, process.output()
            for load in loads:
                await load.trades(5)
                await load.finish()


class TestDependencies:
    async def test_redis_outage_under_load(
        self, broker: OwnBroker, redis: Redis, redis_url: str, database: asyncpg.Connection, tmp_path: Path
    ) -> None:
        """Circuits open, nothing is read meanwhile, nothing becomes a dead letter; then everything is made up for."""
        async with AsyncExitStack() as stack:
            proxy = stack.enter_context(_proxy_of(redis_url))
            settings = {"REDIS_URL": _through(redis_url, proxy)}
            pipeline = await stack.enter_async_context(
                pipeline_on(broker.servers, redis, database, tmp_path, **settings)
            )
            load = await stack.enter_async_context(Load(await pipeline.desk()))
            found = await stack.enter_async_context(clients(pipeline.processes.values()))
            proxy.cut()
            await found["strategy"].wait_metric(1, "alpha_panda_circuit_open")
            status, body = await found["strategy"].health()
            assert status == 503, body
            assert isinstance(body, dict)
            assert body["redis"] != "ok", body
            assert body["postgres"] == "ok", "and only Redis is away"
            proxy.heal()
            await load.trades(10)
            assert await found["strategy"].metric("alpha_panda_circuit_open") == 0
            assert await found["strategy"].metric("alpha_panda_circuit_openings_total") >= 1
            await load.finish()

    async def test_postgres_outage_under_load(
        self, broker: OwnBroker, redis: Redis, database_url: str, database: asyncpg.Connection, tmp_path: Path
    ) -> None:
        """Without PostgreSQL the last configuration is in force; what changed meanwhile is noticed afterwards."""
        async with AsyncExitStack() as stack:
            proxy = stack.enter_context(_proxy_of(database_url))
            settings = {"DATABASE_URL": _through(database_url, proxy)}
            pipeline = await stack.enter_async_context(
                pipeline_on(broker.servers, redis, database, tmp_path, **settings)
            )
            load = await stack.enter_async_context(Load(await pipeline.desk()))
            found = await stack.enter_async_context(clients(pipeline.processes.values()))
            proxy.cut()

            async def probe() -> bool:
                status, body = await found["risk"].health()
                assert status == 503, f"{status} {body}"
                assert "not connected" in str(body), body
                return True

            await eventually_async(probe, "the risk service to miss PostgreSQL")
            await load.trades(10)
            adding = asyncio.create_task(pipeline.desk())
            await load.trades(10)
            assert not adding.done(), "nobody can know of it yet"
            proxy.heal()
            later = await adding
            await later.tick("100")
            await later.tick("102")
            assert (await later.portfolio(1)).orders == 1
            await load.finish()


async def _in_portions(
    publish_all: Callable[[list[EventEnvelope]], Awaitable[object]], events: list[EventEnvelope], size: int = 50
) -> None:
    for start in range(0, len(events), size):
        await publish_all(events[start : start + size])


def _proxy_of(url: str) -> Proxy:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Proxy(parts.hostname, parts.port)


def _through(url: str, proxy: Proxy) -> str:
    """The same URL with the proxy's address."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{proxy.address}"))
