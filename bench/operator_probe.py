"""What the operator says of itself: its requests, its processor time, its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.api import Api

NAMESPACE = "seatrial-system"
SELECTOR = "app.kubernetes.io/name=seatrial"
METRICS_PORT = 9090
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KOPF_WRITES = 2
"""Of kopf itself in each run, which the operator's counter does not see: the finalizer comes and goes."""


@dataclass(frozen=True)
class Reading:
    """Counters since the operator's start, and its memory now."""

    cpu_seconds: float
    resident_mib: float
    requests: Mapping[tuple[str, str], float]
    """(method, resource with subresource) -> number."""

    def writes(self) -> float:
        return sum(number for (method, _), number in self.requests.items() if method in WRITES)

    def status_writes(self) -> float:
        return sum(number for (_, resource), number in self.requests.items() if resource == "testruns/status")

    def since(self, before: Reading) -> dict[str, float]:
        """What one run cost. Writes include those of kopf."""
        return {
            "status writes": self.status_writes() - before.status_writes(),
            "API writes": self.writes() - before.writes() + KOPF_WRITES,
            "operator CPU seconds": round(self.cpu_seconds - before.cpu_seconds, 3),
            "operator MiB": round(self.resident_mib, 1),
        }


async def operator_pod(api: Api) -> str:
    """The name of the operator's pod. Raises LookupError that says how to get one."""
    pods = await api.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=SELECTOR)
    ready = [
        str(pod["metadata"]["name"])
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", ()))
    ]
    if len(ready) != 1:
        raise LookupError(f"expected one ready operator in the namespace {NAMESPACE}, found {len(ready)}: make install")
    return ready[0]


async def read_operator(api: Api) -> Reading:
    """Read /metrics through the API server."""
    pod = await operator_pod(api)
    text = await api.text("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:{METRICS_PORT}/proxy/metrics")
    cpu = resident = 0.0
    requests: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            match sample.name:
                case "process_cpu_seconds_total":
                    cpu = sample.value
                case "process_resident_memory_bytes":
                    resident = sample.value / 2**20
                case "seatrial_api_requests_total":
                    key = (sample.labels["method"], sample.labels["resource"])
                    requests[key] = requests.get(key, 0) + sample.value
                case _:
                    pass
    return Reading(cpu, resident, requests)


def added(first: Mapping[tuple[str, str], float], last: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """The requests between two readings, by method and resource."""
    return {
        f"{method} {resource}": number - first.get((method, resource), 0)
        for (method, resource), number in sorted(last.items())
        if number > first.get((method, resource), 0)
    }
