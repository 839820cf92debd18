"""Prometheus metrics. No logic."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RUNS_FINISHED = Counter(
    "seatrial_runs_finished_total", "TestRuns that have ended, by phase and reason.", ["phase", "reason"]
)
RUNS_ACTIVE = Gauge("seatrial_runs_active", "TestRuns whose environment exists and whose verdict is not known.")
RUNS_QUEUED = Gauge("seatrial_runs_queued", "TestRuns that wait for a slot.")
TESTS = Counter("seatrial_tests_total", "Tests with an outcome, each counted once.", ["outcome"])
PASS_SECONDS = Histogram(
    "seatrial_reconcile_seconds",
    "Duration of one pass over a TestRun.",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 1, 5, 30),
)
PASS_ERRORS = Counter("seatrial_reconcile_errors_total", "Passes that ended in an error and are repeated.", ["error"])
ENVIRONMENT_SECONDS = Histogram(
    "seatrial_environment_ready_seconds",
    "From the start of a run to its open gate.",
    buckets=(1, 2, 3, 5, 10, 30, 60, 300),
)
ORPHANS = Counter("seatrial_orphans_deleted_total", "Namespaces deleted because their TestRun is gone.")
NETWORK_POLICIES = Gauge(
    "seatrial_network_policies_enforced",
    "Whether the cluster enforces network policies: 1 for the status that holds, 0 for the others.",
    ["status"],
)
API_REQUESTS = Counter(
    "seatrial_api_requests_total",
    "Requests to the API server, but for kopf's: its watches, and a run's two patches of the finalizer.",
    ["method", "resource", "code"],
)
