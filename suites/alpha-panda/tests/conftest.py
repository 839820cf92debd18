"""Fixtures. Every test has its own strategies, instruments, topics and clients: they run in any order, side by side."""

from __future__ import annotations

import functools
import os
import ssl
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from contract import SERVICES
from desk import Desk
from redis.asyncio import Redis
from rig import Rig
from services import ServiceClient, url_of
from wire import Wire

from seatrial_kit.missing import required

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from desk import OpenDesk

# Five services and a broker share the processors of a small machine: twice what the kit gives a wait.
os.environ.setdefault("SUITE_DEADLINE_SECONDS", "30")
tls_context = functools.cache(ssl.create_default_context)  # 20 ms that no test needs to spend again


@pytest.fixture
def kafka_servers(request: pytest.FixtureRequest) -> str:
    return required(request, "KAFKA_BOOTSTRAP_SERVERS")


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    return required(request, "REDIS_URL")


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    return required(request, "DATABASE_URL")


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def rig(kafka_servers: str) -> AsyncIterator[Rig]:
    """The library on topics of this test's own."""
    async with AsyncExitStack() as stack:
        yield Rig(kafka_servers, stack)


@pytest_asyncio.fixture
async def services() -> AsyncIterator[dict[str, ServiceClient]]:
    """The services of the pipeline, ready."""
    async with AsyncExitStack() as stack:
        clients = {}
        for name in SERVICES:
            client = httpx.AsyncClient(base_url=url_of(name), timeout=5, trust_env=False, verify=tls_context())
            clients[name] = ServiceClient(name, await stack.enter_async_context(client))
            await clients[name].wait_ready()
        yield clients


@pytest_asyncio.fixture
async def wire(kafka_servers: str, services: dict[str, ServiceClient]) -> AsyncIterator[Wire]:
    assert services, "they bring their tables, and join their groups, before anything is sent to them"
    wire = Wire(kafka_servers)
    try:
        await wire.start()
        yield wire
    finally:
        await wire.stop()


@pytest_asyncio.fixture
async def open_desk(
    wire: Wire, redis: Redis, database: asyncpg.Connection, services: dict[str, ServiceClient]
) -> AsyncIterator[OpenDesk]:
    """Makes strategies that the services know; their rows are removed afterwards."""
    desks: list[Desk] = []

    async def open_desk(brokers: Sequence[str] = ("paper",), **how: Any) -> Desk:
        desk = Desk(wire, redis, brokers)
        desks.append(desk)
        await desk.configure(database, **how)
        await desk.in_force(services, known=how.get("known", True))
        return desk

    try:
        yield open_desk
    finally:
        for desk in desks:
            await desk.remove(database)
