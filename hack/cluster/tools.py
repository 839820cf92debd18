"""The programs of the host that the node needs, and their installation on Debian and Ubuntu."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from hack import apt
from hack.cluster.errors import ClusterError

# program -> Debian package
NODE_TOOLS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip6tables": "iptables",
    "iptables-restore": "iptables",
    "ipset": "ipset",
    "ip": "iproute2",
    "mount": "mount",
    "unshare": "util-linux",
    "openssl": "openssl",
    "gcc": "gcc libc6-dev",
}
# Distributions disagree about where the reference CNI plugins live.
CNI_PLUGIN_DIRECTORIES = (Path("/usr/lib/cni"), Path("/opt/cni/bin"), Path("/usr/libexec/cni"))
CNI_PLUGINS = ("ptp", "host-local", "portmap", "loopback")
CNI_PACKAGE = "containernetworking-plugins"
SYSTEM_PATHS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def extend_path() -> None:
    """Make the administrator's programs visible: a plain user's PATH, kept by some `sudo`s, lacks them."""
    have = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*have, *(path for path in SYSTEM_PATHS if path not in have)])


def cni_plugin_directory() -> Path | None:
    """The folder that holds all the CNI plugins we use, or None."""
    for directory in CNI_PLUGIN_DIRECTORIES:
        if all((directory / plugin).exists() for plugin in CNI_PLUGINS):
            return directory
    return None


def missing() -> dict[str, str]:
    """Programs that are not there, with the Debian package of each."""
    gone = {tool: package for tool, package in NODE_TOOLS.items() if shutil.which(tool) is None}
    if cni_plugin_directory() is None:
        gone[f"CNI plugins {', '.join(CNI_PLUGINS)}"] = CNI_PACKAGE
    return gone


def require_node_tools() -> None:
    """Install what is missing with apt-get, or say what to install."""
    extend_path()
    gone = missing()
    if not gone:
        return
    packages = sorted({word for package in gone.values() for word in package.split()})
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {' '.join(packages)} with apt-get", file=sys.stderr, flush=True)
        try:
            apt.install(packages)
        except apt.AptError as error:
            raise ClusterError(str(error)) from None
        gone = missing()
    if gone:
        raise ClusterError(
            f"the node needs programs that were not found: {', '.join(sorted(gone))}.\n"
            f"Install them (Debian's packages: {' '.join(packages)}), then run this again."
        )
