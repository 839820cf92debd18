"""A folder as a tar file that depends on nothing but the folder's names, modes, links and contents."""

import tarfile
from pathlib import Path

from images.settings import EPOCH


def write_tar(root: Path, archive: Path) -> None:
    """Everything belongs to root and carries the fixed time; names are in order."""
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=_normalised)


def _normalised(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = EPOCH
    if entry.islnk():  # a second name of a file that is in the archive already
        return entry
    entry.mode &= 0o7777
    return entry
