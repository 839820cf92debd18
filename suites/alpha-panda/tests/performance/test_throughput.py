"""How much the pipeline carries, how fast, and in how much memory. Recorded; judged only against the team's own bar."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from typing import TYPE_CHECKING

import pytest
from contract import CHAIN, STAGES, topic
from desk import envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from desk import Desk, OpenDesk
    from services import ServiceClient
    from wire import Wire

    Record = Callable[[str, object], None]

pytestmark = pytest.mark.slow
BAR = 100
"""Messages a second, as the team asks for at least."""
DESKS = 10
TICKS = 200
ROUND_TRIPS = 100
MEBIBYTE = 1 << 20


async def burst(desks: list[Desk], ticks: int) -> float:
    """Ticks that all lead to a trade, as fast as the broker takes them; seconds until the last portfolio is updated."""
    wire = desks[0].wire
    before = {desk.strategy_id: len(desk.seen("portfolio_updated")) for desk in desks}
    started = time.time()
    sends = []
    for number in range(ticks):
        for desk in desks:
            price = desk.price(("102", "100")[number % 2])
            event = envelope("market_tick", price, broker="shared", key=str(desk.instrument))
            sends.append(
                await wire.producer.send(topic("market_tick"), json.dumps(event).encode(), key=event["key"].encode())
            )
    await asyncio.gather(*sends)
    last = 0.0
    for desk in desks:
        events = await desk.expect("portfolio_updated", count=before[desk.strategy_id] + ticks)
        last = max(last, *(wire.received_at[event.id] for event in events))
    return last - started


async def open_desks(open_desk: OpenDesk, count: int) -> list[Desk]:
    desks = [await open_desk(limits=(1000, 1_000_000, 1_000_000)) for _ in range(count)]
    for desk in desks:
        await desk.tick("100")
    return desks


async def test_throughput_baseline(open_desk: OpenDesk, wire: Wire, record_property: Record) -> None:
    """Every tick passes all four services; five events follow from each."""
    desks = await open_desks(open_desk, DESKS)
    seconds = await burst(desks, TICKS)
    total = DESKS * TICKS
    rate = total / seconds
    record_property("ticks_per_second", round(rate))
    record_property("events_per_second", round(rate * (1 + len(CHAIN))))
    print(
        f"{total} ticks, {total * len(CHAIN)} events in {seconds:.2f} s: {rate:.0f} ticks a second through all services"
    )
    await wire.settle()
    for desk in desks:
        assert [len(desk.seen(kind)) for kind in CHAIN] == [TICKS] * len(CHAIN)
        assert (await desk.portfolio(TICKS)).positions[desk.instrument].quantity == 0
    assert rate > BAR


async def test_latency_across_the_chain(open_desk: OpenDesk, record_property: Record) -> None:
    """From a tick's acknowledgement to its portfolio update, one after the other."""
    (desk,) = await open_desks(open_desk, 1)
    milliseconds = []
    for number in range(ROUND_TRIPS):
        started = time.perf_counter()
        await desk.tick(("102", "100")[number % 2])
        await desk.expect("portfolio_updated", count=number + 1)
        milliseconds.append((time.perf_counter() - started) * 1000)
    assert (await desk.portfolio(ROUND_TRIPS)).orders == ROUND_TRIPS
    cuts = statistics.quantiles(milliseconds, n=100)
    found = {"p50": statistics.median(milliseconds), "p95": cuts[94], "p99": cuts[98]}
    for name, value in found.items():
        record_property(f"latency_ms_{name}", round(value, 2))
    print("tick to portfolio, ms:", ", ".join(f"{name} {value:.1f}" for name, value in found.items()))


async def test_memory_under_sustained_load(
    open_desk: OpenDesk, services: dict[str, ServiceClient], record_property: Record
) -> None:
    """What the services keep does not grow with what they have processed."""
    desks = await open_desks(open_desk, DESKS)
    await burst(desks, TICKS // 2)
    before = {name: await _memory(services[name]) for name in STAGES}
    for _ in range(3):
        await burst(desks, TICKS // 2)
    after = {name: await _memory(services[name]) for name in STAGES}
    for name in STAGES:
        record_property(f"memory_mib_{name}", round(after[name] / MEBIBYTE))
        print(f"{name}: {before[name] / MEBIBYTE:.0f} MiB, {after[name] / MEBIBYTE:.0f} MiB after three times as much")
        assert after[name] - before[name] < 32 * MEBIBYTE, f"{name} grew by more than 32 MiB"


async def _memory(service: ServiceClient) -> float:
    return await service.metric("process_resident_memory_bytes")
