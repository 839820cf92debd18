"""Fixtures. At the sandbox every test that trades has a pair of its own: any order, sharded and side by side."""

from __future__ import annotations

import functools
import os
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from account_lock import hold
from bot import Bot
from exchange import Exchange
from sandbox import Market, Sandbox

from seatrial_kit.missing import required

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KRAKEN_URL = os.environ.get("KRAKEN_URL", "http://kraken:8080")
SANDBOX_URL = os.environ.get("KRAKEN_SANDBOX_URL", "http://kraken-sandbox:8080")
EXCHANGE_URL = os.environ.get("API_DOMAIN", SANDBOX_URL)
REAL_PAIR = os.environ.get("KRAKEN_PAIR")
"""Set for the real exchange, and then tests marked `sandbox` must be deselected."""
tls_context = functools.cache(ssl.create_default_context)  # 20 ms that no test needs to spend again


def client(url: str, **headers: str) -> httpx.AsyncClient:
    # Longer than any order takes: its deadline, twice.
    return httpx.AsyncClient(base_url=url, timeout=15, trust_env=False, verify=tls_context(), headers=headers)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    return required(request, "DATABASE_URL")


@pytest.fixture
def alone(request: pytest.FixtureRequest) -> bool:
    """Whether this test has the account to itself."""
    return request.node.get_closest_marker("exclusive") is not None


@pytest_asyncio.fixture
async def turn(alone: bool, database_url: str) -> AsyncIterator[None]:  # noqa: FBT001  (a fixture)
    """The account."""
    async with hold(database_url, exclusive=alone):
        yield


@pytest_asyncio.fixture
async def exchange(turn: None, request: pytest.FixtureRequest) -> AsyncIterator[Exchange]:
    """The exchange itself, asked with the service's credentials or with wrong ones."""
    del turn
    async with client(EXCHANGE_URL) as http:
        yield Exchange(http, required(request, "KRAKEN_API_KEY"), required(request, "KRAKEN_API_SECRET"))


@pytest_asyncio.fixture
async def sandbox(turn: None) -> AsyncIterator[Sandbox]:
    """The sandbox, without faults before and after."""
    del turn
    async with client(SANDBOX_URL) as http:
        sandbox = Sandbox(http)
        await sandbox.clear()
        yield sandbox
        await sandbox.clear()


@pytest.fixture
def without_faults(request: pytest.FixtureRequest) -> None:
    """At the sandbox nothing is broken before the service is asked anything."""
    if REAL_PAIR is None:
        request.getfixturevalue("sandbox")


@pytest_asyncio.fixture
async def bot(
    turn: None,
    without_faults: None,
    alone: bool,  # noqa: FBT001  (a fixture)
    request: pytest.FixtureRequest,
) -> AsyncIterator[Bot]:
    """The service, ready, and as it was configured: what a killed test has left is undone."""
    del turn, without_faults
    async with client(KRAKEN_URL, Authorization=f"Bearer {required(request, 'CONTROL_TOKEN')}") as http:
        bot = Bot(http)
        await bot.wait_ready()
        await bot.send("DELETE", "breaker")
        if alone:  # what others have left open would be asked for in between
            await bot.send("POST", "halt", reason="a test begins")
        for path in ("halt", "limits"):
            await bot.send("DELETE", path)
        await bot.until_status("executions are streamed", lambda s: s["streams"]["executions"]["connected"])
        if alone:  # what the service asks by itself counts, too
            await bot.until_status("nothing is left to ask", lambda s: not s["reconciling"])
        yield bot


@pytest_asyncio.fixture
async def market(sandbox: Sandbox) -> Market:
    """A pair of this test's own at 100 EUR, with 1 unit in the account."""
    return await sandbox.market(price="100.0", fund="1")


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> str:
    """A pair to trade: KRAKEN_PAIR of the real exchange, or one of this test's own at the sandbox."""
    if REAL_PAIR is not None:
        return REAL_PAIR
    market: Market = request.getfixturevalue("market")
    return market.pair
