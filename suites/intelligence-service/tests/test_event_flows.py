"""Whole flows: request to response with correlation and causation, for all four kinds, one and many at once."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest
from contract import DEAD_LETTERS, GROUP, REQUESTS, SUBJECTS, request_topic, response_topic
from samples import PAYLOADS

from seatrial_kit.kafka import assert_consumer_lag_zero, track_event_flow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asking import Asking

pytestmark = [pytest.mark.kafka, pytest.mark.integration, pytest.mark.asyncio]


@pytest.mark.parametrize("kind", SUBJECTS)
async def test_flow(asking: Asking, kafka_test_topics: Mapping[str, str], kind: str) -> None:
    """From request to response: found by correlation, chained by causation, and nothing else happens."""
    subject = SUBJECTS[kind]
    correlation = await asking.send(subject, PAYLOADS[subject])
    assert (await asking.response(subject, correlation)).status == "completed"
    topics = kafka_test_topics[f"{kind}_request"], kafka_test_topics[f"{kind}_response"]
    tracking = await asyncio.to_thread(track_event_flow, correlation, *topics)
    assert (tracking["request_found"], tracking["response_found"]) == (True, True)
    assert tracking["duration_ms"] is not None
    assert tracking["response"]["causation_id"] == tracking["request"]["event_id"]
    await asking.stream.causation_complete(through=topics)
    await asking.stream.dead_letters_empty(DEAD_LETTERS)
    assert len(asking.stream.events) == 2


async def test_one_correlation_through_all_four(asking: Asking) -> None:
    """A code generator asks about the same piece of work four times: each answer is caused by its own request."""
    correlation = asking.correlation()
    first = str(uuid.uuid4())
    await asking.send("validate", PAYLOADS["validate"], correlation, event_id=first)
    cause = (await asking.response("validate", correlation)).event_id
    for subject in ("analyze", "pattern", "mixin"):
        await asking.send(subject, PAYLOADS[subject], correlation, causation_id=cause)
        cause = (await asking.response(subject, correlation)).event_id
    subjects = ("validate", "analyze", "pattern", "mixin")
    through = [topic(subject) for subject in subjects for topic in (request_topic, response_topic)]
    await asking.stream.causation_complete(through=through)
    assert len(asking.stream.events) == 8


async def test_all_four_at_once(asking: Asking) -> None:
    """Interleaved requests: each response belongs to its request, and there is exactly one."""
    sent = {await asking.send(subject, PAYLOADS[subject]): subject for _ in range(5) for subject in SUBJECTS.values()}
    for correlation, subject in sent.items():
        assert (await asking.response(subject, correlation)).status == "completed"
    await asking.stream.causation_complete()
    for kind in SUBJECTS.values():
        answered = [correlation for correlation, subject in sent.items() if subject == kind]
        await asking.stream.exactly({key: [{"status": "completed"}] for key in answered}, topic=response_topic(kind))


async def test_responses_to_a_key_keep_the_order_of_its_requests(asking: Asking) -> None:
    correlation = asking.correlation()
    ids = [str(uuid.uuid4()) for _ in range(30)]
    for number, event_id in enumerate(ids):
        await asking.send("analyze", {"code": f"x = {number}"}, correlation, event_id=event_id)
    for _ in ids:
        await asking.response("analyze", correlation)
    responses = [event for event in asking.stream.events if event.topic == response_topic("analyze")]
    assert [event.value["causation_id"] for event in responses] == ids


async def test_nothing_is_left_unread(asking: Asking) -> None:
    await asking.ask("mixin", {"requirements": ["cache"]})
    await asyncio.to_thread(assert_consumer_lag_zero, GROUP, REQUESTS)
