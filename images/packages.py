"""Which Debian packages the files of a base are from, written where tools that list the contents of images look for it.

Files are picked one by one, so no package is installed as dpkg knows it. As in other images without dpkg, each package
has a file of its own in /var/lib/dpkg/status.d.
"""

import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from images.command import run

ARCHIVES = "var/cache/apt/archives"
"""Where mmdebstrap leaves what it has unpacked."""
STATUS = Path("var/lib/dpkg/status.d")
RELEASE = """\
PRETTY_NAME="Seatrial's selection of Debian 12 packages"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
"""
_MERGED = ("bin", "lib", "lib64", "sbin")


def note(root: Path, target: Path, also: Iterable[str] = ()) -> None:
    """Describe in target the packages of root from which it has files, and those named in `also`."""
    there = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    folder = target / STATUS
    folder.mkdir(parents=True)
    for archive in sorted((root / ARCHIVES).glob("*.deb")):
        name = archive.name.partition("_")[0]
        if name in also or not there.isdisjoint(_files(archive)):
            control = run(["dpkg-deb", "--field", archive], doing=f"read what {archive.name} says of itself")
            (folder / name).write_text(control)
    (target / "usr/lib").mkdir(parents=True, exist_ok=True)
    (target / "usr/lib/os-release").write_text(RELEASE)
    (target / "etc").mkdir(exist_ok=True)
    (target / "etc/os-release").symlink_to("../usr/lib/os-release")


def _files(archive: Path) -> Iterator[str]:
    """The paths of a package's files, with /bin, /lib and /sbin merged into /usr."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with (
        # Who has seen enough closes the pipe, of which dpkg-deb complains; what cannot be read, tarfile refuses.
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as unpacking,
        tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar,
    ):
        for entry in tar:
            path = PurePosixPath(entry.name)  # ./lib/x
            if not entry.isdir():
                yield str("usr" / path if path.parts[0] in _MERGED else path)
