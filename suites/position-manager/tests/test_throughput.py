"""Correctness under load. Throughput and latency are recorded, never judged: they belong to the machine."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from typing import TYPE_CHECKING

import pytest
from contract import PnlUpdate, PositionState

if TYPE_CHECKING:
    from collections.abc import Callable

    from flow import Flow
    from manager import Manager
    from wire import Wire

pytestmark = pytest.mark.asyncio
SYMBOLS = 20
PRICES = 100
ROUND_TRIPS = 100


async def test_burst_is_processed_completely_and_in_order(
    wire: Wire, another: Callable[[], Flow], record_property: Callable[[str, object], None]
) -> None:
    flows = [another() for _ in range(SYMBOLS)]
    for flow in flows:
        await flow.funding("0.0001", (("1", "100"), ("1", "100")))
    for flow in flows:
        await flow.next(PositionState, "the opened position")
    started = time.time()
    sends = []
    for number in range(PRICES):
        for flow in flows:
            payload = json.dumps(flow.market_message(f"100.{number:02}")).encode()
            sends.append(await wire.producer.send("market_data", payload, key=flow.symbol.encode()))
    await asyncio.gather(*sends)
    for flow in flows:
        await flow.valued_at(flow.now_ms)
        updates = flow.seen(PnlUpdate)
        assert [update.revision for update in updates] == list(range(2, PRICES + 2))
        assert [str(update.long_price) for update in updates] == [_plain(number) for number in range(PRICES)]
    seconds = max(wire.received_at[update.event_id] for flow in flows for update in flow.seen(PnlUpdate)) - started
    record_property("messages", SYMBOLS * PRICES)
    record_property("messages_per_second", round(SYMBOLS * PRICES / seconds))
    print(f"{SYMBOLS * PRICES} prices in and as many P&L updates out in {seconds:.2f} s")


async def test_latency_of_single_messages(flow: Flow, record_property: Callable[[str, object], None]) -> None:
    """Produce a price, wait for its P&L, one after the other."""
    await flow.open()
    milliseconds = []
    for number in range(ROUND_TRIPS):
        started = time.perf_counter()
        pnl = await flow.valued(f"100.{number:02}")
        milliseconds.append((time.perf_counter() - started) * 1000)
        assert pnl.revision == number + 2
    cuts = statistics.quantiles(milliseconds, n=100)
    found = {"p50": statistics.median(milliseconds), "p95": cuts[94], "p99": cuts[98]}
    for name, value in found.items():
        record_property(f"latency_ms_{name}", round(value, 2))
    print("price to P&L, ms:", ", ".join(f"{name} {value:.1f}" for name, value in found.items()))


async def test_service_counts_what_it_does(flow: Flow, manager: Manager) -> None:
    """The service's own performance metrics move with the messages."""
    names = {
        "position_manager_messages_total": {"topic": "market_data", "outcome": "processed"},
        "position_manager_published_total": {"topic": "pnl_updates"},
        "position_manager_latency_seconds_count": {"topic": "market_data"},
        "position_manager_latency_seconds_bucket": {"topic": "market_data", "le": "+Inf"},
    }
    await flow.open()
    before = {name: await manager.metric(name, **labels) for name, labels in names.items()}
    for cents in range(5):
        await flow.valued(f"100.{cents}")
    for name, labels in names.items():
        await manager.wait_metric(before[name] + 5, name, **labels)
    assert await manager.metric("position_manager_open_positions") >= 1


def _plain(cents: int) -> str:
    return f"100.{cents:02}".rstrip("0").rstrip(".")
