"""Where the time of an order goes: its stages, as the service itself has measured them, read back from InfluxDB."""

from __future__ import annotations

import asyncio
import statistics
from typing import TYPE_CHECKING

import pytest

from tests.support.points import wait_points

if TYPE_CHECKING:
    from collections.abc import Callable

    from tbot.settings import Settings
    from tests.support.bot import OwnBot
    from tests.support.orders import Account

pytestmark = pytest.mark.profiling
ORDERS = 200
STAGES = ("hash_ms", "find_ms", "postgres_ms", "remember_ms")


@pytest.mark.parametrize("clients", [1, 20])
async def test_stages_of_an_order(
    own_bot: OwnBot,
    account: Account,
    isolated_config: Settings,
    record_property: Callable[[str, object], None],
    clients: int,
) -> None:
    """With one client the work itself shows, with twenty what they wait for."""
    await own_bot.start()
    waiting = iter(account.orders(ORDERS))
    async with own_bot.client() as bot:

        async def client() -> None:
            for payload in waiting:
                await bot.place(payload)

        await asyncio.gather(*(client() for _ in range(clients)))
    found = await wait_points(isolated_config, "orders", ORDERS)
    assert len(found) == ORDERS
    whole = sum(point["total_ms"] for point in found)
    print(f"{ORDERS} orders of {clients} clients at once")
    for stage in STAGES:
        times = sorted(point[stage] for point in found)
        share, middle, late = sum(times) / whole, statistics.median(times), times[int(len(times) * 0.95)]
        record_property(f"{stage}_share", round(share, 3))
        print(f"{stage:12} median {middle:7.3f}  p95 {late:7.3f}  {share:5.1%}")
    for point in found:
        assert 0 < sum(point[stage] for stage in STAGES) <= point["total_ms"]
    slowest = max(STAGES, key=lambda stage: sum(point[stage] for point in found))
    record_property("bottleneck", slowest)
    print(f"bottleneck: {slowest}")
