"""How long a run takes, as seen from outside: apply to first test, last test to verdict, apply to verdict.

`make bench` runs it in the cluster. Nothing here is asserted:
machines are noisy, so compare figures of one session only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
import uuid
from datetime import datetime
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from hack.demo import is_finished, kubectl, kubectl_path, watch

TESTS = "import pytest\n@pytest.mark.parametrize('number', range(10))\ndef test_number(number): pass\n"
CASES: dict[str, dict[str, Any]] = {
    "redis": {"redis": {}},
    "kafka, redis, postgres": {"kafka": {"topics": [{"name": "orders"}]}, "redis": {}, "postgres": {}},
    "all four services": {"kafka": {}, "redis": {}, "postgres": {}, "influxdb": {}},
}
OPERATOR = "seatrial-system"


def measure(services: dict[str, Any]) -> dict[str, float]:
    """One run, in seconds."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    run = {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": {"name": name},
        "spec": {
            "services": services,
            "suites": [{"name": "ten", "testsFrom": {"configMapRef": {"name": "bench"}}}],
            "retention": {"onFailure": "0s"},
        },
    }
    applied = time.time()
    subprocess.run(
        [kubectl_path(), "create", "-f", "-"], input=json.dumps(run), text=True, check=True, capture_output=True
    )
    for seen in watch(name):
        if is_finished(seen):
            finished = time.time()
            break
    else:
        raise SystemExit(f"TestRun {name} has no verdict; see: kubectl describe testrun {name}")
    status = seen["status"]
    if status["phase"] != "Passed":
        raise SystemExit(f"TestRun {name} is {status['phase']}: {status['message']}")
    first, last, ready = (
        datetime.fromisoformat(status["timings"][key]).timestamp()
        for key in ("firstTest", "lastTest", "environmentReady")
    )
    kubectl("delete", "testrun", name, "--wait=true")
    return {
        "apply to ready": ready - applied,
        "apply to first test": first - applied,
        "last test to verdict": finished - last,
        "apply to verdict": finished - applied,
    }


def operator_memory() -> float:
    """Resident memory of the operator, in MiB, from its own metrics."""
    pods = subprocess.run(
        [kubectl_path(), "get", "pods", "-n", OPERATOR, "-o", "jsonpath={.items[0].metadata.name}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    path = f"/api/v1/namespaces/{OPERATOR}/pods/{pods}:9090/proxy/metrics"
    text = subprocess.run([kubectl_path(), "get", "--raw", path], check=True, capture_output=True, text=True).stdout
    line = next(line for line in text.splitlines() if line.startswith("process_resident_memory_bytes "))
    return float(line.split()[1]) / 2**20


def wait_until_quiet() -> None:
    """No environment is left of the run before."""
    command = [kubectl_path(), "wait", "--for=delete", "namespaces", "-l", "seatrial.dev/run-uid", "--timeout=60s"]
    subprocess.run(command, check=False, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each case, after one that warms up")
    runs = parser.parse_args().runs
    tests = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bench"}, "data": {"test_ten.py": TESTS}}
    subprocess.run([kubectl_path(), "apply", "-f", "-"], input=yaml.safe_dump(tests), text=True, check=True)
    table = Table("services", "", "min", "median", "max", title=f"seconds, {runs} runs each")
    for case, services in CASES.items():
        results = []
        for _ in range(runs + 1):
            results.append(measure(services))
            wait_until_quiet()
        for what in results[0]:
            values = [result[what] for result in results[1:]]
            table.add_row(case, what, *(f"{pick(values):.2f}" for pick in (min, statistics.median, max)))
    Console().print(table)
    Console().print(f"operator: {operator_memory():.0f} MiB resident")


if __name__ == "__main__":
    main()
