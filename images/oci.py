"""OCI image archives from the plain folders that Buildah exports (`dir:`), with layers as they are.

Buildah itself compresses layers on the way into an archive; loading from a disk is quicker without.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

# Under the one containerd looks for the name, under the other one everybody else does.
NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


def pack(folder: Path, reference: str, archive: Path) -> None:
    """Write the archive of one image; equal folders give equal bytes."""
    manifest = (folder / "manifest.json").read_bytes()
    content = json.loads(manifest)
    digest = hashlib.sha256(manifest).hexdigest()
    entry = {
        "mediaType": content["mediaType"],
        "digest": f"sha256:{digest}",
        "size": len(manifest),
        "annotations": dict.fromkeys(NAME_ANNOTATIONS, reference),
    }
    blobs = sorted({blob["digest"].removeprefix("sha256:") for blob in [content["config"], *content["layers"]]})
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json({"schemaVersion": 2, "manifests": [entry]}))
        _add(tar, f"blobs/sha256/{digest}", manifest)
        for blob in blobs:
            information = tarfile.TarInfo(f"blobs/sha256/{blob}")
            information.size = (folder / blob).stat().st_size
            with (folder / blob).open("rb") as file:
                tar.addfile(information, file)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    information = tarfile.TarInfo(name)
    information.size = len(data)
    tar.addfile(information, io.BytesIO(data))


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
