"""The cgroup subtree that holds the whole cluster: its processes under `node`, the pods under `kubepods`.

Version 1 has a tree per controller, version 2 has one tree; both are found in the mount table. Everything of the
cluster runs inside, so the subtree is also how the cluster is found and stopped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.errors import ClusterError

MOUNT_TABLE = Path("/proc/self/mountinfo")
UNIFIED_MOUNT = Path("/sys/fs/cgroup")
NODE_CHILD = "node"
# Of version 1: one whole-cluster cgroup competes with every single process outside, each of which weighs 1024.
CLUSTER_SHARES = "8192"
REMOVAL_SECONDS = 30


@dataclass(frozen=True)
class Hierarchies:
    """Where cgroups are mounted: one unified tree (version 2), or a tree per controller (version 1)."""

    roots: tuple[Path, ...]
    unified: bool


def parse_mounts(table: str) -> Hierarchies:
    """Read a mountinfo table; a version 2 tree without controllers beside version 1 (hybrid) counts too."""
    mounts: dict[str, list[Path]] = {"cgroup": [], "cgroup2": []}
    for line in table.splitlines():
        fields, _, source = line.partition(" - ")
        kind = source.split()[0]
        if kind in mounts:
            mounts[kind].append(Path(fields.split()[4]))
    if UNIFIED_MOUNT in mounts["cgroup2"]:
        return Hierarchies((UNIFIED_MOUNT,), unified=True)
    if not mounts["cgroup"]:
        raise ClusterError(f"no cgroup hierarchy is mounted under {UNIFIED_MOUNT}; the kubelet cannot run without one")
    return Hierarchies((*mounts["cgroup"], *mounts["cgroup2"]), unified=False)


def hierarchies() -> Hierarchies:
    return parse_mounts(MOUNT_TABLE.read_text())


def create(name: str, found: Hierarchies) -> None:
    """Make the subtree in every hierarchy and put the calling process into its `node` child."""
    for root in found.roots:
        top = root / name
        if found.unified:
            _enable_controllers(root)
        for group in (top, top / NODE_CHILD):
            group.mkdir(exist_ok=True)
            _inherit_cpuset(group)
        if (top / "cpu.shares").exists():
            (top / "cpu.shares").write_text(CLUSTER_SHARES)
        (top / NODE_CHILD / "cgroup.procs").write_text(str(os.getpid()))


def _inherit_cpuset(group: Path) -> None:
    """A new version 1 cpuset is empty and takes no process until it has been filled."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (
            (group / file).exists()
            and (group.parent / "cpuset.cpus").exists()
            and not (group / file).read_text().strip()
        ):
            (group / file).write_text((group.parent / file).read_text())


def _enable_controllers(root: Path) -> None:
    for controller in (root / "cgroup.controllers").read_text().split():
        # Some controllers refuse (cpu with realtime processes outside of the root); the kubelet names what it misses.
        with contextlib.suppress(OSError):
            (root / "cgroup.subtree_control").write_text(f"+{controller}")


def existing(name: str, found: Hierarchies) -> list[Path]:
    """All cgroups of the subtree, children before their parents."""
    tops = [root / name for root in found.roots]
    return [Path(path) for top in tops for path, _, _ in os.walk(top, topdown=False)]


def processes(name: str, found: Hierarchies) -> set[int]:
    """Process ids of everything in the subtree."""
    pids: set[int] = set()
    for group in existing(name, found):
        # A cgroup that vanishes or is being removed meanwhile holds nobody.
        with contextlib.suppress(OSError):
            pids.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
    return pids


def destroy(name: str, found: Hierarchies) -> None:
    """Kill everything in the subtree and remove it; waits until both have happened."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    while existing(name, found):
        for pid in processes(name, found):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for group in existing(name, found):
            with contextlib.suppress(OSError):
                group.rmdir()
        if time.monotonic() > deadline:
            raise ClusterError(
                f"cgroup {name} could not be removed within {REMOVAL_SECONDS} s; "
                f"processes still in it: {sorted(processes(name, found)) or 'none'}"
            )
        time.sleep(0.02)
