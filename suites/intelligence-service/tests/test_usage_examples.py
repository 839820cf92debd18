"""The usage examples of the Kafka test infrastructure, with the fixtures and utilities under their names.

One thing is more than in the examples: where they say that nothing was raised, the record is read back. One is less:
how long a response takes (there: less than five seconds) is recorded as `duration_ms`, since it is the machine's doing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from seatrial_kit.kafka import consume_response, publish_test_event, track_event_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service import Intelligence

    from seatrial_kit.kafka.stream import KafkaStream


@pytest.mark.kafka
@pytest.mark.integration
def test_publish_validation_request(
    kafka_producer: Any,
    kafka_test_topics: Mapping[str, str],
    *,
    kafka_connectivity_check: bool,
    kafka_stream: Callable[..., KafkaStream],
) -> None:
    """Test publishing codegen validation request."""
    assert kafka_connectivity_check

    correlation_id = str(uuid4())
    event = {
        "correlation_id": correlation_id,
        "event_type": "codegen.request.validate",
        "payload": {"code_content": "class NodeTestEffect(NodeEffect): pass", "node_type": "effect"},
    }
    topic = kafka_test_topics["validation_request"]
    stream = kafka_stream(topic)
    kafka_producer.send(topic, value=event)
    kafka_producer.flush()
    assert stream.next({"correlation_id": correlation_id}).value == event


@pytest.mark.kafka
@pytest.mark.integration
@pytest.mark.asyncio
async def test_validation_request_response_flow(
    service: Intelligence,
    kafka_producer: Any,
    kafka_consumer: Callable[..., Any],
    kafka_test_topics: Mapping[str, str],
    *,
    kafka_connectivity_check: bool,
) -> None:
    """Test complete validation request -> response flow."""
    assert service
    assert kafka_connectivity_check

    correlation_id = str(uuid4())
    request_topic = kafka_test_topics["validation_request"]
    response_topic = kafka_test_topics["validation_response"]
    consumer = kafka_consumer([response_topic], f"test-{correlation_id}")
    request_event = {
        "correlation_id": correlation_id,
        "event_type": "codegen.request.validate",
        "payload": {"code": "class Test: pass"},
    }
    await publish_test_event(kafka_producer, request_topic, request_event, correlation_id)
    response = await consume_response(consumer, correlation_id, timeout_seconds=10)
    assert response is not None
    assert response["correlation_id"] == correlation_id
    assert "quality_score" in response
    consumer.close()


@pytest.mark.kafka
@pytest.mark.integration
@pytest.mark.asyncio
async def test_correlation_id_tracking(
    service: Intelligence,
    kafka_producer: Any,
    kafka_test_topics: Mapping[str, str],
    *,
    kafka_connectivity_check: bool,
    record_property: Callable[[str, object], None],
) -> None:
    """Test correlation ID tracking across request/response."""
    assert service
    assert kafka_connectivity_check

    correlation_id = str(uuid4())
    value = {"correlation_id": correlation_id, "payload": {}}
    kafka_producer.send(kafka_test_topics["validation_request"], value=value)
    kafka_producer.flush()
    tracking = track_event_flow(
        correlation_id=correlation_id,
        request_topic=kafka_test_topics["validation_request"],
        response_topic=kafka_test_topics["validation_response"],
        timeout_seconds=30,
    )
    assert tracking["request_found"], "Request event not found"
    assert tracking["response_found"], "Response event not found"
    assert tracking["duration_ms"] is not None
    record_property("duration_ms", tracking["duration_ms"])
    assert tracking["response"]["status"] == "rejected"
