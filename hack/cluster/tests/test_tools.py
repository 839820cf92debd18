"""What is said when programs are missing, or when the machine is the wrong one."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from hack.cluster import lifecycle, tools
from hack.cluster.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools, "SYSTEM_PATHS", ())
    monkeypatch.setattr(tools, "CNI_PLUGIN_DIRECTORIES", (tmp_path,))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError) as refused:
        tools.require_node_tools()
    assert "CNI plugins ptp, host-local, portmap, loopback, containerd, ctr" in str(refused.value)
    assert "Debian's packages: containerd containernetworking-plugins gcc iproute2 ipset iptables" in str(refused.value)


def test_plugins_are_found_where_all_of_them_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    half, whole = tmp_path / "half", tmp_path / "whole"
    for directory, plugins in ((half, tools.CNI_PLUGINS[:1]), (whole, tools.CNI_PLUGINS)):
        directory.mkdir()
        for plugin in plugins:
            (directory / plugin).touch()
    monkeypatch.setattr(tools, "CNI_PLUGIN_DIRECTORIES", (tmp_path / "none", half, whole))
    assert tools.cni_plugin_directory() == whole


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        ({"docker", "kind"}, "Docker and kind are here: set CLUSTER=kind"),
        (set(), "With Docker and kind, set CLUSTER=kind"),
    ],
)
def test_the_wrong_machine_is_told_about_kind(there: set[str], hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: program if program in there else None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match=hint):
        lifecycle.require_root_on_linux()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ClusterError, match=r"seen: platform darwin"):
        lifecycle.require_root_on_linux()
