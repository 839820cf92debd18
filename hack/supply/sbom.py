"""A bill of materials for each image (CycloneDX), written by Syft, which is built from its Go module."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from hack.cluster.build import GoModule, build
from images.build import Archive, Workshop
from images.builders import builder_for
from images.settings import from_environment

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, Any]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dist" / "sbom"
SYFT = GoModule(
    "syft", "github.com/anchore/syft", {"syft": "github.com/anchore/syft/cmd/syft"}, folder=Path(__file__).parent
)
SCHEMES = {"buildah": "oci-archive", "docker": "docker-archive"}
"""What the archives are that each builder writes."""


class SbomError(Exception):
    """A bill of materials could not be written."""


def program() -> Path:
    """Syft; it is built when it is missing, which takes minutes the first time."""
    return build((SYFT,))["syft"]


def archives(names: list[str]) -> list[Archive]:
    """The built images, by name or all. Raises SbomError for one that is not built."""
    settings = from_environment()
    found = Workshop(settings, builder_for(settings), lambda _: None).archives(names)
    for archive in found:
        if not archive.exists:
            raise SbomError(f"{archive.reference} is not built: python3 -m images build {archive.name}")
    return found


def describe(archive: Archive) -> Document:
    """The bill of materials of one image. Raises SbomError with what Syft says."""
    scheme = SCHEMES[from_environment().builder]
    name, _, version = archive.reference.rpartition(":")
    command = [
        *(str(program()), "scan", f"{scheme}:{archive.path}", "--quiet", "--output", "cyclonedx-json"),
        *("--source-name", name, "--source-version", version),
    ]
    # It would ask its makers for news, and registries for what it does not need.
    environment = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SbomError(f"{archive.reference}: syft exited with {done.returncode}: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))


def describe_once(archive: Archive) -> Document:
    """The same; what Syft has said about an archive of that key is kept beside the archives. Raises SbomError."""
    folder = archive.path.parent.parent / "sbom"
    kept = folder / f"{archive.path.stem}-{program().parent.name}.cdx.json"
    if not kept.is_file():
        document = describe(archive)
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            json.dump(document, file)
        Path(file.name).replace(kept)
        for other in folder.glob(f"{archive.name}-{archive.reference.rpartition(':')[2]}-*.cdx.json"):
            if other != kept:
                other.unlink(missing_ok=True)
    return dict(json.loads(kept.read_text(encoding="utf-8")))


def write(names: list[str]) -> Iterable[tuple[Path, int]]:
    """Write one file an image; each with the number of its components. Raises SbomError."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for archive in archives(names):
        document = describe(archive)
        path = FOLDER / f"{archive.name}-{archive.reference.rpartition(':')[2]}.cdx.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        yield path, len(packages(document))


def packages(document: Document) -> dict[str, set[str]]:
    """What is in an image: name -> versions. Files that Syft lists beside packages are left out."""
    found: dict[str, set[str]] = {}
    for component in document.get("components", ()):
        if component["type"] == "library":
            found.setdefault(component["name"], set()).add(component.get("version", ""))
    return found
