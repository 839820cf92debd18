"""Images of the node's containerd, through its `ctr` client from outside the node."""

from __future__ import annotations

import subprocess
import tarfile
from typing import TYPE_CHECKING

from hack.cluster import oci
from hack.cluster.errors import ClusterError
from hack.cluster.processes import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMESPACE = "k8s.io"  # the one that the kubelet's images live in


def image_digests(socket: Path) -> dict[str, str]:
    """Reference -> digest of every named image; the kubelet's own `sha256:` aliases are left out."""
    lines = run(_ctr(socket, "images", "list")).splitlines()[1:]
    rows = [line.split() for line in lines]
    return {row[0]: row[2] for row in rows if not row[0].startswith("sha256:") and "@" not in row[0]}


def load(socket: Path, archives: Sequence[Path]) -> dict[str, bool]:
    """Import OCI archives; reference -> whether it was imported (False: the same digest was there already)."""
    contents = {archive: oci.read_archive(archive) for archive in archives}
    present = image_digests(socket)
    result: dict[str, bool] = {}
    for archive, images in contents.items():
        new = [image for image in images if present.get(image.reference) != image.digest]
        result |= {image.reference: image in new for image in images}
        if new:
            _import(socket, archive)
        for image in new:  # as after a pull: the image is known by its digest too
            name = image.reference.rpartition(":")[0]
            run(_ctr(socket, "images", "tag", "--force", image.reference, f"{name}@{image.digest}"))
    return result


def _import(socket: Path, archive: Path) -> None:
    """`ctr` gets an archive in which every image has containerd's name annotation, whoever wrote it."""
    process = subprocess.Popen(
        _ctr(socket, "images", "import", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=False,
    )
    assert process.stdin is not None  # noqa: S101 - asked for above
    try:
        oci.copy_named(archive, process.stdin)
        process.stdin.close()
    except (BrokenPipeError, tarfile.TarError):
        process.kill()
    said = process.stdout.read().decode(errors="replace") if process.stdout else ""
    if process.wait():
        raise ClusterError(f"containerd refused {archive}: {said.strip()[-1500:] or 'it said nothing'}")


def _ctr(socket: Path, *arguments: str) -> list[str]:
    return ["ctr", "--address", str(socket), "--namespace", NAMESPACE, *arguments]
