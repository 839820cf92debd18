"""`python -m bench.leaks --runs 50`: what is left of many runs. Every object of every kind is listed before and after.

The runs are a mixture: some pass, some fail, some are refused, some are cancelled and some deleted at a random moment.
Events are left out (they expire after an hour). Where the container runtime can be asked, its containers and sandboxes
are compared too: none may be added, while those of earlier pods may go at any time. Nothing else may use the cluster
meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.api import Api, ApiError
from bench.cases import NAMESPACE, is_finished, test_run
from bench.machine import RESULTS, facts, load_average
from bench.observer import Observer
from bench.operator_probe import read_operator
from bench.prepare import alone, prepare
from bench.tables import document, table
from hack.cluster.containerd import NAMESPACE as CONTAINERD_NAMESPACE
from hack.cluster.layout import this_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.observer import Change

KINDS = ("passes", "fails", "is refused", "is cancelled", "is deleted")
AT_ONCE = 4
LATEST_SECONDS = 4.0
"""Within these a run is cancelled or deleted; a run of this mixture takes about two."""
PATIENCE_SECONDS = 180.0
CONTAINERS = "containers of the runtime"

Objects = set[tuple[str, str, str]]
"""Resource, namespace and name."""


async def every_object(api: Api) -> Objects:
    """All there is but Events. Raises ApiError."""
    groups = (await api.request("GET", "/apis"))["groups"]
    paths = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    found: Objects = set()
    for path in paths:
        for resource in (await api.request("GET", path))["resources"]:
            name = resource["name"]
            if "/" in name or "list" not in resource["verbs"] or name == "events":
                continue
            for item in await api.items(f"{path}/{name}"):
                found.add((name, item["metadata"].get("namespace", ""), item["metadata"]["name"]))
    return found | set(_containers())


def _containers() -> Iterator[tuple[str, str, str]]:
    socket = this_checkout().containerd_socket
    if socket.exists():
        command = ("ctr", "--address", str(socket), "--namespace", CONTAINERD_NAMESPACE, "containers", "list", "-q")
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        yield from ((CONTAINERS, "", name) for name in said.split())


def compare(before: Objects, after: Objects) -> tuple[Objects, Objects]:
    """What is left, and what is missing. The kubelet removes the containers of earlier pods when it likes."""
    return after - before, {item for item in before - after if item[0] != CONTAINERS}


async def one_run(api: Api, observer: Observer, kind: str, after: float) -> str:
    """Make a run, do to it what its kind says, and delete it in the end. Returns the phase that it came to."""
    services: dict[str, Any] = {"redis": {"version": "0"} if kind == "is refused" else {}}
    run = test_run(services, "failing" if kind == "fails" else "ten")
    name = run["metadata"]["name"]
    path = f"/apis/seatrial.dev/v1alpha1/namespaces/{NAMESPACE}/testruns/{name}"

    def is_mine(change: Change) -> bool:
        return change.kind == "TestRun" and change.name == name

    await api.create(run)
    phase = "deleted"
    if kind in {"is cancelled", "is deleted"}:
        await asyncio.sleep(after)
    if kind == "is cancelled":
        await api.request("PATCH", path, {"spec": {"cancel": True}})
    if kind != "is deleted":
        change = await observer.wait(f"the end of {name}", lambda change: is_mine(change) and is_finished(change.item))
        phase = str(change.item["status"]["phase"])
    await api.delete(path)
    await observer.wait(f"the deletion of {name}", lambda change: is_mine(change) and change.type == "DELETED")
    return phase


async def measure(runs: int, seed: int) -> dict[str, Any]:
    """Raises TimeoutError, ApiError, LookupError."""
    chance = random.Random(seed)  # noqa: S311  (moments, no secret)
    async with await Api.from_kubeconfig() as api:
        await alone(api)
        await prepare(api)
        observer = Observer(api)
        await observer.start()
        load = load_average()
        before = await every_object(api)
        memory = (await read_operator(api)).resident_mib
        slots = asyncio.Semaphore(AT_ONCE)

        async def limited(kind: str, after: float) -> tuple[str, str]:
            async with slots:
                return kind, await one_run(api, observer, kind, after)

        plan = [(KINDS[number % len(KINDS)], chance.uniform(0, LATEST_SECONDS)) for number in range(runs)]
        try:
            ends = await asyncio.gather(*(limited(*item) for item in plan))
            waited = 0.0
            while any(compare(before, after := await every_object(api))) and waited < PATIENCE_SECONDS:
                await asyncio.sleep(1)
                waited += 1
        finally:
            await observer.stop()
        left, missing = compare(before, after)
        result = {
            "facts": await facts(api)
            | {"loadAverageBefore": load, "loadAverageAfter": load_average(), "runs": runs, "seed": seed},
            "ends": [list(end) for end in ends],
            "objects before": len(before),
            "objects after": len(after),
            "left": sorted(map(list, left)),
            "missing": sorted(map(list, missing)),
            "equal after seconds": None if left or missing else waited,
            "operator MiB before": round(memory, 1),
            "operator MiB after": round((await read_operator(api)).resident_mib, 1),
        }
        await api.delete(f"/api/v1/namespaces/{NAMESPACE}")
    return result


def page(result: dict[str, Any]) -> str:
    """The result for people."""
    ends: dict[tuple[str, str], int] = {}
    for kind, phase in result["ends"]:
        ends[kind, phase] = ends.get((kind, phase), 0) + 1
    figures = [key for key in result if key not in {"facts", "ends", "left", "missing"}]
    parts = [
        ("Runs", table(["a run that", "came to", "number"], [[*key, str(number)] for key, number in ends.items()])),
        ("Objects", "\n".join(f"- {key}: {result[key]}" for key in figures)),
    ]
    parts += [
        (key.capitalize(), "\n".join(f"- {' '.join(item)}" for item in result[key]))
        for key in ("left", "missing")
        if result[key]
    ]
    return document("What is left of many runs", result["facts"], parts)


def main() -> None:
    """Exit status 1 when something is left or missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.leaks", description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-save", action="store_true", help="print only")
    options = parser.parse_args()
    try:
        result = asyncio.run(measure(options.runs, options.seed))
    except (TimeoutError, ApiError, LookupError) as error:
        sys.exit(f"bench.leaks: {error}")
    text = page(result)
    print(text)
    if not options.no_save:
        RESULTS.mkdir(exist_ok=True)
        name = f"leaks-{datetime.now(UTC):%Y-%m-%d-%H%M}"
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / f"{name}.md").write_text(text)
        print(f"saved: bench/results/{name}.json and .md")
    sys.exit(result["equal after seconds"] is None)


if __name__ == "__main__":
    main()
