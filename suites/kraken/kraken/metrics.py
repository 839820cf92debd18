"""Prometheus metrics, and the figures that a person asks for."""

from __future__ import annotations

import resource
import time
from collections import deque
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REMEMBERED: Final = 2000
PERCENTILES: Final = {"p50": 49, "p95": 94, "p99": 98}
PAGE_BYTES: Final = resource.getpagesize()


class Metrics:
    """One registry, so that tests can have several."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "kraken_requests", "Requests to the exchange", ["method", "outcome"], registry=self._registry
        )
        self.seconds = Histogram(
            "kraken_request_seconds", "Duration of requests to the exchange", ["method"], registry=self._registry
        )
        self.execution_seconds = Histogram(
            "kraken_execution_seconds", "From an order's admission to the news of a fill", registry=self._registry
        )
        self.retries = Counter("kraken_retries", "Requests made again", ["method"], registry=self._registry)
        self.orders = Counter("kraken_orders", "Orders by what became of them", ["status"], registry=self._registry)
        self.refused = Counter("kraken_refused", "Orders that a limit refused", ["rule"], registry=self._registry)
        self.trades = Counter("kraken_trades", "Trades booked", ["source"], registry=self._registry)
        self.books = Counter("kraken_book_checksum_errors", "Order books found wrong", registry=self._registry)
        self.breaker = Gauge("kraken_breaker_open", "Whether the circuit breaker is open", registry=self._registry)
        self.failing_exits = Gauge(
            "kraken_exits_failing", "Positions that have to be left and could not be yet", registry=self._registry
        )
        self.errors = Counter("kraken_errors", "Errors of background work", ["task"], registry=self._registry)
        self._durations: deque[float] = deque(maxlen=REMEMBERED)
        self._executions: deque[float] = deque(maxlen=REMEMBERED)
        self._asked = self._failed = 0

    def request(self, method: str, seconds: float, outcome: str) -> None:
        self.requests.labels(method, outcome).inc()
        self.seconds.labels(method).observe(seconds)
        self._durations.append(seconds)
        self._asked += 1
        self._failed += outcome != "ok"

    def executed(self, seconds: float) -> None:
        """From an order's admission to the news of its fill."""
        spent = max(0.0, seconds)
        self.execution_seconds.observe(spent)
        self._executions.append(spent)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

    def statistics(self) -> dict[str, Any]:
        """Milliseconds, a fraction, and bytes."""
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
        return {
            "requests": self._asked,
            "error_rate": self._failed / self._asked if self._asked else 0.0,
            "request_ms": _percentiles(self._durations),
            "execution_ms": _percentiles(self._executions),
            "resident_bytes": resident,
            "at": time.time(),
        }


def _percentiles(seconds: deque[float]) -> dict[str, float] | None:
    if len(seconds) < 2:  # noqa: PLR2004  (what quantiles needs)
        return None
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {name: round(cuts[index] * 1000, 3) for name, index in PERCENTILES.items()}
