"""Putting a ruleset into the kernel: new sets, then all chains in one commit, then the removal of unused sets."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from hack.cluster.errors import ClusterError
from hack.cluster.netpol.rules import CHAINS, HOOKS
from hack.cluster.processes import run

if TYPE_CHECKING:
    from hack.cluster.netpol.rules import Ruleset

MAXIMUM_ENTRIES = 65536


class Kernel:
    """The packet filter of this network namespace; nobody else uses our chains and sets."""

    def __init__(self) -> None:
        self._sets: set[str] = set()  # those known to be complete

    def apply(self, ruleset: Ruleset) -> None:
        """Make the kernel hold `ruleset`; ClusterError when it refuses, with the earlier chains still in force."""
        self._create_sets(ruleset)
        run(["iptables-restore", "--wait", "--noflush"], stdin=restore_input(ruleset))
        for base, chain in HOOKS.items():
            self._hook(base, chain)
        for name in self._sets - set(ruleset.sets):
            # A set that is still referenced stays until the next time.
            with contextlib.suppress(ClusterError):
                run(["ipset", "destroy", name])
                self._sets.discard(name)

    def _create_sets(self, ruleset: Ruleset) -> None:
        lines = []
        for name in set(ruleset.sets) - self._sets:
            addresses = ruleset.sets[name]
            # An earlier attempt may have left it half filled.
            lines += [f"create {name} {addresses.kind} family inet maxelem {MAXIMUM_ENTRIES} -exist", f"flush {name}"]
            lines += [f"add {name} {entry}" for entry in addresses.entries]
        if lines:
            run(["ipset", "restore"], stdin="\n".join(lines) + "\n")
        self._sets |= set(ruleset.sets)

    @staticmethod
    def _hook(base: str, chain: str) -> None:
        command = ["iptables", "--wait", "--table", "mangle"]
        try:
            run([*command, "--check", base, "--jump", chain])
        except ClusterError:
            run([*command, "--insert", base, "1", "--jump", chain])


def restore_input(ruleset: Ruleset) -> str:
    """What iptables-restore reads; naming a chain empties it in the same commit."""
    return "\n".join(["*mangle", *(f":{chain} - [0:0]" for chain in CHAINS), *ruleset.lines, "COMMIT"]) + "\n"
