"""What happens to one part leaves the others alone."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
from contract import PARTITIONS, STAGES, all_topics, topic, topics_of
from desk import Desk
from processes import ServiceProcess, clients, running
from rig import Rig
from topic_admin import new_namespace, topics
from wire import Wire

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from pathlib import Path

    import asyncpg
    from broker import OwnBroker
    from redis.asyncio import Redis
    from services import ServiceClient

pytestmark = pytest.mark.chaos


async def test_one_broker_fails_alone(
    broker: OwnBroker, redis: Redis, database: asyncpg.Connection, tmp_path: Path
) -> None:
    """Without zerodha's topics, paper trades, by the same processes; once they are there, zerodha comes by itself."""
    namespace = new_namespace()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(topics(broker.servers, all_topics(namespace, ["paper"]), PARTITIONS))
        wire = Wire(broker.servers, namespace, ["paper"])
        stack.push_async_callback(wire.stop)
        await wire.start()
        own = {"KAFKA_BOOTSTRAP_SERVERS": broker.servers, "NAMESPACE": namespace}
        processes = [ServiceProcess(service, tmp_path, **own) for service in STAGES]
        for process in processes:
            stack.callback(process.kill)
            process.start()
        found = await stack.enter_async_context(clients(processes))
        strategy, *others = processes
        await strategy.wait_ready()  # what it reads is shared
        for process in others:
            name = process.service
            await eventually_async(partial(_only_paper, found[name]), f"paper alone to be ready in {name}")
        desk = Desk(wire, redis, ["paper"])
        stack.push_async_callback(desk.remove, database)
        await desk.configure(database)
        await desk.in_force(found)
        await desk.tick("100")
        await desk.tick("102")
        assert (await desk.portfolio(1)).positions[desk.instrument].quantity == 10
        await stack.enter_async_context(topics(broker.servers, topics_of(["zerodha"], namespace), PARTITIONS))
        for process in processes:
            await process.wait_ready()
        async for key in redis.scan_iter(match=f"{namespace}:*", count=1000):
            await redis.delete(key)


async def test_killed_feed_loses_no_tick_that_it_accepted(broker: OwnBroker, tmp_path: Path) -> None:
    """202 means that the broker has it: kill -9 right afterwards changes nothing."""
    async with AsyncExitStack() as stack:
        rig = Rig(broker.servers, stack)
        name = topic("market_tick", namespace=rig.topics.namespace)
        await stack.enter_async_context(topics(broker.servers, [name], PARTITIONS))
        own = {"KAFKA_BOOTSTRAP_SERVERS": broker.servers, "NAMESPACE": rig.topics.namespace}
        (feed,) = (await stack.enter_async_context(running(tmp_path, ["feed"], **own))).values()
        accepted: list[str] = []
        for number in range(1, 4):
            ticks = [
                {"instrument_token": number, "last_price": str(price), "timestamp": "2025-08-24T09:15:00Z"}
                for price in range(1, 101)
            ]
            async with httpx.AsyncClient(base_url=feed.url, timeout=30, trust_env=False) as client:
                answer = await client.post("/ticks", json=ticks)
            feed.kill()
            assert answer.status_code == 202, answer.text
            accepted += answer.json()["ids"]
            feed.start()
            await feed.wait_ready()
        assert sorted(str(event.id) for event in await rig.events(name, len(accepted))) == sorted(accepted)


async def _only_paper(client: ServiceClient) -> bool:
    status, body = await client.health()
    assert status == httpx.codes.SERVICE_UNAVAILABLE, f"{status} {body}"
    assert isinstance(body, dict)
    assert (body.get("paper"), body.get("zerodha")) == ("ok", "connecting"), body
    return True
