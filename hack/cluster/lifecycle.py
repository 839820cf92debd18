"""Starting, stopping and looking at the node from outside."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hack.cluster import build, cgroups, config, containerd, launch, locking, nodeimages, pki, sysctl, tools
from hack.cluster.api import Api
from hack.cluster.errors import ClusterError
from hack.cluster.layout import NODE_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hack.cluster.layout import Layout

# How long a cluster whose processes live may fail to answer before it counts as broken: it may only be busy.
PATIENCE_SECONDS = 15
NAMESPACES = ("--mount", "--net", "--pid", "--uts", "--ipc")


def up(layout: Layout) -> None:
    """Make sure that the cluster runs; repairs a broken one by stopping it and starting anew."""
    require_root_on_linux()
    with _locked(layout):
        if locking.is_locked(layout.node_file) and _answers(layout):
            _write_kubeconfig(layout)
            print(f"the cluster is running: KUBECONFIG={layout.kubeconfig}")
            return
        if leftovers := _leftovers(layout):
            why = f" ({layout.failure.read_text().splitlines()[0]})" if layout.failure.exists() else ""
            print(
                f"repairing: an earlier cluster of this checkout is broken{why}: {leftovers}; starting anew", flush=True
            )
            _destroy(layout)
        tools.require_node_tools()
        programs = build.build(build.NODE_MODULES)
        archives = [nodeimages.pause_archive(), nodeimages.coredns_archive(programs["coredns"])]
        try:
            launch.launch(layout, programs, archives)
        except BaseException:
            _destroy(layout)
            raise
        _write_kubeconfig(layout)
        if hint := sysctl.inotify_hint():
            print(hint)
        print(f"the cluster is running: KUBECONFIG={layout.kubeconfig}")


def down(layout: Layout) -> None:
    """Stop the cluster from whatever state it is in; nothing is left but the logs."""
    require_root_on_linux()
    with _locked(layout):
        found = _leftovers(layout)
        _destroy(layout)
        layout.failure.unlink(missing_ok=True)
    print("the cluster is stopped" if found else "no cluster is running")


def load(layout: Layout, archives: Sequence[Path]) -> None:
    """Import OCI archives into the node, and say which were new."""
    require_running(layout)
    for reference, imported in containerd.load(layout.containerd_socket, archives).items():
        print(f"{'loaded' if imported else 'already there'}: {reference}")


def images(layout: Layout) -> None:
    require_running(layout)
    for reference in sorted(containerd.image_digests(layout.containerd_socket)):
        print(reference)


def switch_policies(layout: Layout, *, enforced: bool) -> None:
    """Have network policies enforced, as they are from the start, or ignored."""
    require_running(layout)
    if enforced:
        layout.policies_off_file.unlink(missing_ok=True)
    else:
        layout.policies_off_file.touch()
    print(f"network policies are {'enforced' if enforced else 'ignored'}")


def status(layout: Layout) -> bool:
    """Print how the cluster is; whether it is healthy."""
    require_root_on_linux()
    if not locking.is_locked(layout.node_file):
        if layout.failure.exists():
            print(f"the cluster stopped by itself: {layout.failure.read_text().rstrip()}")
        else:
            print("no cluster is running; start it with: python3 -m hack.cluster up")
        return False
    facts = _facts(layout)
    port = facts.get("port")
    api = Api(port, layout.pki) if port else None
    if api is None or not api.healthy():
        print(f"the cluster's processes live, but its API server does not answer at 127.0.0.1:{port}; `up` repairs it")
        return False
    ready = api.node_ready(NODE_NAME)
    pods = [item["status"].get("phase") for item in api.get("/api/v1/pods")["items"]]
    version = api.get("/version")["gitVersion"]
    print(
        f"Kubernetes {version} at https://127.0.0.1:{port}, up {_age(facts)}, node {'Ready' if ready else 'NOT Ready'}"
    )
    images_there = len(containerd.image_digests(layout.containerd_socket))
    print(f"pods: {pods.count('Running')} running of {len(pods)}; images: {images_there}")
    print(f"export KUBECONFIG={layout.kubeconfig}; logs of the components: {layout.logs}")
    return ready


def require_root_on_linux() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        seen = f"platform {sys.platform}" if sys.platform != "linux" else f"user id {os.geteuid()}"
        hint = "With Docker and kind, set CLUSTER=kind instead."
        if shutil.which("docker") and shutil.which("kind"):
            hint = "Docker and kind are here: set CLUSTER=kind instead."
        raise ClusterError(f"the node runs as root on Linux only (seen: {seen}). {hint}")


def require_running(layout: Layout) -> None:
    require_root_on_linux()
    if not locking.is_locked(layout.node_file):
        raise ClusterError("no cluster of this checkout is running; start it with: python3 -m hack.cluster up")


def _locked(layout: Layout) -> contextlib.AbstractContextManager[None]:
    return locking.exclusive(
        layout.lock, lambda: print("waiting for another `up` or `down` of this checkout", flush=True)
    )


def _facts(layout: Layout) -> dict[str, Any]:
    """What the last start wrote down; empty when it was interrupted before that."""
    try:
        facts: dict[str, Any] = json.loads(layout.node_file.read_text())
    except (OSError, ValueError):
        return {}
    return facts


def _age(facts: dict[str, Any]) -> str:
    minutes = int(time.time() - facts.get("started", time.time())) // 60
    return f"{minutes // 60} h {minutes % 60} min"


def _answers(layout: Layout) -> bool:
    port = _facts(layout).get("port")
    if port is None or not (layout.pki / f"{pki.ADMIN.file}.key").exists():
        return False
    api = Api(port, layout.pki)
    deadline = time.monotonic() + PATIENCE_SECONDS
    # The start may be under way, if the `up` that began it was killed.
    while not (layout.ready_file.exists() and api.healthy()):
        if time.monotonic() > deadline or not locking.is_locked(layout.node_file):
            return False
        time.sleep(0.2)
    return True


def _leftovers(layout: Layout) -> str:
    """What is left of an earlier cluster, for people; empty when nothing is."""
    if locking.is_locked(layout.node_file):
        return "its processes live, but its API server does not answer"
    if cgroups.existing(layout.cgroup, cgroups.hierarchies()):
        return "its main process is gone"
    return f"its folder {layout.state} is left" if layout.state.exists() else ""


def _destroy(layout: Layout) -> None:
    # All its processes live in its cgroups; its mounts and interfaces live in namespaces that end with them.
    found = cgroups.hierarchies()
    cgroups.destroy(layout.cgroup, found)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while locking.is_locked(layout.node_file) and time.monotonic() < deadline:
        # It has only just been started and is not in its cgroups yet.
        time.sleep(0.02)
        cgroups.destroy(layout.cgroup, found)
    for directory in reversed(_facts(layout).get("mount_points", [])):
        with contextlib.suppress(OSError):  # in use by somebody else by now
            Path(directory).rmdir()
    if layout.state.exists():
        shutil.rmtree(layout.state)
    with contextlib.suppress(OSError):
        layout.state.parent.rmdir()
    layout.kubeconfig.unlink(missing_ok=True)


def _write_kubeconfig(layout: Layout) -> None:
    server = f"https://127.0.0.1:{_facts(layout)['port']}"
    partial = layout.kubeconfig.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(config.kubeconfig(server, layout.cgroup, layout.pki, pki.ADMIN))
    partial.rename(layout.kubeconfig)
