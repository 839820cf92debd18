"""`python -m bench.local`: what a run on this machine costs, beside the same suites with servers started by hand.

Each round tries both, one after the other, then two runs at once. By hand means what a script in a repository does:
start the servers, wait for their ports, make the topics, start the service, wait for its health, run pytest for each
suite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.machine import RESULTS, load_average
from bench.tables import Target, document, measures, summary, table
from seatrial.local.addresses import LocalAddresses
from seatrial.local.servers import EXTRA_PORTS, Wanted, find_server, this_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.local.servers import Launch

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "examples" / "position-manager.yaml"
SUITES = ROOT / "suites" / "position-manager"
HELP_RUNS = 10
PATIENCE_SECONDS = 60.0


def one_run() -> dict[str, float]:
    """`seatrial run` as a process. Raises RuntimeError when it does not pass."""
    with tempfile.TemporaryDirectory() as state:
        began = time.time()
        process = _start(Path(state))
        return _figures(process, began)


def two_runs() -> dict[str, float]:
    """Two at once: the time until both have ended."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        began = time.time()
        processes = [_start(Path(state)) for state in (one, other)]
        for process in processes:
            _figures(process, began)
        return {"start to end": time.time() - began}


def _start(state: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "seatrial.cli", "run", str(MANIFEST), "-o", "json"]
    env = os.environ | {"XDG_STATE_HOME": str(state)}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _figures(process: subprocess.Popen[str], began: float) -> dict[str, float]:
    out, err = process.communicate()
    ended = time.time()
    if process.returncode != 0:
        raise RuntimeError(f"the run ended with {process.returncode}:\n{out[-2000:]}\n{err[-2000:]}")
    timings = json.loads(out)["status"]["timings"]
    at = {name: datetime.fromisoformat(value).timestamp() for name, value in timings.items()}
    return {
        "start to first test": at["firstTest"] - began,
        "last test to verdict": at["finished"] - at["lastTest"],
        "verdict to end": ended - at["finished"],
        "start to end": ended - began,
    }


def by_hand() -> dict[str, float]:
    """The same servers, service and suites without Seatrial. Raises RuntimeError when a suite does not pass."""
    spec = next(item for item in yaml.safe_load_all(MANIFEST.read_text()) if item["kind"] == "TestRun")["spec"]
    began = time.time()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_memory())))
        addresses = LocalAddresses(folder)
        kafka, redis, http = (addresses.find(name, 1) for name in ("kafka", "redis", "http"))
        password = secrets.token_hex(8)
        for name, address in (("kafka", kafka), ("redis", redis)):
            (folder / name).mkdir()
            wanted = Wanted(
                service=name,
                version=None,
                address=address,
                folder=folder / name,
                variables={"REDIS_PASSWORD": password},
                options={"KAFKA_AUTO_CREATE_TOPICS": "false"},
                extra_ports={extra: addresses.take() for extra in EXTRA_PORTS.get(name, ())},
            )
            addresses.close()
            stack.enter_context(_server(find_server(wanted, this_machine())))
        _wait_for(lambda: all(map(_accepts, (kafka, redis))), "the servers")
        env = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": str(kafka),
            "REDIS_URL": f"redis://:{password}@{redis}/0",
            "POSITION_MANAGER_URL": f"http://{http}",
            "HTTP_PORT": str(http.port),
            "REHEDGE_INTERVAL_SECONDS": "0.5",
            "PYTEST_ADDOPTS": "-p no:hypothesispytest",  # as seatrial.toml has it
        }
        asyncio.run(_make_topics(str(kafka), spec["services"]["kafka"]["topics"]))
        service = subprocess.Popen(
            [sys.executable, "-m", "position_manager"],
            cwd=SUITES,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        stack.callback(service.wait)
        stack.callback(service.kill)
        _wait_for(lambda: _healthy(f"http://{http}/healthz"), "the service")
        first = time.time()
        for suite in spec["suites"]:
            paths = [str(SUITES / path.lstrip("/")) for path in suite["pytest"]["paths"]]
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths]
            done = subprocess.run(command, cwd=SUITES, env=env, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"by hand: {done.stdout[-2000:]}")
    return {"start to first test": first - began, "start to end": time.time() - began}


