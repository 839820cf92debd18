"""The operator's memory with twenty runs live, each with Kafka, Redis and Postgres and a suite that is under way.

A small machine cannot start a hundred pods, so these are played by hack.kubelet on a node of its own; the operator is
the installed one in its pod, and API server, scheduler and Job controller are real. For the time of the measurement the
operator, which is started anew for it, is allowed that many runs at a time. Nobody else may use the cluster meanwhile:
pods of anybody would be played.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.cases import THREE, test_run
from bench.operator_probe import NAMESPACE, operator_pod, read_operator
from hack.cluster.layout import this_checkout
from hack.kubelet import StandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.api import Api, Object
    from bench.observer import Change, Observer

RUNS = 20
TESTS = 300
CONFIG = f"/api/v1/namespaces/{NAMESPACE}/configmaps/seatrial"
READINGS = 20


async def measure(api: Api, observer: Observer) -> dict[str, float]:
    """The highest of some readings while all runs are at their tests. Raises TimeoutError, ApiError."""
    kubeconfig = Path(os.environ.get("KUBECONFIG") or this_checkout().kubeconfig)
    async with _allowed(api, RUNS), StandIn(kubeconfig):
        idle = (await read_operator(api)).resident_mib
        runs = [_slow_run() for _ in range(RUNS)]
        names = {run["metadata"]["name"] for run in runs}
        await asyncio.gather(*(api.create(run) for run in runs))
        for name in names:
            await observer.wait(f"tests of {name}", partial(_tests_run, name))
        readings = []
        for _ in range(READINGS):
            readings.append(await read_operator(api))
            await asyncio.sleep(1)
        live = sum(
            not change.item["status"].get("timings", {}).get("finished")
            for name in names
            for change in [[one for one in observer.changes if one.kind == "TestRun" and one.name == name][-1]]
        )
        for name in names:
            await api.delete(f"/apis/seatrial.dev/v1alpha1/namespaces/bench/testruns/{name}")
        for name in names:
            await observer.wait(f"the end of {name}", partial(_is_deleted, name))
    return {
        "runs live": float(live),
        "operator MiB, idle": round(idle, 1),
        "operator MiB": round(max(reading.resident_mib for reading in readings), 1),
        "operator CPU, cores": round((readings[-1].cpu_seconds - readings[0].cpu_seconds) / (READINGS - 1), 3),
    }


def _slow_run() -> Object:
    """A run whose suite says one result a second for as long as it takes to look at all of them."""
    played = json.dumps({"tests": TESTS, "seconds": 1})
    run = test_run(THREE, "ten")
    run["spec"]["suites"][0]["env"] = [{"name": "STANDIN", "value": played}]
    return run


def _tests_run(name: str, change: Change) -> bool:
    summary = change.item.get("status", {}).get("summary", {}) if change.kind == "TestRun" else {}
    return change.name == name and bool(summary.get("passed"))


def _is_deleted(name: str, change: Change) -> bool:
    return change.kind == "TestRun" and change.name == name and change.type == "DELETED"


@contextlib.asynccontextmanager
async def _allowed(api: Api, runs: int) -> AsyncIterator[None]:
    """The operator with another number of active runs; afterwards as it was."""
    before = str((await api.request("GET", CONFIG))["data"]["config.yaml"])
    settings: dict[str, Any] = yaml.safe_load(before)
    await _restart(api, yaml.safe_dump(settings | {"maxActiveRuns": runs}))
    try:
        yield
    finally:
        await _restart(api, before)


async def _restart(api: Api, configuration: str) -> None:
    old = await operator_pod(api)
    await api.request("PATCH", CONFIG, {"data": {"config.yaml": configuration}})
    await api.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{old}")
    async with asyncio.timeout(90):
        while True:
            with contextlib.suppress(LookupError):
                if await operator_pod(api) != old:
                    return
            await asyncio.sleep(0.2)
