"""The programs that builds need, and how they are come by."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from images.command import run
from images.errors import ImageError

# Programs that Debian and Ubuntu package recently enough. Go and Rust are not among them.
PACKAGES = {
    "buildah": "buildah",
    "cc": "gcc",
    "chroot": "coreutils",
    "ip": "iproute2",
    "java": "default-jre-headless",
    "mmdebstrap": "mmdebstrap",
    "mvn": "maven",
    "pkg-config": "pkg-config",
    "unshare": "util-linux",
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def missing_packages(programs: Iterable[str]) -> tuple[list[str], list[str]]:
    """Packages to install, and programs that no package of ours provides."""
    missing = [program for program in dict.fromkeys(programs) if shutil.which(program) is None]
    packages = [PACKAGES[program] for program in missing if program in PACKAGES]
    if "mmdebstrap" in programs and not KEYRING.exists():
        packages.append("debian-archive-keyring")
    return sorted(set(packages)), [program for program in missing if program not in PACKAGES]


def ensure(programs: Iterable[str]) -> None:
    """Install what is missing when we may, otherwise say what to run."""
    wanted = list(programs)
    packages, unknown = missing_packages(wanted)
    if unknown:
        raise ImageError(f"not on PATH: {', '.join(unknown)}. Install a recent release; distributions' are too old.")
    if packages:
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise ImageError(f"programs are missing. As root: {' '.join(install)}")
        run(["apt-get", "update"], doing="update the package lists")
        run(install, doing=f"install {', '.join(packages)}", environment={"DEBIAN_FRONTEND": "noninteractive"})
    if os.geteuid() != 0:
        raise ImageError("building without Docker unpacks root filesystems: be root, or set BUILDER=docker.")
