"""The worker is killed by SIGKILL, at the worst moments: each request has exactly one response all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from contract import DEAD_LETTERS, request_topic, response_topic
from samples import PAYLOADS
from service import RECOVERY_SECONDS

if TYPE_CHECKING:
    from asking import Asking
    from service import Intelligence

pytestmark = [pytest.mark.kafka, pytest.mark.integration, pytest.mark.asyncio]
REQUESTS = 40


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed worker is another process some seconds later."""
    monkeypatch.setenv("SUITE_DEADLINE_SECONDS", str(RECOVERY_SECONDS))


async def exactly_one_response_each(asking: Asking, correlations: list[str]) -> None:
    for correlation in correlations:
        await asking.response("validate", correlation)
    expected = {correlation: [{"correlation_id": correlation}] for correlation in correlations}
    await asking.stream.exactly(expected, topic=response_topic("validate"))
    await asking.stream.dead_letters_empty(DEAD_LETTERS)
    await asking.stream.causation_complete()


@pytest.mark.parametrize("point", ["published", "offsets", "committed"])
async def test_killed_within_a_batch(service: Intelligence, asking: Asking, point: str) -> None:
    """After the responses were published; after the offsets, too; and after the transaction was committed."""
    correlations: list[str] = []

    async def ask() -> None:
        correlations.extend(await asking.send_all("validate", [PAYLOADS["validate"]] * REQUESTS))

    await service.kill_during(ask, at=point)
    await exactly_one_response_each(asking, correlations)


async def test_killed_under_load(service: Intelligence, asking: Asking) -> None:
    """Whenever it comes."""
    correlations: list[str] = []
    worker = await service.ready()
    for _ in range(3):
        half = asyncio.create_task(asking.send_all("validate", [PAYLOADS["validate"]] * REQUESTS))
        await service.kill(at="now")
        correlations += await half
        worker = await service.ready(other_than=worker)
    await exactly_one_response_each(asking, correlations)


async def test_dead_letters_are_not_doubled_either(
    service: Intelligence, asking: Asking, async_kafka_producer: Any
) -> None:
    correlations: list[str] = []

    async def publish() -> None:
        correlations.append(asking.correlation())
        value = f"not JSON: {correlations[-1]}"
        await async_kafka_producer.send_and_wait(request_topic("mixin"), value, key=correlations[-1])

    await service.kill_during(publish, at="offsets")
    for correlation in correlations:
        await asking.dead_letter(correlation)
    await asking.stream.no_further(topic=DEAD_LETTERS)


async def test_the_kill_switch_wants_a_point(service: Intelligence) -> None:
    response = await service.arm("lunch")
    assert response.status_code == 400
    assert "POINT one of now, published, offsets, committed" in response.json()["error"]
