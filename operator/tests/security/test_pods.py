"""What a pod of a run is: restricted, bounded, without a token, whatever its image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.kubectl import items
from tests.pod_rules import problems

if TYPE_CHECKING:
    from tests.e2e.kubectl import Tenant

    from .scene import Scene

pytestmark = [pytest.mark.e2e, pytest.mark.security]

INSIDE = """\
import os, pathlib, pytest

def first(*paths):
    return next((pathlib.Path(p).read_text().split()[0] for p in paths if os.path.exists(p)), "none")

def test_cpu_is_bounded():
    assert first("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu.max") not in ("-1", "max", "none")

def test_memory_is_bounded():
    limit = first("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max")
    assert 0 < int(limit) < 2**34

def test_no_token_and_no_links_to_services():
    # Of the API server's own address the kubelet tells every container.
    assert [name for name in os.environ if name.endswith("_SERVICE_HOST")] == ["KUBERNETES_SERVICE_HOST"]
    assert not pathlib.Path("/var/run/secrets").exists()

def test_no_capability_and_no_way_to_get_one():
    status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

def test_the_root_is_read_only():
    with pytest.raises(OSError):
        pathlib.Path("/attempt").touch()
"""
PIDS = """
import threading

def test_processes_are_bounded():
    \"\"\"Threads count as much as processes: the node's bound holds, and the run lives to tell.\"\"\"
    threading.stack_size(64 << 10)
    end, threads = threading.Event(), []
    try:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            for _ in range(4096):
                threads.append(threading.Thread(target=end.wait))
                threads[-1].start()
    finally:
        end.set()
    assert 10 < len(threads) < 4096
"""


def _check(tenant: Tenant, name: str, source: str) -> None:
    tenant.tests(name, source)
    tenant.run(name)
    status = tenant.finished(name)["status"]
    assert status["phase"] == "Passed", status["failures"]


def test_from_inside(tenant: Tenant) -> None:
    _check(tenant, "inside", INSIDE)


@pytest.mark.node
def test_the_number_of_processes_is_up_to_the_node(tenant: Tenant) -> None:
    """No field of a pod says it: the kubelet's `podPidsLimit` does."""
    _check(tenant, "bomb", "import pytest\n" + PIDS)


def test_every_pod_as_the_cluster_has_it(scene: Scene) -> None:
    pods = [*items("pods", scene.names["my_space"]), *items("pods", scene.names["their_space"])]
    assert len(pods) >= 6
    assert {pod["metadata"]["name"]: problems(pod["spec"]) for pod in pods if problems(pod["spec"])} == {}
    for pod in pods:
        assert pod["spec"]["serviceAccountName"] == "run"
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]:
            limits = container["resources"]["limits"]
            assert set(limits) == {"cpu", "memory", "ephemeral-storage"}, (pod["metadata"]["name"], limits)
