"""The service under test, as seen over HTTP; and one that a test starts for itself, to stop and kill it."""

from __future__ import annotations

import functools
import json
import os
import ssl
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from seatrial_kit.waiting import deadline_seconds, eventually_async
from tests.support.contract import Health, Order, Receipt
from tests.support.processes import Process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tbot.settings import Settings

LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50)
tls_context = functools.cache(ssl.create_default_context)
"""One for all: each client would make its own, for 20 ms of work."""


class Bot:
    """HTTP client of the service, strict about its answers."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def place(self, payload: dict[str, str]) -> Receipt:
        return receipt_of(await self.client.post("/orders", json=payload))

    async def place_for_sure(self, payload: dict[str, str]) -> Receipt:
        """As a client does that must know: repeat the order until the service says what became of it."""

        async def probe() -> httpx.Response:
            response = await self.client.post("/orders", json=payload)
            assert response.status_code != httpx.codes.SERVICE_UNAVAILABLE, response.text
            return response

        return receipt_of(await eventually_async(probe, f"an answer to {payload}", transient=(httpx.TransportError,)))

    async def order(self, order_id: object) -> Order:
        response = await self.client.get(f"/orders/{order_id}")
        response.raise_for_status()
        return Order.model_validate_json(response.content)

    async def balances(self, account: str) -> dict[str, dict[str, str]]:
        response = await self.client.get(f"/accounts/{account}/balances")
        response.raise_for_status()
        return dict(response.json())

    async def health(self) -> Health:
        return Health.model_validate_json((await self.client.get("/healthz")).content)

    async def wait_health(self, awaited: str, **services: str) -> Health:
        """Until these services are said to be so; `ok` is equal, anything else is part of the text."""

        async def probe() -> Health:
            health = await self.health()
            right = all(
                health.services[name] == text if text == "ok" else text in health.services[name]
                for name, text in services.items()
            )
            assert right, health
            return health

        return await eventually_async(probe, awaited, transient=(httpx.TransportError,))


def receipt_of(response: httpx.Response) -> Receipt:
    """What an order was answered with. Any other answer is a failure, not something that may pass."""
    assert response.status_code in {httpx.codes.OK, httpx.codes.CREATED}, f"{response.status_code} {response.text}"
    receipt = Receipt.model_validate_json(response.content)
    assert receipt.duplicate == (response.status_code == httpx.codes.OK)
    return receipt


@asynccontextmanager
async def bot_at(url: str) -> AsyncIterator[Bot]:
    transport = httpx.AsyncHTTPTransport(limits=LIMITS, verify=tls_context())
    async with httpx.AsyncClient(
        base_url=url, timeout=deadline_seconds(), trust_env=False, transport=transport
    ) as client:
        yield Bot(client)


class OwnBot:
    """`python -m tbot` as a process of the test's own, on the test's own schema, Redis and bucket."""

    def __init__(self, config: Settings, folder: Path) -> None:
        self._config, self._folder = config, folder
        self._starts = 0
        self.process: Process | None = None
        self.url = ""

    async def start(self) -> None:
        """Until it says which port it has."""
        process = self.launch()

        async def probe() -> int:
            if process.returncode is not None:
                pytest.fail(f"the service ended with {process.returncode}:\n{process.output()}")
            whole = process.output().split("\n")[:-1]
            lines = [json.loads(line) for line in whole if line.startswith("{")]
            ports = [line["port"] for line in lines if line.get("message") == "serving"]
            assert ports, process.output()[-500:]
            return ports[0]

        self.url = f"http://127.0.0.1:{await eventually_async(probe, 'the service to serve')}"

    def launch(self) -> Process:
        self._starts += 1
        log = self._folder / f"tbot-{self._starts}.log"
        self.process = Process([sys.executable, "-m", "tbot"], log, _environment(self._config))
        return self.process

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Bot]:
        async with bot_at(self.url) as bot:
            yield bot

    async def kill(self) -> None:
        await self.running().kill()

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    def running(self) -> Process:
        assert self.process is not None, "the service was not started"
        return self.process

    def destroy(self) -> None:
        """Its log becomes a part of the test's output, which is shown when the test fails."""
        if self.process is not None:
            self.process.destroy()
            print(self.process.output())


def _environment(config: Settings) -> dict[str, str]:
    """Only what a process needs, and the settings under the names that the service reads."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONPATH") if name in os.environ}
    settings = {name.upper(): text for name, value in config if (text := _text(value)) is not None}
    return kept | settings | {"HTTP_PORT": "0"}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)
