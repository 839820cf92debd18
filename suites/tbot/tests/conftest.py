"""Fixtures of all parts of the suite. Every test has its own schema, Redis database, bucket and accounts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tbot.settings import Settings
from tests.support.bot import Bot, OwnBot, bot_at
from tests.support.isolation import isolated
from tests.support.orders import Account
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

# Its tests start servers and the service anew, several of them side by side: longer than the kit gives a wait.
os.environ.setdefault("SUITE_DEADLINE_SECONDS", "20")
DEFAULT_URL = "http://tbot:8080"


@pytest.fixture(scope="session")
def run_settings() -> Settings:
    """Where the real services are: DATABASE_*, REDIS_* and INFLUXDB_*, or a developer's own on localhost."""
    return Settings(metrics_interval_seconds=0.02, redis_retry_seconds=0.05, idempotency_window_seconds=3600)


@pytest.fixture
async def isolated_config(run_settings: Settings) -> AsyncIterator[Settings]:
    """The settings with a schema, a Redis database and a bucket of this test's own."""
    async with isolated(run_settings) as config:
        yield config


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis server that this test may stop, kill and freeze."""
    server = RedisServer(tmp_path)
    try:
        await server.start()
        yield server
    finally:
        server.destroy()


@pytest.fixture
def fragile_config(isolated_config: Settings, own_redis: RedisServer) -> Settings:
    """The settings with a Redis that this test may stop."""
    return Settings.model_validate(isolated_config.model_dump() | own_redis.settings)


@pytest.fixture
def own_bot(fragile_config: Settings, tmp_path: Path) -> Iterator[OwnBot]:
    """The service as a process that this test may kill, not started yet."""
    bot = OwnBot(fragile_config, tmp_path)
    try:
        yield bot
    finally:
        bot.destroy()


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    """The service that the run has started, ready."""
    async with bot_at(os.environ.get("TBOT_URL", DEFAULT_URL)) as bot:
        await bot.wait_health("the service to be ready", DatabaseService="ok")
        yield bot


@pytest.fixture
def account() -> Account:
    return Account()
