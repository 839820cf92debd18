"""2,000 trivial tests: their rate in a suite's pod, and that of plain pytest in a Job of the same image and resources.

Both run the same files, conftest.py among them. The rate is that between the first test's begin and the last one's end.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from bench.cases import NAMESPACE, TESTS, is_finished, test_run
from bench.floor import read_settings, stamps
from bench.floor_manifests import JOB, manifests

if TYPE_CHECKING:
    from bench.api import Api
    from bench.observer import Observer

SUITE = "two-thousand"
NUMBER = 2000


async def with_seatrial(api: Api, observer: Observer) -> dict[str, float]:
    """One run. Raises TimeoutError, ApiError, RuntimeError."""
    run = test_run({}, SUITE)
    name = run["metadata"]["name"]
    await api.create(run)
    change = await observer.wait("the verdict", lambda change: change.name == name and is_finished(change.item))
    status = change.item["status"]
    if status["phase"] != "Passed" or status["summary"]["passed"] != NUMBER:
        raise RuntimeError(f"TestRun {name} is {status['phase']}: {status['message']}")
    first, last = (datetime.fromisoformat(status["timings"][key]).timestamp() for key in ("firstTest", "lastTest"))
    await observer.wait(
        "the end of the namespace",
        lambda change: change.kind == "Namespace" and change.name == status["namespace"] and change.type == "DELETED",
    )
    await api.delete(f"/apis/seatrial.dev/v1alpha1/namespaces/{NAMESPACE}/testruns/{name}")
    return {"tests per second": NUMBER / (last - first), "last test to verdict": change.at - last}


async def with_plain_pytest(api: Api, observer: Observer) -> dict[str, float]:
    """One Job. Raises TimeoutError, ApiError, RuntimeError."""
    namespace = f"{NAMESPACE}-plain-{uuid.uuid4().hex[:8]}"
    environment, job = manifests(namespace, {}, SUITE, await read_settings(api))
    for item in (*environment, job):
        await api.create(item)
    await observer.wait(
        "Complete",
        lambda change: (
            change.kind == "Job"
            and change.name == JOB
            and change.namespace == namespace
            and bool(change.item.get("status", {}).get("succeeded"))
        ),
    )
    first, last = await stamps(api, namespace)
    await api.delete(f"/api/v1/namespaces/{namespace}")
    await observer.wait(
        "the end of the namespace",
        lambda change: change.kind == "Namespace" and change.name == namespace and change.type == "DELETED",
    )
    return {"tests per second": NUMBER / (last - first)}


assert SUITE in TESTS  # noqa: S101  (a name that nothing else checks)
