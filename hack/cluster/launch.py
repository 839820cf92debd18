"""Launching the node in namespaces of its own, and following its start."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any

from hack.cluster import mounts
from hack.cluster.errors import ClusterError
from hack.cluster.processes import tail

if TYPE_CHECKING:
    from pathlib import Path

    from hack.cluster.layout import Layout

NAMESPACES = ("--mount", "--net", "--pid", "--uts", "--ipc")
# With --kill-child, killing `unshare` kills the node's first process, and that takes its process namespace along.
UNSHARE = ("unshare", *NAMESPACES, "--fork", "--kill-child", "--mount-proc")
BACKLOG = 512


def launch(layout: Layout, programs: dict[str, Path], archives: list[Path]) -> None:
    """Start the node and return when it is ready; the caller cleans up when that fails."""
    layout.state.mkdir(mode=0o700, parents=True)
    shutil.rmtree(layout.logs, ignore_errors=True)
    layout.logs.mkdir(parents=True)
    layout.failure.unlink(missing_ok=True)
    listener, port = _listen(layout)
    read_end, write_end = os.pipe()
    with listener, layout.node_file.open("w") as node_file, os.fdopen(read_end) as reports:
        # The node inherits the lock, and the kernel drops it with the node's last process.
        fcntl.flock(node_file, fcntl.LOCK_EX)
        json.dump({"port": port, "started": time.time(), "mount_points": _make_mount_points()}, node_file)
        node_file.flush()
        settings = {
            "programs": {name: str(path) for name, path in programs.items()},
            "archives": [str(path) for path in archives],
            "listener": listener.fileno(),
            "report": write_end,
        }
        process = _spawn(layout, settings, (listener.fileno(), write_end, node_file.fileno()))
        os.close(write_end)
        try:
            _follow(reports, layout.logs / "node.log")
        except BaseException:
            process.kill()
            process.wait()
            raise
    process.returncode = 0  # it goes on without us: Popen need not warn that nobody waited for it


def _spawn(layout: Layout, settings: dict[str, Any], descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    node = (sys.executable, "-m", "hack.cluster.node", str(layout.checkout), json.dumps(settings))
    with (layout.logs / "node.log").open("wb") as sink:
        return subprocess.Popen(
            [*UNSHARE, *node],
            cwd=layout.checkout,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            pass_fds=descriptors,
            start_new_session=True,
        )


def _make_mount_points() -> list[str]:
    made = mounts.mount_points_to_make()
    for path in made:
        path.mkdir(parents=True)
    return [str(path) for path in made]


def _follow(reports: IO[str], own_log: Path) -> None:
    """Print the node's progress until it is ready; ClusterError when it fails or dies."""
    for line in reports:
        message = json.loads(line)
        if "step" in message:
            print(f"{message['seconds']:6.1f} s  {message['step']}", flush=True)
        elif "failed" in message:
            raise ClusterError(f"the cluster did not start: {message['failed']}")
        elif "ready" in message:
            return
    raise ClusterError(f"the node died while it started; the last lines of {own_log}:\n{tail(own_log)}")


def _listen(layout: Layout) -> tuple[socket.socket, int]:
    """A listening socket on the checkout's own loopback port, or on the next one that is free."""
    tried = layout.ports()
    for port in tried:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
        else:
            return listener, port
    raise ClusterError(
        f"all {len(tried)} loopback ports tried for the API server are in use ({tried[0]}, {tried[1]}, ...); "
        "see who has them with: ss -ltnp"
    )
