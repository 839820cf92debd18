"""The same commands with kind, for machines that have Docker."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from hack.cluster.errors import ClusterError
from hack.cluster.processes import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hack.cluster.layout import Layout

NAME = "seatrial"  # also in kind-config.yaml
NODE_CONTAINER = f"{NAME}-control-plane"
WAIT = "180s"


def up(layout: Layout) -> None:
    """Create the cluster unless it is there, and write its kubeconfig."""
    _require("kind", "docker")
    if NAME not in run(["kind", "get", "clusters"]).split():
        _show(
            [
                "kind",
                "create",
                "cluster",
                "--name",
                NAME,
                "--config",
                str(layout.checkout / "kind-config.yaml"),
                "--wait",
                WAIT,
            ]
        )
    layout.kubeconfig.parent.mkdir(exist_ok=True)
    layout.kubeconfig.touch(mode=0o600)
    layout.kubeconfig.write_text(run(["kind", "get", "kubeconfig", "--name", NAME]))
    print(f"the cluster is running: KUBECONFIG={layout.kubeconfig}")


def down(layout: Layout) -> None:
    _require("kind", "docker")
    _show(["kind", "delete", "cluster", "--name", NAME])
    layout.kubeconfig.unlink(missing_ok=True)


def load(archives: Sequence[Path]) -> None:
    """Import every archive: kind compares nothing."""
    _require("kind", "docker")
    for archive in archives:
        if not archive.exists():
            raise ClusterError(f"image archive {archive} does not exist")
        _show(["kind", "load", "image-archive", str(archive), "--name", NAME])


def images() -> None:
    _require("docker")
    references = run(
        ["docker", "exec", NODE_CONTAINER, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]
    ).split()
    print("\n".join(sorted(name for name in references if not name.startswith("sha256:") and "@" not in name)))


def status(layout: Layout) -> bool:
    _require("kind", "docker")
    there = NAME in run(["kind", "get", "clusters"]).split()
    how = (
        f"running, KUBECONFIG={layout.kubeconfig}" if there else "not there; create it with: python3 -m hack.cluster up"
    )
    print(f"kind cluster {NAME}: {how}")
    return there


def path(program: str) -> str:
    """Where the user's own program is: with kind nothing is built here."""
    found = shutil.which(program)
    if found is None:
        raise ClusterError(f"{program} was not found in PATH; with CLUSTER=kind it is not built here")
    return found


def _require(*programs: str) -> None:
    gone = [program for program in programs if shutil.which(program) is None]
    if gone:
        raise ClusterError(f"CLUSTER=kind needs {' and '.join(gone)} in PATH")


def _show(command: list[str]) -> None:
    """Run with its output on the terminal."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise ClusterError(f"`{' '.join(command)}` exited with status {done.returncode}; its messages are above")