@contextlib.contextmanager
def _server(launch: Launch) -> Iterator[None]:
    for name, content in launch.files.items():
        (launch.folder / name).write_text(content)
    for command in launch.prepare:
        subprocess.run(command, cwd=launch.folder, env=dict(launch.env), check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        launch.command, cwd=launch.folder, env=dict(launch.env), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        yield
    finally:
        process.send_signal(launch.stop)
        process.wait()


async def _make_topics(bootstrap: str, topics: list[dict[str, Any]]) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.create_topics([NewTopic(topic["name"], topic["partitions"], 1) for topic in topics])
    finally:
        await client.close()


def _wait_for(probe: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not probe():
        if time.monotonic() > deadline:
            raise RuntimeError(f"by hand: {what} did not come within {PATIENCE_SECONDS:g} s")
        time.sleep(0.02)


def _accepts(address: Any) -> bool:
    import socket  # noqa: PLC0415  (only here)

    with contextlib.suppress(OSError), socket.create_connection((address.host, address.port), 1):
        return True
    return False


def _healthy(url: str) -> bool:
    with contextlib.suppress(OSError), urlopen(url, timeout=1) as answer:  # noqa: S310  (of this machine)
        return bool(answer.status == 200)  # noqa: PLR2004
    return False


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def help_seconds() -> float:
    """Median of `seatrial --help`."""
    times = []
    for _ in range(HELP_RUNS):
        began = time.monotonic()
        subprocess.run([str(Path(sys.executable).parent / "seatrial"), "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - began)
    return sorted(times)[HELP_RUNS // 2]


def main() -> None:
    """Print and save a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.local", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--no-save", action="store_true", help="print only")
    options = parser.parse_args()
    facts: dict[str, Any] = {
        "machine": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }
    facts["loadAverageBefore"] = load_average()
    one_run()  # what is made once is made now
    arms: dict[str, list[dict[str, float]]] = {"seatrial run": [], "by hand": [], "two at once": []}
    for number in range(options.runs):
        for name, measure in (("seatrial run", one_run), ("by hand", by_hand), ("two at once", two_runs)):
            arms[name].append(measure())
            print(f"  {number} {name}: " + ", ".join(f"{k} {v:.2f}" for k, v in arms[name][-1].items()), flush=True)
    facts["loadAverageAfter"] = load_average()
    figures = {name: summary(runs) for name, runs in arms.items()}
    one, hand, two = (figures[name]["start to end"]["median"] for name in arms)
    targets = [
        Target("start to first test, s", figures["seatrial run"]["start to first test"]["median"], 4.0),
        Target("last test to verdict, s", figures["seatrial run"]["last test to verdict"]["median"], 0.3),
        Target("two at once, as a share of one", two / one, 1.3),
        Target("seatrial --help, s", help_seconds(), 0.15),
    ]
    rows = [
        [item.what, f"{item.value:.2f}", f"at most {item.limit:g}", "met" if item.met else "missed"] for item in targets
    ]
    parts = [
        ("Targets", table(["target", "measured", "wanted", ""], rows)),
        ("All figures", measures(figures)),
        ("Overhead", f"A whole run takes {one - hand:+.2f} s against one by hand ({one / hand:.2f} of it)."),
    ]
    text = document("A run on this machine", facts, parts)
    print(text)
    if not options.no_save:
        RESULTS.mkdir(exist_ok=True)
        name = f"local-{datetime.now(UTC):%Y-%m-%d-%H%M}"
        (RESULTS / f"{name}.json").write_text(json.dumps({"facts": facts, "figures": figures}, indent=1) + "\n")
        (RESULTS / f"{name}.md").write_text(text)
        print(f"saved: bench/results/{name}.json and .md")


if __name__ == "__main__":
    main()
