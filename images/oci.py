"""OCI image archives: written from the plain folders that Buildah exports (`dir:`), with layers as they are.

Buildah itself compresses layers on the way into an archive; loading from a disk is quicker without.
"""

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import IO, Any

from images.errors import ImageError

# Under the one containerd looks for the name, under the other one everybody else does.
NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
PROGRAM_FOLDERS = ("usr/local/bin", "usr/bin", "bin")


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


def extract(archive: Path, program: str, target: Path) -> None:
    """Write one program of an image to a file. Raises ImageError when the image has none of that name."""
    names = {f"{folder}/{program}" for folder in PROGRAM_FOLDERS}
    with tarfile.open(archive) as image:
        document = json.load(_member(image, "index.json"))
        while "manifests" in document:
            document = json.load(_blob(image, document["manifests"][0]))
        for layer in reversed(document["layers"]):  # of two layers with the same file the upper one counts
            with tarfile.open(fileobj=_blob(image, layer)) as files:
                for name in names.intersection(files.getnames()):
                    with target.open("wb") as file:
                        shutil.copyfileobj(_member(files, name), file)
                    target.chmod(0o755)
                    return
    raise ImageError(f"{archive.name} has no program {program}.")


def _blob(image: tarfile.TarFile, descriptor: Any) -> IO[bytes]:
    return _member(image, f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}")


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise ImageError(f"{name} is no regular file.")
    return file


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    information = tarfile.TarInfo(name)
    information.size = len(data)
    tar.addfile(information, io.BytesIO(data))


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
