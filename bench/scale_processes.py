"""What the processes of a control plane and of the operators use: CPU seconds and resident memory, once a second."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hack.cluster import cgroups

if TYPE_CHECKING:
    from collections.abc import Callable

CONTROL_PLANE = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler")
SAMPLE_SECONDS = 1.0
PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
NAME_BYTES = 15
"""The kernel cuts the names of processes."""


def control_plane(cluster: str) -> dict[str, int]:
    """Process ids of a cluster of this machine, by name."""
    pids = [path.name for path in PROC.iterdir() if path.name.isdigit()]
    for root in cgroups.hierarchies().roots:
        with contextlib.suppress(OSError):  # there is none: it is a cluster of kind
            pids = (root / cluster / cgroups.NODE_CHILD / "cgroup.procs").read_text().split()
            break
    found: dict[str, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            name = (PROC / pid / "comm").read_text().strip()
            found |= {wanted: int(pid) for wanted in CONTROL_PLANE if wanted[:NAME_BYTES] == name}
    return found


def join(cluster: str) -> None:
    """Become one of the processes of a cluster of hack.cluster."""
    for root in cgroups.hierarchies().roots:
        with contextlib.suppress(OSError):  # a hierarchy without controllers
            (root / cluster / cgroups.NODE_CHILD / "cgroup.procs").write_text(str(os.getpid()))


@dataclass(frozen=True)
class Sample:
    """At one moment."""

    seconds: float
    """Since the start."""
    cpu: dict[str, float]
    """CPU seconds of each process since the start."""
    rss: dict[str, int]
    """MiB."""
    counts: dict[str, int]
    """Runs and namespaces by state."""


class Sampler:
    """Samples processes until it is stopped."""

    def __init__(self, processes: dict[str, int], counts: Callable[[], dict[str, int]]) -> None:
        self.samples: list[Sample] = []
        self._processes = processes
        self._counts = counts
        self._began = time.monotonic()
        self._base = {name: _cpu(pid) for name, pid in processes.items()}

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            self.take()
            await asyncio.sleep(SAMPLE_SECONDS)

    def take(self) -> Sample:
        """Sample now."""
        sample = Sample(
            round(time.monotonic() - self._began, 2),
            {name: round(_cpu(pid) - self._base[name], 2) for name, pid in self._processes.items()},
            {name: _rss(pid) for name, pid in self._processes.items()},
            self._counts(),
        )
        self.samples.append(sample)
        return sample


def _cpu(pid: int) -> float:
    # utime and stime are fields 14 and 15; the second field is a name in brackets that may hold anything.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _rss(pid: int) -> int:
    return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
