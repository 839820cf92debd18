"""How long things take, beside the figures of the requirements. Recorded, never judged: times belong to the machine."""

from __future__ import annotations

import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tbot.content_hash import content_hash
from tbot.factory import create_container
from tbot.migrate import migrate
from tbot.order_service import OrderService
from tbot.orders import OrderRequest
from tests.support.isolation import connected, drop_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tbot.settings import Settings
    from tests.support.bot import OwnBot
    from tests.support.orders import Account

    Record = Callable[[str, object], None]

pytestmark = pytest.mark.benchmark
ORDERS = 200
HASHES = 1000
SCHEMAS = 10
SHUTDOWNS = 5


class Watch:
    """Times of repeated work, in milliseconds."""

    def __init__(self) -> None:
        self._milliseconds: list[float] = []

    @contextmanager
    def once(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._milliseconds.append((time.perf_counter() - began) * 1000)

    def tell(self, record: Record, what: str, required: str) -> None:
        cuts = statistics.quantiles(self._milliseconds, n=20, method="inclusive")
        found = {"median": statistics.median(self._milliseconds), "p95": cuts[18], "max": max(self._milliseconds)}
        for name, value in found.items():
            record(f"{what.replace(' ', '_')}_ms_{name}", round(value, 3))
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        print(f"{what}: {numbers} ms in {len(self._milliseconds)} times; required: {required}")


async def test_order_processing(isolated_config: Settings, account: Account, record_property: Record) -> None:
    """One order after the other, from the request to PostgreSQL and Redis."""
    watch = Watch()
    container = await create_container(isolated_config)
    try:
        orders = container.get(OrderService)
        for payload in account.orders(ORDERS):
            with watch.once():
                receipt = await orders.place(OrderRequest.model_validate(payload))
            assert (receipt.duplicate, receipt.degraded) == (False, False)
    finally:
        await container.close()
    watch.tell(record_property, "order processing", "about 50 ms")


async def test_duplicate_detection(isolated_config: Settings, account: Account, record_property: Record) -> None:
    watch = Watch()
    container = await create_container(isolated_config)
    try:
        orders = container.get(OrderService)
        request = OrderRequest.model_validate(account.order())
        await orders.place(request)
        for _ in range(ORDERS):
            with watch.once():
                receipt = await orders.place(request)
            assert (receipt.duplicate, receipt.decided_by) == (True, "redis")
    finally:
        await container.close()
    watch.tell(record_property, "duplicate detection", "no figure")


def test_content_hash(account: Account, record_property: Record) -> None:
    watch = Watch()
    requests = [OrderRequest.model_validate(payload) for payload in account.orders(HASHES)]
    digests = set()
    for request in requests:
        with watch.once():
            digests.add(content_hash(request))
    assert len(digests) == HASHES
    watch.tell(record_property, "content hash", "below 10 ms")


async def test_schema_creation(isolated_config: Settings, record_property: Record) -> None:
    watch = Watch()
    schema = isolated_config.database_schema
    async with connected(isolated_config) as connection:
        await drop_schema(connection, schema)
        for _ in range(SCHEMAS):
            with watch.once():
                assert await migrate(connection, schema)
            await drop_schema(connection, schema)
    watch.tell(record_property, "schema creation", "about 100 ms")


async def test_shutdown_of_all_services(isolated_config: Settings, account: Account, record_property: Record) -> None:
    """With metrics still to be written and connections open."""
    watch = Watch()
    for _ in range(SHUTDOWNS):
        container = await create_container(isolated_config)
        await container.get(OrderService).place(OrderRequest.model_validate(account.order()))
        with watch.once():
            await container.close()
    watch.tell(record_property, "shutdown of services", "below 500 ms")


async def test_shutdown_of_the_process(own_bot: OwnBot, account: Account, record_property: Record) -> None:
    """From SIGTERM to the end of the process."""
    watch = Watch()
    for _ in range(SHUTDOWNS):
        await own_bot.start()
        async with own_bot.client() as bot:
            await bot.place(account.order())
        with watch.once():
            assert await own_bot.running().terminate() == 0
    watch.tell(record_property, "shutdown of process", "below 500 ms")
