"""The Prometheus metrics of one service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Every metric, in a registry of its own so that two services in one process do not share numbers."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.messages = Counter(
            "position_manager_messages",
            "Consumed messages by what became of them: processed, stale, rejected, foreign, malformed, failed",
            ["topic", "outcome"],
            registry=self._registry,
        )
        self.published = Counter(
            "position_manager_published", "Events acknowledged by Kafka", ["topic"], registry=self._registry
        )
        self.errors = Counter(
            "position_manager_errors",
            "Errors by where they arose: kafka, redis, state (unreadable), processing",
            ["kind"],
            registry=self._registry,
        )
        self.latency = Histogram(
            "position_manager_latency_seconds",
            "From a message's Kafka timestamp until its state is saved and its events are acknowledged",
            ["topic"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self.open_positions = Gauge("position_manager_open_positions", "Open positions", registry=self._registry)
        self.sessions = Counter(
            "position_manager_sessions",
            "Times that state was restored and consumption (re)started",
            registry=self._registry,
        )

    def exposition(self) -> bytes:
        return generate_latest(self._registry)
