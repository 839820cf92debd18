"""Start, repair and stop of a cluster of its own, in a copy of this checkout."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hack.cluster import cgroups, sysctl
from hack.cluster.layout import STATE_ROOT, Layout, this_checkout
from hack.cluster.mounts import PRIVATE_DIRECTORIES
from hack.cluster.tests.kubectl import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.node]

START_TIME = 19  # field of /proc/PID/stat, counted after the name
# Where the node mounts; elsewhere others may mount and unmount meanwhile.
OURS = (str(STATE_ROOT), *(str(directory) for directory in PRIVATE_DIRECTORIES))
NAMESPACES = ("mnt", "net", "pid", "uts", "ipc")


@dataclass
class Traces:
    """What a running cluster could leave on the machine."""

    namespaces: set[str] = field(default_factory=set)  # of any process
    mounts: set[str] = field(default_factory=set)
    interfaces: set[str] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)


def namespaces_of(pid: int | str) -> set[str]:
    try:
        return {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in NAMESPACES}
    except OSError:  # it ended meanwhile
        return set()


def traces() -> Traces:
    pids = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return Traces(
        namespaces=set().union(*(namespaces_of(pid) for pid in pids)),
        mounts={
            point
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if (point := line.split()[4]).startswith(OURS)
        },
        interfaces={name for _, name in socket.if_nameindex()},
        settings={name: (sysctl.PROC_SYS / name).read_text() for name in sysctl.KUBELET_SETTINGS},
    )


@dataclass
class Checkout:
    """A copy of the sources with a cluster of its own."""

    layout: Layout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hack.cluster", *arguments]
        return subprocess.run(command, cwd=self.layout.checkout, capture_output=True, text=True, check=False)

    def ok(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def processes(self) -> set[int]:
        return cgroups.processes(self.layout.cgroup, cgroups.hierarchies())

    def main_process(self) -> int:
        """The first process of the node's process namespace, seen from outside."""
        return min(
            self.processes(),
            key=lambda pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[START_TIME]),
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    shutil.copytree(this_checkout().checkout / "hack", tmp_path / "hack", ignore=shutil.ignore_patterns("__pycache__"))
    return Checkout(Layout(tmp_path))


def test_start_repair_and_stop_leave_nothing_behind(checkout: Checkout) -> None:
    before = traces()
    try:
        assert "the cluster is running" in checkout.ok("up")
        inside = set().union(*(namespaces_of(pid) for pid in checkout.processes())) - before.namespaces
        assert len(inside) >= len(NAMESPACES), "the cluster runs in namespaces of its own"
        assert traces().settings == before.settings, "the kubelet must not change the machine"
        assert "Ready" in checkout.ok("status")

        running = checkout.processes()
        assert "the cluster is running" in checkout.ok("up")
        assert checkout.processes() >= running, "a second start starts nothing"

        os.kill(checkout.main_process(), signal.SIGKILL)
        repaired = checkout.ok("up")
        assert "repairing" in repaired
        assert not running & checkout.processes()
        assert "Ready" in checkout.ok("status")

        inside |= set().union(*(namespaces_of(pid) for pid in checkout.processes())) - before.namespaces
        component = next(pid for pid in checkout.processes() if Path(f"/proc/{pid}/comm").read_text() == "kube-proxy\n")
        os.kill(component, signal.SIGKILL)

        def epitaph() -> str | None:
            done = checkout.run("status")
            return done.stdout if "stopped by itself" in done.stdout else None

        assert "kube-proxy was killed by signal 9" in wait_for("that the node stops with its component", epitaph)
    finally:
        stopped = checkout.ok("down")
    assert "stopped" in stopped
    after = traces()
    assert not after.namespaces & inside, (
        "no process lives in the cluster's namespaces, so their mounts and interfaces are gone"
    )
    assert not cgroups.existing(checkout.layout.cgroup, cgroups.hierarchies())
    assert not checkout.layout.state.exists()
    assert after.mounts == before.mounts
    assert after.interfaces == before.interfaces
    assert after.settings == before.settings
    assert "no cluster is running" in checkout.ok("down"), "stopping is idempotent"
    assert checkout.run("status").returncode == 1
