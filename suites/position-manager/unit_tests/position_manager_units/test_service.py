"""The service's life where nothing can be reached; with a real broker and Redis it is tested by the suite."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from position_manager.http import application
from position_manager.metrics import Metrics
from position_manager.service import Service, UnreachableError
from position_manager.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, by a socket that does not listen: connections to it are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def settings(port: int, deadline: float) -> Settings:
    return Settings(
        kafka_bootstrap_servers=f"127.0.0.1:{port}",
        redis_url=SecretStr(f"redis://:hidden@127.0.0.1:{port}/0"),
        connect_deadline_seconds=deadline,
    )


async def test_gives_up_at_the_deadline_and_says_on_what(closed_port: int) -> None:
    service = Service(settings(closed_port, 0.2), Metrics())
    with pytest.raises(UnreachableError, match=rf"after 0\.2 s to Kafka at 127\.0\.0\.1:{closed_port}") as error:
        await service.run()
    assert "hidden" not in str(error.value)


async def test_stops_while_still_connecting(closed_port: int) -> None:
    metrics = Metrics()
    service = Service(settings(closed_port, 60), metrics)
    running = asyncio.create_task(service.run())
    async with asyncio.timeout(10):
        while b'errors_total{kind="redis"}' not in metrics.exposition():  # noqa: ASYNC110 - its metrics are all it shows
            await asyncio.sleep(0)
        service.stop()
        await running


async def test_is_not_ready_while_connecting(closed_port: int) -> None:
    metrics = Metrics()
    service = Service(settings(closed_port, 60), metrics)
    async with TestClient(TestServer(application(service, metrics))) as client:
        health, exposition = await client.get("/healthz"), await client.get("/metrics")
        assert health.status == 503
        assert await health.json() == {"ready": False, "kafka": "connecting", "redis": "connecting"}
        assert exposition.status == 200
        assert "position_manager_open_positions 0.0" in await exposition.text()
