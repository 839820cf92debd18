"""One TestRun, measured from outside.

Time zero is the API server's answer to the POST, which this process makes over a connection that is open already. What
the cluster shows is stamped when it arrives in our watch; when tests began and ended is what the suite's own clock
said, which on one node is the same kernel's.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bench.cases import is_finished, test_run
from bench.operator_probe import added, read_operator
from bench.tables import REQUEST
from seatrial.naming import RUN_UID_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.api import Api
    from bench.observer import Change, Observer

JOB_LABEL = "batch.kubernetes.io/job-name"


async def measure(api: Api, observer: Observer, services: Mapping[str, Any], suite: str) -> dict[str, float]:
    """One run, in seconds, requests, processor seconds and MiB. Raises TimeoutError, ApiError, RuntimeError."""
    before = await read_operator(api)
    run = test_run(services, suite)
    name = run["metadata"]["name"]
    created = await api.create(run)
    zero = time.time()
    uid = created["metadata"]["uid"]
    finished = await observer.wait("the verdict", lambda change: _is_run(change, name) and is_finished(change.item))
    cleaned = await observer.wait("the clean-up", lambda change: _is_run(change, name) and _is_cleaned(change))
    status = cleaned.item["status"]
    if status["phase"] != "Passed":
        raise RuntimeError(f"TestRun {name} is {status['phase']}: {status['message']}")
    namespace = status["namespace"]
    gone = await observer.wait(
        "the end of the namespace",
        lambda change: change.kind == "Namespace" and change.name == namespace and change.type == "DELETED",
    )
    first, last, ready = (
        datetime.fromisoformat(status["timings"][key]).timestamp()
        for key in ("firstTest", "lastTest", "environmentReady")
    )
    mine = [change for change in observer.changes if change.namespace == namespace]
    pods = [change.at for change in mine if change.kind == "Pod" and change.type == "DELETED"]
    versions = sum(_is_run(change, name) and change.type == "MODIFIED" for change in observer.changes)
    await _deleted(api, observer, name)
    after = await read_operator(api)
    return {
        "apply to children created": max(_created(mine, uid)) - zero,
        "apply to environment ready": ready - zero,
        "apply to first test": first - zero,
        "last test to verdict": finished.at - last,
        "apply to verdict": finished.at - zero,
        "verdict to pods gone": max(pods) - finished.at,
        "verdict to namespace gone": gone.at - finished.at,
        "versions of the TestRun": float(versions),
        **after.since(before),
        **{f"{REQUEST}{what}": number for what, number in added(before.requests, after.requests).items()},
    }


async def _deleted(api: Api, observer: Observer, name: str) -> None:
    """Delete the TestRun and see it gone: the writes that this takes are the run's."""
    path = f"/apis/seatrial.dev/v1alpha1/namespaces/bench/testruns/{name}"
    await api.delete(path)
    await observer.wait("the end of the TestRun", lambda change: _is_run(change, name) and change.type == "DELETED")


def _created(changes: Iterable[Change], uid: str) -> list[float]:
    """When the objects appeared that the operator makes: all but the pods that the Job controller makes of its Jobs."""
    return [
        change.at
        for change in changes
        if change.type == "ADDED"
        and (labels := change.item["metadata"].get("labels") or {}).get(RUN_UID_LABEL) == uid
        and JOB_LABEL not in labels
    ]


def _is_run(change: Change, name: str) -> bool:
    return change.kind == "TestRun" and change.name == name


def _is_cleaned(change: Change) -> bool:
    conditions = change.item.get("status", {}).get("conditions", ())
    return any(item["type"] == "EnvironmentCleaned" and item["status"] == "True" for item in conditions)
