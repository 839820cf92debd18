"""The node's view of the file system: private copies of the fixed folders that two nodes on one machine would share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hack.cluster import sysctl
from hack.cluster.processes import run

if TYPE_CHECKING:
    from hack.cluster.layout import Layout

# A kubelet deletes what it does not know under its log folders; shims, network namespaces and locks live under /run.
PRIVATE_DIRECTORIES = (Path("/var/log"), Path("/run"), Path("/var/lib/cni"), Path("/var/lib/kubelet"))
ETCD_SIZE = "2g"


def mount_points_to_make() -> list[Path]:
    """Folders that have to be made on the machine to mount over them; to be removed again with the node."""
    return [directory for directory in PRIVATE_DIRECTORIES if not directory.exists()]


def etcd_directory(layout: Layout) -> Path:
    return layout.state / "etcd"


def set_up(layout: Layout) -> None:
    """Arrange the mounts; runs inside the node's mount namespace, with which they vanish."""
    run(["mount", "--make-rshared", "/"])  # volumes mounted by the kubelet must reach containerd and back
    for directory in PRIVATE_DIRECTORIES:
        private = layout.state / "private" / directory.name
        private.mkdir(parents=True)
        run(["mount", "--bind", str(private), str(directory)])
    etcd = etcd_directory(layout)
    etcd.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={ETCD_SIZE},mode=0700", "tmpfs", str(etcd)])
    sysctl.shield(layout.state / "sysctl")
