"""What the end-to-end tests need: the cluster of this checkout, the probe's image in it, and namespaces."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hack.cluster.layout import this_checkout
from hack.cluster.oci import Image, write_archive
from hack.cluster.tests.kubectl import PROBE_IMAGE, Kubectl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHECKOUT = this_checkout().checkout
PROBE_SOURCES = Path(__file__).parent / "probe"


def run_cluster(*arguments: str) -> str:
    """Standard output of `python3 -m hack.cluster`."""
    done = subprocess.run(
        [sys.executable, "-m", "hack.cluster", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """For the running cluster, with the probe's image loaded."""
    kubeconfig = Path(os.environ.get("KUBECONFIG") or this_checkout().kubeconfig)
    assert kubeconfig.exists(), f"{kubeconfig} does not exist; start the cluster: python3 -m hack.cluster up"
    directory = tmp_path_factory.mktemp("probe")
    program, archive = directory / "probe", directory / "probe.tar"
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]
    subprocess.run(["go", "build", *flags, "-o", str(program), "."], cwd=PROBE_SOURCES, env=environment, check=True)
    write_archive(Image(PROBE_IMAGE, {"probe": program}, {"Entrypoint": ["/probe"], "User": "1000:1000"}), archive)
    run_cluster("load", str(archive))
    assert PROBE_IMAGE in run_cluster("images").splitlines()
    return Kubectl(Path(run_cluster("path", "kubectl")), kubeconfig)


@pytest.fixture
def make_namespace(kubectl: Kubectl) -> Iterator[Callable[[], Kubectl]]:
    """Makes namespaces that enforce the restricted Pod Security Standard; they are deleted in the background."""
    made: list[Kubectl] = []

    def make() -> Kubectl:
        name = f"cluster-test-{secrets.token_hex(4)}"
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        inside = Kubectl(kubectl.program, kubectl.kubeconfig, name)
        made.append(inside)
        return inside

    yield make
    for inside in made:
        inside.ok("delete", "pods", "--all", "--wait=false", "--grace-period=1")
        inside.ok("delete", "namespace", inside.namespace, "--wait=false")


@pytest.fixture
def namespace(make_namespace: Callable[[], Kubectl]) -> Kubectl:
    return make_namespace()
