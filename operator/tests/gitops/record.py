"""Records a TestRun of every phase on a cluster with an operator: in operator/, `python -m tests.gitops.record`."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import a_tenant
from tests.e2e.kubectl import OPERATOR_NAMESPACE, eventually, items, kubectl

from .scenarios import HANGS, SERVICES, Watch, run_all, watching
from .test_recorded import EXPECTED, RECORDED

Object = dict[str, Any]

SLOW = "import time\ndef test_one(): time.sleep(8)\n"
"""It stops while the operator is away: the next one finds a suite that has stopped, and results that it has to read."""
SLOTS = 4
"""Active runs of an operator with the chart's default values."""


def scale(replicas: int) -> None:
    kubectl("scale", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, f"--replicas={replicas}")
    if replicas:
        kubectl("rollout", "status", "deployment/seatrial", "-n", OPERATOR_NAMESPACE, "--timeout=60s")
    else:
        kubectl("wait", "--for=delete", "pod", "-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=seatrial")


def main() -> None:
    with a_tenant("recording", {}, "recorded") as tenant, watching(tenant) as watch:
        run_all(tenant)
        tenant.tests("hangs", HANGS)
        suites = [{"name": "it", "testsFrom": {"configMapRef": {"name": "hangs"}}}]
        for number in range(SLOTS + 1):
            tenant.run(f"hangs-{number}", services=SERVICES, suites=suites)
        eventually("one has to wait", lambda: any("Queued" in watch.phases(f"hangs-{n}") for n in range(SLOTS + 1)))
        for number in range(SLOTS + 1):
            tenant.patch(f"hangs-{number}", cancel=True)
            tenant.finished(f"hangs-{number}")
        tenant.tests("late", SLOW)
        tenant.run("late")
        tenant.in_phase("late", "Running")
        scale(0)
        try:
            tenant.run("unseen", services=SERVICES, suites=suites)
            eventually("it is there", lambda: watch.states("unseen"))
            space = tenant.get("late")["status"]["namespace"]
            eventually("its suite has stopped", lambda: items("jobs", space)[0]["status"].get("succeeded"))
        finally:
            scale(1)
        tenant.finished("late")
        keep(watch)


def keep(watch: Watch) -> None:
    """The last state of each phase."""
    by_phase: dict[str, Object] = {}
    for state in watch.states():
        if "deletionTimestamp" not in state["metadata"]:
            by_phase[state.get("status", {}).get("phase", "").lower()] = state
    by_phase["unseen"] = watch.states("unseen")[0]
    by_phase["passed"] = watch.states("passed")[-1]
    by_phase["cancelled"] = watch.states("cancelled")[-1]
    RECORDED.mkdir(exist_ok=True)
    for name in EXPECTED:
        text = json.dumps(by_phase[name], indent=2, ensure_ascii=False)
        (RECORDED / f"{name}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
