"""How many runs one operator takes: hundreds of TestRuns at once on a real control plane, with nodes that are played.

    KUBECONFIG=... python -m bench.scale [--runs 500] [--only "16 active" ...]

The cluster must have the CRDs; an operator that is installed is taken out of service meanwhile. This program starts its
own, as processes beside the API server. What a
run's containers would do is played by `hack.kubelet`, so the figures are those of control plane and operator alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console

from bench.api import Api as BenchApi
from bench.machine import RESULTS, facts
from bench.scale_load import Driver, Load, api_server_writes
from bench.scale_operator import OperatorProcess, configuration, retired
from bench.scale_processes import Sampler, control_plane, join
from bench.scale_table import markdown
from hack.cluster.layout import API_PORT, this_checkout
from hack.kubelet import StandIn
from hack.kubelet.client import Api
from hack.kubelet.network import KIND_CLUSTER, connector, inside

if TYPE_CHECKING:
    from collections.abc import Iterator

SPREAD = 5
FULL = ("kafka", "redis", "postgres")
PATIENCE_SECONDS = 1800.0


def cases(runs: int) -> list[Load]:
    """The table's rows."""
    even = {f"team{number}": runs // SPREAD for number in range(SPREAD)}
    part = {word: count * 2 // 5 for word, count in even.items()}
    unfair = {"first": runs * 3 // 5} | {f"late{number}": runs // 25 for number in range(SPREAD)}
    sweep = [Load(f"{limit} active", part, max_active=limit) for limit in (4, 16, 64, 200)]
    return [
        *sweep,
        Load("500 at once", even, max_active=16),
        Load("three services", part, FULL, max_active=16),
        Load("one namespace first", unfair, max_active=4),
        Load("two operators", part, max_active=16, shards=(("team0", "team1", "team2"), ("team3", "team4"))),
        Load("tests of 30 s", part, test_seconds=3.0, max_active=200),
    ]


async def measure(load: Load, place: Place, code: Path, profile: Path | None = None) -> dict[str, Any]:
    """One case, from applying to nothing left."""
    kubeconfig = place.kubeconfig
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api(kubeconfig, connector(40)))
        watches = await stack.enter_async_context(Api(kubeconfig, connector(0)))
        await stack.enter_async_context(retired(api))
        driver = Driver(api, watches, load)
        operators = {}
        for number, words in enumerate(load.shards):
            config = configuration(load.max_active, [driver.namespace(word) for word in words])
            process = OperatorProcess(kubeconfig, code, config, number, profile)
            operators[f"operator {number + 1}"] = await stack.enter_async_context(process)
        await stack.enter_async_context(StandIn(kubeconfig))
        await driver.prepare()
        writes = await api_server_writes(api)
        processes = {name: process.pid for name, process in operators.items()}
        processes |= control_plane(place.cluster) | {"stand-in and driver": os.getpid()}
        sampler = Sampler(processes, driver.counts)
        sampling = asyncio.create_task(sampler.run())
        load_before = os.getloadavg()[0]
        apply_seconds = await driver.apply()
        await driver.until("finished", PATIENCE_SECONDS)
        at_verdicts = sampler.take()
        await driver.until("cleaned", PATIENCE_SECONDS)
        at_end = sampler.take()
        sampling.cancel()
        more = await api_server_writes(api)
        requests = [await process.requests() for process in operators.values()]
        passes = sum([await process.metric("seatrial_reconcile_seconds_count") for process in operators.values()])
        left = await driver.close()
    runs = list(driver.runs.values())
    finished = sorted(run.finished for run in runs if run.finished is not None)
    tenth = len(finished) // 10
    middle = finished[-tenth - 1] - finished[tenth]
    active = [run.active_seconds for run in runs]
    return {
        "case": asdict(load),
        "runs": len(runs),
        "passed": sum(run.phase == "Passed" for run in runs),
        "others": sorted({f"{run.phase}: {run.message}" for run in runs if run.phase != "Passed"}),
        "left": left,
        "load_before": load_before,
        "apply_seconds": apply_seconds,
        "all_finished_seconds": finished[-1],
        "all_cleaned_seconds": max(run.cleaned or 0.0 for run in runs),
        "finished_per_minute": len(finished) / finished[-1] * 60,
        "finished_per_minute_middle": (len(finished) - 2 * tenth - 1) / middle * 60 if middle else None,
        "active_seconds": {"median": statistics.median(active), "p95": statistics.quantiles(active, n=20)[-1]},
        "starts": [run.namespace for run in sorted(runs, key=lambda run: run.started_at)],
        "last_finished_by_namespace": {
            word: max(run.finished or 0.0 for run in runs if run.namespace == word) for word in load.runs
        },
        "most_terminating": driver.most_terminating,
        "cpu_seconds": {"at_verdicts": at_verdicts.cpu, "at_end": at_end.cpu},
        "rss_most": {name: max(sample.rss[name] for sample in sampler.samples) for name in processes},
        "operator_requests": _sum(requests),
        "operator_passes": passes,
        "api_server_writes": {
            key: value - writes.get(key, 0) for key, value in more.items() if value > writes.get(key, 0)
        },
        "samples": [asdict(sample) for sample in sampler.samples],
    }


def _sum(counters: list[dict[str, float]]) -> dict[str, float]:
    return {key: sum(counter.get(key, 0) for counter in counters) for key in sorted({k for c in counters for k in c})}


@dataclass(frozen=True)
class Place:
    """Where it is measured."""

    kubeconfig: Path
    cluster: str


@contextlib.contextmanager
def beside(kubeconfig: Path) -> Iterator[Place]:
    """Be where the API server is, as a pod would be: without the relay that carries connections into the node."""
    access = yaml.safe_load(kubeconfig.read_text())
    cluster = str(access["clusters"][0]["name"])
    if cluster == KIND_CLUSTER:
        yield Place(kubeconfig, cluster)
        return
    access["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{API_PORT}"
    with tempfile.TemporaryDirectory() as folder, inside(cluster):
        # A group of processes gets a share of the machine. Outside, the operator alone would feel what else is running.
        join(cluster)
        path = Path(folder) / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(access))
        yield Place(path, cluster)


async def _facts() -> dict[str, Any]:
    async with await BenchApi.from_kubeconfig() as api:
        return await facts(api)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500, help="of the largest case; the others follow from it")
    parser.add_argument(
        "--only",
        nargs="*",
        help="names of cases; without it all, which are written to bench/results/scale-DATE.json and .md",
    )
    parser.add_argument("--code", type=Path, default=this_checkout().checkout, help="checkout of the operator")
    parser.add_argument("--profile", type=Path, help="write cProfile's profile of the first operator; slows it down")
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args()
    wanted = [case for case in cases(options.runs) if not options.only or case.name in options.only]
    if not wanted:
        raise SystemExit(f"no such case; there are: {', '.join(case.name for case in cases(options.runs))}")
    results = []
    if "KUBECONFIG" not in os.environ:
        raise SystemExit("KUBECONFIG is not set; run: make bench-scale")
    machine = asyncio.run(_facts())
    with beside(Path(os.environ["KUBECONFIG"])) as place:
        for case in wanted:
            print(f"{case.name}: {case.total} runs", file=sys.stderr, flush=True)
            began = time.monotonic()
            results.append(asyncio.run(measure(case, place, options.code, options.profile)))
            print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    document = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "cases": results}
    Console().print(markdown(document), markup=False, soft_wrap=True)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1))
    if not options.only:
        RESULTS.mkdir(exist_ok=True)
        name = RESULTS / f"scale-{datetime.now(UTC):%Y-%m-%d}"
        name.with_suffix(".json").write_text(json.dumps(document, indent=1))
        name.with_suffix(".md").write_text(markdown(document))


if __name__ == "__main__":
    main()
