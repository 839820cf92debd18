"""Fixtures. Every test has its own symbols, clients and offsets, so tests run in any order, sharded or repeated."""

from __future__ import annotations

import functools
import os
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from flow import Flow
from manager import Manager
from redis.asyncio import Redis
from wire import Wire

from seatrial_kit.missing import required

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEFAULT_URL = "http://position-manager:8080"
tls_context = functools.cache(ssl.create_default_context)  # 20 ms that no test needs to spend again


@pytest.fixture
def kafka_servers(request: pytest.FixtureRequest) -> str:
    return required(request, "KAFKA_BOOTSTRAP_SERVERS")


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    return required(request, "REDIS_URL")


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest_asyncio.fixture
async def manager() -> AsyncIterator[Manager]:
    """The service, ready."""
    url = os.environ.get("POSITION_MANAGER_URL", DEFAULT_URL)
    async with httpx.AsyncClient(base_url=url, timeout=3, trust_env=False, verify=tls_context()) as client:
        manager = Manager(client)
        await manager.wait_ready()
        yield manager


@pytest_asyncio.fixture
async def wire(kafka_servers: str, manager: Manager) -> AsyncIterator[Wire]:
    wire = Wire(kafka_servers, manager)
    try:
        await wire.start()
        yield wire
    finally:
        await wire.stop()


@pytest.fixture
def flow(wire: Wire) -> Flow:
    return Flow(wire)


@pytest.fixture
def another(wire: Wire) -> Callable[[], Flow]:
    """More symbols for one test."""
    return lambda: Flow(wire)
