"""Image archives as every Docker loads them: before 25 it reads no OCI archive, only one with a list of its layers."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LIST = "manifest.json"
"""Docker's own, which `docker save` writes too."""


def write(archive: Path, output: IO[bytes]) -> str:
    """Write an archive of one image for `docker load`; the image's name. Raises OSError, KeyError, ValueError."""
    with tarfile.open(archive) as source:
        if LIST in source.getnames():
            with archive.open("rb") as plain:
                while part := plain.read(1 << 20):
                    output.write(part)
            return str(_read(source, LIST)[0]["RepoTags"][0])
        index = _read(source, "index.json")["manifests"][0]
        manifest = _read(source, _blob(index))
        name = str(index["annotations"]["org.opencontainers.image.ref.name"])
        config, layers = _blob(manifest["config"]), [_blob(layer) for layer in manifest["layers"]]
        listed = json.dumps([{"Config": config, "RepoTags": [name], "Layers": layers}]).encode()
        with tarfile.open(fileobj=output, mode="w|") as target:
            for wanted in dict.fromkeys([config, *layers]):
                member = source.getmember(wanted)
                target.addfile(member, source.extractfile(member))
            entry = tarfile.TarInfo(LIST)
            entry.size = len(listed)
            target.addfile(entry, BytesIO(listed))
    return name


def _read(source: tarfile.TarFile, name: str) -> Any:
    member = source.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is not a file")
    return json.loads(member.read())


def _blob(item: dict[str, str]) -> str:
    return "blobs/" + item["digest"].replace(":", "/")
