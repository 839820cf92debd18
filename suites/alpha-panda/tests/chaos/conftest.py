"""Whatever is broken here is this suite's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from broker import OwnBroker
from pipeline import Pipeline, pipeline_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import asyncpg
    from redis.asyncio import Redis


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    with OwnBroker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest_asyncio.fixture
async def pipeline(
    broker: OwnBroker, redis: Redis, database: asyncpg.Connection, tmp_path: Path
) -> AsyncIterator[Pipeline]:
    async with pipeline_on(broker.servers, redis, database, tmp_path) as pipeline:
        yield pipeline
        broker.restore()
