"""Kafka for tests. The names below need no client library until they are called."""

from seatrial_kit.kafka.config import KafkaTestConfig
from seatrial_kit.kafka.connectivity import create_test_topics, verify_kafka_connectivity, wait_for_kafka
from seatrial_kit.kafka.flow import EventFlow, consume_response, publish_test_event, track_event_flow
from seatrial_kit.kafka.lag import assert_consumer_lag_zero, consumer_lag

__all__ = [
    "EventFlow",
    "KafkaTestConfig",
    "assert_consumer_lag_zero",
    "consume_response",
    "consumer_lag",
    "create_test_topics",
    "publish_test_event",
    "track_event_flow",
    "verify_kafka_connectivity",
    "wait_for_kafka",
]
