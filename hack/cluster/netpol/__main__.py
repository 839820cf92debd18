"""The enforcer: keeps the packet filter in step with the cluster, level-triggered."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from hack.cluster.api import Api
from hack.cluster.errors import ClusterError
from hack.cluster.layout import API_PORT, POD_NETWORK, Layout
from hack.cluster.netpol.hold import Server
from hack.cluster.netpol.kernel import Kernel
from hack.cluster.netpol.rules import Ruleset, compute
from hack.cluster.netpol.store import PATHS, Store, follow

# Changes come in bursts: waiting this long after the first saves most of the work.
GATHER_SECONDS = 0.01
# Rules are written again now and then, in case somebody else has touched them.
REFRESH_SECONDS = 30
# How soon it is noticed that enforcement was switched.
SWITCH_SECONDS = 0.5
RETRY_SECONDS = 1


def main(checkout: str) -> None:
    """Enforce until killed."""
    layout = Layout(Path(checkout))
    store, kernel = Store(), Kernel()
    for kind in PATHS:
        threading.Thread(target=follow, args=(Api(API_PORT, layout.pki), kind, store), daemon=True).start()
    Server(layout.netpol_socket, store).start()
    enforce(store, kernel, layout.policies_off_file)


def enforce(store: Store, kernel: Kernel, off: Path) -> None:
    """Compute and apply, for ever; what is not applied is not acknowledged, so no pod starts meanwhile."""
    generation, in_force, written, was_off = -1, Ruleset(), 0.0, False
    while True:
        store.wait_for_change(generation, SWITCH_SECONDS)
        is_off, due = off.exists(), time.monotonic() - written > REFRESH_SECONDS
        if not store.complete() or (store.generation == generation and is_off == was_off and not due):
            continue
        time.sleep(GATHER_SECONDS)
        newest, world = store.snapshot()
        begun = time.monotonic()
        ruleset = Ruleset() if is_off else compute(world, POD_NETWORK)
        if ruleset != in_force or begun - written > REFRESH_SECONDS:
            try:
                kernel.apply(ruleset)
            except ClusterError as error:
                print(f"the rules could not be applied, trying again: {error}", flush=True)
                time.sleep(RETRY_SECONDS)
                continue
            if ruleset != in_force:
                took = 1000 * (time.monotonic() - begun)
                print(f"applied {len(ruleset.lines)} rules, {len(ruleset.sets)} sets in {took:.0f} ms", flush=True)
            in_force, written = ruleset, time.monotonic()
        generation, was_off = newest, is_off
        store.applied(generation)


if __name__ == "__main__":
    main(sys.argv[1])
