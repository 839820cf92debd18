"""The services' life where nothing can be reached; with real servers they are tested by the suites."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Literal

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from alpha_panda.http import application
from alpha_panda.metrics import Metrics
from alpha_panda.service import Service, UnreachableError
from alpha_panda.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, by a socket that does not listen: connections to it are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def settings(port: int, deadline: float, service: Literal["feed", "risk"] = "risk") -> Settings:
    return Settings(
        service=service,
        kafka_bootstrap_servers=f"127.0.0.1:{port}",
        redis_url=SecretStr(f"redis://:hidden@127.0.0.1:{port}/0"),
        database_url=SecretStr(f"postgresql://user:hidden@127.0.0.1:{port}/db"),
        connect_deadline_seconds=deadline,
    )


async def test_gives_up_at_the_deadline_and_says_on_what(closed_port: int) -> None:
    service = Service(settings(closed_port, 0.2), Metrics())
    with pytest.raises(UnreachableError, match=r"after 0\.2 s to Redis \(REDIS_URL\) and PostgreSQL") as error:
        await service.run()
    assert "hidden" not in str(error.value)


async def test_stops_while_still_connecting(closed_port: int) -> None:
    service = Service(settings(closed_port, 60), Metrics())
    running = asyncio.create_task(service.run())
    await asyncio.sleep(0)
    service.stop()
    await asyncio.wait_for(running, 10)


async def test_is_not_ready_while_connecting(closed_port: int) -> None:
    metrics = Metrics()
    service = Service(settings(closed_port, 60), metrics)
    async with TestClient(TestServer(application(service, metrics))) as client:
        health = await client.get("/healthz")
        answers = await health.json()
        assert health.status == 503
        assert (answers["ready"], answers["kafka"]) == (False, "connecting")
        assert "Error 111" in answers["redis"]
        assert "hidden" not in str(answers)
        assert (await client.post("/ticks", json=[])).status == 404, "only the feed takes ticks"


async def test_feed_without_a_broker_refuses_ticks(closed_port: int) -> None:
    metrics = Metrics()
    service = Service(settings(closed_port, 60, "feed"), metrics)
    tick = {"instrument_token": 1, "last_price": "1", "timestamp": "2025-08-24T09:15:00Z"}
    async with TestClient(TestServer(application(service, metrics))) as client:
        answer = await client.post("/ticks", json=[tick])
        assert answer.status == 503
        assert "not started" in (await answer.json())["error"]
