"""Fixtures on top of pytest-seatrial's. Every test has its own correlations, clients and groups."""

from __future__ import annotations

import functools
import os
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest_asyncio
from asking import STREAM, TOPICS, Asking, mine
from service import Intelligence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from seatrial_kit.kafka.async_stream import AsyncKafkaStream

tls_context = functools.cache(ssl.create_default_context)  # 20 ms that no test needs to spend again


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Intelligence]:
    """The service, ready."""
    url = os.environ.get("INTELLIGENCE_SERVICE_URL", "http://intelligence-service:8080")
    async with httpx.AsyncClient(base_url=url, timeout=3, trust_env=False, verify=tls_context()) as client:
        intelligence = Intelligence(client)
        await intelligence.ready()
        yield intelligence


@pytest_asyncio.fixture
async def asking(
    service: Intelligence,
    async_kafka_producer: Any,
    async_kafka_stream: Callable[..., Awaitable[AsyncKafkaStream]],
    kafka_test_topics: Mapping[str, str],
) -> Asking:
    """Requests and responses of this test alone."""
    assert service
    assert kafka_test_topics
    correlations: set[str] = set()
    stream = await async_kafka_stream(*TOPICS, where=lambda event: mine(event, correlations), **STREAM)
    return Asking(async_kafka_producer, stream, correlations)
