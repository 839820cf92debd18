"""The arguments that kind gets, recorded by programs of that name."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hack.cluster import kind
from hack.cluster.layout import Layout, this_checkout

if TYPE_CHECKING:
    from pathlib import Path

ROOT = this_checkout().checkout
RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
case "$*" in
  "get clusters") printf '%s' "$CLUSTERS" ;;
  "get kubeconfig"*) echo "apiVersion: v1" ;;
  *"images list"*) printf 'sha256:1\\nlocalhost/b:1\\nlocalhost/a:1\\nlocalhost/a@sha256:2\\n' ;;
esac
exit "${STATUS:-0}"
"""


class Recorded:
    """Runs `python3 -m hack.cluster` with CLUSTER=kind and knows what it called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._record = directory / "record"
        programs = directory / "bin"
        programs.mkdir()
        for name in ("kind", "docker"):
            (programs / name).write_text(RECORDER)
            (programs / name).chmod(0o755)
        self.programs = programs

    def run(
        self, *arguments: str, clusters: str = "", status: int = 0, path: str = ""
    ) -> subprocess.CompletedProcess[str]:
        self._record.write_text("")
        environment = {
            "CLUSTER": "kind",
            "CLUSTERS": clusters,
            "RECORD": str(self._record),
            "STATUS": str(status),
            "PATH": path or f"{self.programs}{os.pathsep}{os.environ['PATH']}",
        }
        command = [sys.executable, "-m", "hack.cluster", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        return self._record.read_text().splitlines()


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def test_up_creates_once_and_writes_the_kubeconfig(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(recorded.programs), prepend=os.pathsep)
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("CLUSTERS", "another")
    layout = Layout(tmp_path)
    kind.up(layout)
    create = f"kind create cluster --name seatrial --config {tmp_path}/kind-config.yaml --wait 180s"
    assert recorded.calls() == ["kind get clusters", create, "kind get kubeconfig --name seatrial"]
    assert layout.kubeconfig.read_text() == "apiVersion: v1\n"
    assert layout.kubeconfig.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("CLUSTERS", "seatrial")
    kind.up(layout)
    assert recorded.calls().count(create) == 1
    kind.down(layout)
    assert recorded.calls()[-1] == "kind delete cluster --name seatrial"
    assert not layout.kubeconfig.exists()


def test_load_hands_over_each_archive(recorded: Recorded, tmp_path: Path) -> None:
    archives = [tmp_path / "a.tar", tmp_path / "b.tar"]
    for archive in archives:
        archive.touch()
    assert recorded.run("load", *map(str, archives)).returncode == 0
    assert recorded.calls() == [f"kind load image-archive {archive} --name seatrial" for archive in archives]


def test_load_of_a_missing_archive_says_which(recorded: Recorded, tmp_path: Path) -> None:
    done = recorded.run("load", str(tmp_path / "none.tar"))
    assert (done.returncode, recorded.calls()) == (1, [])
    assert f"image archive {tmp_path / 'none.tar'} does not exist" in done.stderr


def test_images_lists_names_only(recorded: Recorded) -> None:
    assert recorded.run("images").stdout.split() == ["localhost/a:1", "localhost/b:1"]
    assert recorded.calls() == ["docker exec seatrial-control-plane ctr --namespace k8s.io images list --quiet"]


def test_status_is_the_exit_status(recorded: Recorded) -> None:
    assert recorded.run("status", clusters="seatrial\n").returncode == 0
    assert recorded.run("status", clusters="another\n").returncode == 1


def test_failures_of_kind_are_told(recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / "a.tar").touch()
    done = recorded.run("load", str(tmp_path / "a.tar"), status=3)
    assert done.returncode == 1
    assert "exited with status 3" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_kind_it_says_what_is_missing(recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = recorded.run("status", path=str(tmp_path / "empty"))
    assert "needs kind and docker in PATH" in done.stderr


def test_an_unknown_flavour_is_refused() -> None:
    command = [sys.executable, "-m", "hack.cluster", "status"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"CLUSTER": "minikube"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "'minikube'; expected one of: node, kind" in done.stderr


def test_the_configuration_names_the_same_cluster() -> None:
    assert f"name: {kind.NAME}\n" in (ROOT / "kind-config.yaml").read_text()
