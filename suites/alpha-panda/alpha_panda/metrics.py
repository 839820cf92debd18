"""The Prometheus metrics of one service."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from alpha_panda.streaming.errors import classify
from alpha_panda.streaming.policy import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alpha_panda.events.envelope import EventEnvelope

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Every metric, in a registry of its own so that two services in one process do not share numbers."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.events = Counter(
            "alpha_panda_events",
            "Consumed records by what became of them: processed, duplicate, transient, poison, business",
            ["broker", "topic", "outcome"],
            registry=self._registry,
        )
        self.published = Counter(
            "alpha_panda_published", "Events acknowledged by Kafka", ["broker", "type"], registry=self._registry
        )
        self.failures = Counter(
            "alpha_panda_failures",
            "Batches and sessions that failed as a whole, by class of error",
            ["broker", "class"],
            registry=self._registry,
        )
        self.latency = Histogram(
            "alpha_panda_latency_seconds",
            "From a record's Kafka timestamp until its effects are durable and its offset is committed",
            ["broker"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self.circuit = Gauge(
            "alpha_panda_circuit_open", "1 while the circuit breaker is open", ["broker"], registry=self._registry
        )
        self.openings = Counter(
            "alpha_panda_circuit_openings", "Times the circuit breaker opened", ["broker"], registry=self._registry
        )
        self.sessions = Counter(
            "alpha_panda_sessions", "Times that consumption (re)started", ["broker"], registry=self._registry
        )

    def exposition(self) -> bytes:
        return generate_latest(self._registry)


class BrokerMetrics(Watcher):
    """One broker's part of the metrics."""

    def __init__(self, metrics: Metrics, broker: str) -> None:
        self._metrics, self._broker = metrics, broker
        self._latency = metrics.latency.labels(broker)
        self._open = False

    def handled(self, topic: str, outcome: str) -> None:
        self._metrics.events.labels(self._broker, topic, outcome).inc()

    def published(self, events: Sequence[EventEnvelope]) -> None:
        for kind, count in Tally(event.type for event in events).items():
            self._metrics.published.labels(self._broker, kind).inc(count)

    def finished(self, records: Sequence[Any], now: float) -> None:
        for record in records:
            self._latency.observe(max(0.0, now - record.timestamp / 1000))

    def failed(self, error: BaseException) -> None:
        self._metrics.failures.labels(self._broker, classify(error)).inc()

    def circuit(self, open: bool) -> None:  # noqa: A002, FBT001 - the word for it
        self._metrics.circuit.labels(self._broker).set(open)
        if open and not self._open:
            self._metrics.openings.labels(self._broker).inc()
        self._open = open
