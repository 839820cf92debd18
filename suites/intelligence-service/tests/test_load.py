"""Correctness under load. Throughput and latency are recorded, never judged: they belong to the machine."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

import pytest
from contract import DEAD_LETTERS, SUBJECTS, read, response_topic
from samples import PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from asking import Asking

pytestmark = [pytest.mark.kafka, pytest.mark.load, pytest.mark.asyncio]
CONCURRENT = 200
SUSTAINED = 600
WINDOW = 20
SINGLE = 50


async def test_concurrent_requests(asking: Asking, record_property: Callable[[str, object], None]) -> None:
    """All at once, each about code of its own: every one gets its own answer."""
    codes = [f"def function_{number}():\n    return {number}\n" for number in range(CONCURRENT)]
    started = time.perf_counter()
    correlations = await asking.send_all("analyze", [{"code": code} for code in codes])
    for number, correlation in enumerate(correlations):
        found = await asking.response("analyze", correlation)
        assert [function.name for function in found.functions] == [f"function_{number}"]  # type: ignore[attr-defined]
    seconds = time.perf_counter() - started
    await asking.stream.causation_complete()
    await asking.stream.no_further(topic=response_topic("analyze"))
    record_property("requests_per_second", round(CONCURRENT / seconds))
    print(f"{CONCURRENT} requests at once were answered in {seconds:.2f} s")


@pytest.mark.slow
async def test_sustained_load(asking: Asking, record_property: Callable[[str, object], None]) -> None:
    """A bounded number under way at any time, all kinds mixed: nothing is lost, doubled or mixed up."""
    places = asyncio.Semaphore(WINDOW)
    subjects = list(SUBJECTS.values())
    waiting: dict[str, tuple[str, float]] = {}
    milliseconds: list[float] = []
    started = time.perf_counter()

    async def feed() -> None:
        for number in range(SUSTAINED):
            await places.acquire()
            subject = subjects[number % len(subjects)]
            correlation = asking.correlation()
            waiting[correlation] = (subject, time.perf_counter())
            await asking.send(subject, PAYLOADS[subject], correlation)

    async with asyncio.TaskGroup() as tasks:  # what fails in one ends the other
        tasks.create_task(feed())
        for _ in range(SUSTAINED):
            event = await asking.stream.next(
                lambda found: found.topic.startswith("omninode.codegen.response."), f"{len(waiting)} responses"
            )
            subject, sent = waiting.pop(event.value["correlation_id"])
            assert read(subject, event.value).status == "completed"
            milliseconds.append((time.perf_counter() - sent) * 1000)
            places.release()
    seconds = time.perf_counter() - started
    assert not waiting
    await asking.stream.no_further(lambda event: event.topic.startswith("omninode.codegen.response."))
    await asking.stream.dead_letters_empty(DEAD_LETTERS)
    cuts = statistics.quantiles(milliseconds, n=100)
    found = {"p50": statistics.median(milliseconds), "p95": cuts[94], "p99": cuts[98]}
    record_property("requests_per_second", round(SUSTAINED / seconds))
    for name, value in found.items():
        record_property(f"latency_ms_{name}", round(value, 2))
    print(f"{SUSTAINED / seconds:.0f} requests/s, ms: {found}")


async def test_latency_of_single_requests(asking: Asking, record_property: Callable[[str, object], None]) -> None:
    """One after the other."""
    milliseconds = []
    for _ in range(SINGLE):
        started = time.perf_counter()
        found = await asking.ask("validate", PAYLOADS["validate"])
        milliseconds.append((time.perf_counter() - started) * 1000)
        assert found.quality_score == 1.0
    cuts = statistics.quantiles(milliseconds, n=100)
    latency = {"p50": statistics.median(milliseconds), "p95": cuts[94], "p99": cuts[98]}
    for name, value in latency.items():
        record_property(f"latency_ms_{name}", round(value, 2))
    print(f"request to response, ms: {latency}")
