"""`python -m hack.kubelet`: play the kubelet until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from hack.cluster.layout import this_checkout
from hack.kubelet.script import Script, ScriptError, parse_script
from hack.kubelet.standin import StandIn
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from hack.kubelet.client import Object


def read_scripts(path: Path) -> Callable[[Object], Script | None]:
    """Scripts by `component/name`, from a JSON file. Raises ScriptError."""
    scripts = {
        key: parse_script(json.dumps(value), f"{path}: {key}") for key, value in json.loads(path.read_text()).items()
    }

    def script(pod: Object) -> Script | None:
        labels = pod["metadata"].get("labels") or {}
        return scripts.get(f"{labels.get(COMPONENT_LABEL)}/{labels.get(NAME_LABEL)}")

    return script


async def run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    script = read_scripts(options.scripts) if options.scripts else None
    async with StandIn(
        options.kubeconfig,
        nodes=options.nodes,
        pods_per_node=options.pods_per_node,
        script=script,
        cordon_others=not options.keep_others,
    ):
        print("ready", flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hack.kubelet", description=__doc__)
    kubeconfig = Path(os.environ.get("KUBECONFIG") or this_checkout().kubeconfig)
    parser.add_argument("--kubeconfig", type=Path, default=kubeconfig, help="default: $KUBECONFIG")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--pods-per-node", type=int, default=2000)
    parser.add_argument("--scripts", type=Path, help="JSON: {component/name: script}")
    parser.add_argument("--keep-others", action="store_true", help="do not cordon the other nodes")
    try:
        asyncio.run(run(parser.parse_args()))
    except (ScriptError, OSError, ValueError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
