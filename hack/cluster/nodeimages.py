"""The two images that the node itself needs, as archives in the cache: the pods' first process, and CoreDNS."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from hack.cluster.layout import COREDNS_IMAGE, PAUSE_IMAGE, cache_directory
from hack.cluster.oci import Image, write_archive
from hack.cluster.processes import run

PAUSE_SOURCE = Path(__file__).parent / "pause" / "pause.c"
COMPILER = ("gcc", "-static", "-Os", "-Wall", "-Werror")


def pause_archive() -> Path:
    """The archive of the pause image, compiled when it is not in the cache."""
    digest = hashlib.sha256(PAUSE_SOURCE.read_bytes() + repr(COMPILER).encode()).hexdigest()[:12]
    target = _images() / f"pause-{digest}.tar"
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            program = Path(scratch) / "pause"
            run([*COMPILER, "-o", str(program), str(PAUSE_SOURCE)])
            _write(Image(PAUSE_IMAGE, {"pause": program}, {"Entrypoint": ["/pause"], "User": "65535:65535"}), target)
    return target


def coredns_archive(program: Path) -> Path:
    """The archive of an image that holds nothing but the CoreDNS program; named after the program's build."""
    target = _images() / f"{program.parent.name}.tar"
    if not target.exists():
        _write(Image(COREDNS_IMAGE, {"coredns": program}, {"Entrypoint": ["/coredns"], "User": "65532:65532"}), target)
    return target


def _images() -> Path:
    directory = cache_directory() / "images"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _write(image: Image, target: Path) -> None:
    """Through a name of our own, since two clusters may boot at the same time."""
    own = target.with_name(f"{target.name}.{os.getpid()}")
    write_archive(image, own)
    own.rename(target)
