"""`python -m bench`: what a run costs in time and otherwise, beside the same with plain manifests.

All arms are measured in one session on one cluster: in each block every arm once, in a random order; the first block
only warms up. The next run starts when nothing of the one before is left. Results go to bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import crowd, floor, run, throughput
from bench.api import Api, ApiError
from bench.cases import NAMESPACE, SERVICES
from bench.machine import RESULTS, facts, load_average
from bench.observer import Observer
from bench.prepare import alone, prepare
from bench.tables import document, measures, requests, summary, targets
from bench.targets import comparison, judge
from bench.timeline import as_table, median_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Arm = Callable[[], Awaitable[dict[str, float]]]

MAIN = next(iter(SERVICES))


def arms(api: Api, observer: Observer) -> dict[str, Arm]:
    """Name -> one measurement."""
    main = SERVICES[MAIN]
    return {
        "floor-kubectl": partial(floor.measure, api, observer, main, "ten", with_kubectl=True),
        "floor-raw": partial(floor.measure, api, observer, main, "ten", with_kubectl=False),
        **{name: partial(run.measure, api, observer, services, "ten") for name, services in SERVICES.items()},
        "2000-seatrial": partial(throughput.with_seatrial, api, observer),
        "2000-plain-pytest": partial(throughput.with_plain_pytest, api, observer),
    }


async def interleave(
    chosen: dict[str, Arm], observer: Observer, options: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """Every arm once in each block. A run that fails ends the measurement: a figure with gaps is none."""
    chance = random.Random(options.seed)  # noqa: S311  (an order, no secret)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in chosen}
    for block in range(options.warm_up + options.runs):
        for name in chance.sample(list(chosen), len(chosen)):
            observer.forget()
            measured = await chosen[name]()
            if block >= options.warm_up:
                results[name].append({what: round(value, 4) for what, value in measured.items()})
            line = ", ".join(f"{what} {value:.2f}" for what, value in list(measured.items())[:5])
            print(f"{block - options.warm_up + 1:>3} {name}: {line}", flush=True)
    return results


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as it is saved."""
    async with await Api.from_kubeconfig() as api:
        await alone(api)
        await prepare(api)
        observer = Observer(api)
        await observer.start()
        started = datetime.now(UTC)
        before = load_average()
        clock = time.monotonic()
        try:
            every = arms(api, observer)
            chosen = {name: arm for name, arm in every.items() if not options.only or name in options.only}
            results = await interleave(chosen, observer, options)
            observer.forget()
            live = await crowd.measure(api, observer) if not options.only or "crowd" in options.only else {}
            machine = await facts(api)
        finally:
            await observer.stop()
        lines = await median_of(api, SERVICES[MAIN], "ten", options.timelines) if options.timelines else None
        await api.delete(f"/api/v1/namespaces/{NAMESPACE}")
    machine |= {
        "started": started.isoformat(timespec="seconds"),
        "minutes": round((time.monotonic() - clock) / 60, 1),
        "loadAverageBefore": before,
        "loadAverageAfter": load_average(),
        "runs": f"{options.runs} of each arm after {options.warm_up} to warm up, in random blocks, seed {options.seed}",
    }
    return {
        "facts": machine,
        "arms": {name: summary(runs) for name, runs in results.items() if runs},
        "runs": results,
        "crowd": live,
        "timeline": [[step.at, step.what] for step in lines.steps] if lines else [],
    }


def page(result: dict[str, Any], seed: int) -> str:
    """The saved figures as a page."""
    short = {name: arm for name, arm in result["arms"].items() if not name.startswith("2000")}
    long = {name: arm for name, arm in result["arms"].items() if name.startswith("2000")}
    parts = [("Targets", targets(judge(result))), ("Runs of ten tests", measures(short))]
    if MAIN in short:
        parts.append((f"Requests of the operator, {MAIN}", requests(short[MAIN])))
    if long:
        parts.append(("2,000 trivial tests", measures(long)))
    if text := comparison(result, seed):
        parts.append(("Beside the floor", text))
    if result["crowd"]:
        parts.append(("Twenty runs live", "\n".join(f"- {what}: {value}" for what, value in result["crowd"].items())))
    if result["timeline"]:
        parts.append(("Where the time of a median run goes", as_table(result["timeline"])))
    return document("Seatrial beside plain manifests", result["facts"], parts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of each arm (default: 10)")
    parser.add_argument("--warm-up", type=int, default=1, help="blocks that do not count (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the order (default: 1)")
    parser.add_argument("--only", nargs="*", metavar="ARM", help="these arms; `crowd` is twenty runs live")
    parser.add_argument("--timelines", type=int, default=5, help="runs of which one is shown step by step (default: 5)")
    parser.add_argument("--no-save", action="store_true", help="print only")
    options = parser.parse_args()
    try:
        result = asyncio.run(measure(options))
    except (TimeoutError, ApiError, RuntimeError, LookupError) as error:
        sys.exit(f"bench: {error}")
    text = page(result, options.seed)
    print(text)
    if not options.no_save:
        RESULTS.mkdir(exist_ok=True)
        name = f"latency-{datetime.now(UTC):%Y-%m-%d-%H%M}"
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        (RESULTS / f"{name}.md").write_text(text)
        print(f"saved: bench/results/{name}.json and .md")


if __name__ == "__main__":
    main()
