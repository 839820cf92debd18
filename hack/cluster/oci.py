"""Writing and reading OCI image archives, without a builder or a daemon."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from hack.cluster.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

NAME_ANNOTATION = "io.containerd.image.name"
REF_ANNOTATION = "org.opencontainers.image.ref.name"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """An image of one layer: files by their path inside it, and the OCI config (Entrypoint, User, Env, ...)."""

    reference: str
    files: dict[str, Path]  # all of them become executables owned by root
    config: dict[str, Any]
    directories: dict[str, int] = field(default_factory=dict)  # path -> mode


@dataclass(frozen=True)
class ArchivedImage:
    """What an archive says about one image in it."""

    reference: str
    digest: str


def write_archive(image: Image, target: Path) -> None:
    """Write `image` as an OCI archive, byte for byte the same for the same input."""
    layer = _layer(image)
    blobs: dict[str, bytes] = {}

    def add(media_type: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {
            "mediaType": f"application/vnd.oci.image.{media_type}",
            "digest": f"sha256:{digest}",
            "size": len(content),
        }

    layer_descriptor = add("layer.v1.tar", layer)
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": image.config,
        "rootfs": {"type": "layers", "diff_ids": [layer_descriptor["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": add("config.v1+json", _json(config)),
        "layers": [layer_descriptor],
    }
    entry = add("manifest.v1+json", _json(manifest)) | {"annotations": {NAME_ANNOTATION: image.reference}}
    partial = target.with_name(f"{target.name}.partial")
    with tarfile.open(partial, "w") as archive:
        _put(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _put(archive, "index.json", _json({"schemaVersion": 2, "manifests": [entry]}))
        for digest, content in sorted(blobs.items()):
            _put(archive, f"blobs/sha256/{digest}", content)
    partial.rename(target)


def read_archive(path: Path) -> list[ArchivedImage]:
    """The images in an archive, with their full names."""
    index = _index(path)
    found = []
    for entry in index.get("manifests", []):
        annotations = entry.get("annotations") or {}
        reference = annotations.get(NAME_ANNOTATION) or annotations.get(REF_ANNOTATION) or ""
        if "/" not in reference or ":" not in reference.rpartition("/")[2]:
            raise ClusterError(
                f"{path} holds an image without a full name (seen: {reference or 'none'}; expected, for example: "
                "localhost/app:1); name it when you write the archive: oci-archive:FILE:localhost/app:1"
            )
        found.append(ArchivedImage(reference, entry["digest"]))
    if not found:
        raise ClusterError(f"{path} holds no image")
    return found


def copy_named(path: Path, sink: IO[bytes]) -> None:
    """Copy an archive to `sink` with containerd's name annotation on every image."""
    index = _index(path)
    for entry in index.get("manifests", []):
        annotations = entry.setdefault("annotations", {})
        annotations.setdefault(NAME_ANNOTATION, annotations.get(REF_ANNOTATION, ""))
    with tarfile.open(path) as source, tarfile.open(fileobj=sink, mode="w|") as copy:
        for member in source:
            if member.name.removeprefix("./") == "index.json":
                _put(copy, "index.json", _json(index))
            else:
                copy.addfile(member, source.extractfile(member) if member.isfile() else None)


def _index(path: Path) -> dict[str, Any]:
    try:
        with tarfile.open(path) as archive:
            name = "index.json" if "index.json" in archive.getnames() else "./index.json"
            index: dict[str, Any] = json.loads(_content(archive, name))
            return index
    except FileNotFoundError:
        raise ClusterError(f"image archive {path} does not exist") from None
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise ClusterError(
            f"{path} is no OCI image archive ({error}); expected a tar file with an index.json"
        ) from None


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(name)
    return member.read()


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for name, mode in sorted(image.directories.items()):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            layer.addfile(directory)
        for name, source in sorted(image.files.items()):
            _put(layer, name, source.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _put(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
