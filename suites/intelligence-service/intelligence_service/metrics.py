"""The Prometheus metrics of one worker."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Every metric, in a registry of its own so that two workers in one process do not share numbers."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "intelligence_requests",
            "Records that were dealt with, by what became of them: completed, rejected, dead-letter",
            ["subject", "outcome"],
            registry=self._registry,
        )
        self.latency = Histogram(
            "intelligence_latency_seconds",
            "From a request's Kafka timestamp until its response is committed",
            ["subject"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self.sessions = Counter("intelligence_sessions", "Times that consumption (re)started", registry=self._registry)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)
