"""Where Kafka is, and how tests use it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class _FromEnvironment(type):
    """Reads the variables when they are asked for: a test, or a fixture before it, may have set them."""

    @property
    def BOOTSTRAP_SERVERS(cls) -> str:  # noqa: N802 - the name by which tests know it
        """TEST_KAFKA_BOOTSTRAP_SERVERS, else KAFKA_BOOTSTRAP_SERVERS, which a TestRun sets, else localhost:19092."""
        return (
            os.environ.get("TEST_KAFKA_BOOTSTRAP_SERVERS")
            or os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
            or "localhost:19092"
        )

    @property
    def SCHEMA_REGISTRY_URL(cls) -> str:  # noqa: N802 - as above
        """TEST_SCHEMA_REGISTRY_URL, else SCHEMA_REGISTRY_URL, else http://localhost:18081."""
        return (
            os.environ.get("TEST_SCHEMA_REGISTRY_URL")
            or os.environ.get("SCHEMA_REGISTRY_URL")
            or "http://localhost:18081"
        )


class KafkaTestConfig(metaclass=_FromEnvironment):
    """What tests need to know. A suite with other topics makes a subclass and returns it from `kafka_test_config`."""

    CONSUMER_GROUP_PREFIX: ClassVar[str] = "archon-intelligence-test"
    NUM_PARTITIONS: ClassVar[int] = 1
    REPLICATION_FACTOR: ClassVar[int] = 1
    DEFAULT_TOPICS: ClassVar[Mapping[str, str]] = {
        "validation_request": "omninode.codegen.request.validate.v1",
        "validation_response": "omninode.codegen.response.validate.v1",
        "analysis_request": "omninode.codegen.request.analyze.v1",
        "analysis_response": "omninode.codegen.response.analyze.v1",
        "pattern_request": "omninode.codegen.request.pattern.v1",
        "pattern_response": "omninode.codegen.response.pattern.v1",
        "mixin_request": "omninode.codegen.request.mixin.v1",
        "mixin_response": "omninode.codegen.response.mixin.v1",
    }

    @classmethod
    def get_consumer_config(cls, group_id: str) -> dict[str, Any]:
        """Arguments of KafkaConsumer, for a group with the prefix in front of its name."""
        return {
            "bootstrap_servers": cls.BOOTSTRAP_SERVERS,
            "group_id": f"{cls.CONSUMER_GROUP_PREFIX}-{group_id}",
            "auto_offset_reset": "earliest",
            "enable_auto_commit": True,
            "max_poll_records": 100,
            "session_timeout_ms": 30_000,
            "heartbeat_interval_ms": 10_000,
        }

    @classmethod
    def get_producer_config(cls) -> dict[str, Any]:
        """Arguments of KafkaProducer: acknowledged by all replicas, one request at a time so that order is kept."""
        return {
            "bootstrap_servers": cls.BOOTSTRAP_SERVERS,
            "acks": "all",
            "retries": 3,
            "max_in_flight_requests_per_connection": 1,
        }
