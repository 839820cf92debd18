"""Image archives: written, read, and renamed on the way to containerd."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from hack.cluster import oci
from hack.cluster.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def image(tmp_path: Path) -> oci.Image:
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    return oci.Image("localhost/app:1", {"program": program}, {"Entrypoint": ["/program"]}, {"tmp": 0o1777})


def contents(archive: Path | io.BytesIO) -> dict[str, bytes]:
    stream = archive if isinstance(archive, io.BytesIO) else io.BytesIO(archive.read_bytes())
    with tarfile.open(fileobj=stream) as tar:
        return {m.name: found.read() for m in tar if (found := tar.extractfile(m)) is not None}


def archive_with(directory: Path, annotations: dict[str, str]) -> Path:
    target = directory / "by-somebody-else.tar"
    entry = {"digest": "sha256:1", "annotations": annotations}
    with tarfile.open(target, "w") as tar:
        data = json.dumps({"manifests": [entry]}).encode()
        for name, content in (("blobs/sha256/1", b"{}"), ("index.json", data)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target


def test_an_archive_is_consistent_and_reproducible(tmp_path: Path, image: oci.Image) -> None:
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    oci.write_archive(image, first)
    oci.write_archive(image, second)
    assert first.read_bytes() == second.read_bytes()
    files = contents(first)
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    manifest: dict[str, Any] = json.loads(files["blobs/sha256/" + oci.read_archive(first)[0].digest.partition(":")[2]])
    layer = files["blobs/sha256/" + manifest["layers"][0]["digest"].partition(":")[2]]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert {m.name: (m.mode, m.uid, m.mtime) for m in tar} == {"program": (0o755, 0, 0), "tmp": (0o1777, 0, 0)}
    config = json.loads(files["blobs/sha256/" + manifest["config"]["digest"].partition(":")[2]])
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_the_name_is_read_from_either_annotation(tmp_path: Path, image: oci.Image) -> None:
    oci.write_archive(image, tmp_path / "own.tar")
    assert [entry.reference for entry in oci.read_archive(tmp_path / "own.tar")] == ["localhost/app:1"]
    other = archive_with(tmp_path, {oci.REF_ANNOTATION: "localhost/other:2"})
    assert oci.read_archive(other) == [oci.ArchivedImage("localhost/other:2", "sha256:1")]


def test_containerd_gets_its_own_annotation(tmp_path: Path) -> None:
    other = archive_with(tmp_path, {oci.REF_ANNOTATION: "localhost/other:2"})
    sink = io.BytesIO()
    oci.copy_named(other, sink)
    copied = contents(io.BytesIO(sink.getvalue()))
    assert json.loads(copied["index.json"])["manifests"][0]["annotations"][oci.NAME_ANNOTATION] == "localhost/other:2"
    assert copied["blobs/sha256/1"] == b"{}"


@pytest.mark.parametrize("name", ["latest", "app:1", "localhost/app", "localhost:5000/app", ""])
def test_an_image_without_a_full_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClusterError, match="without a full name"):
        oci.read_archive(archive_with(tmp_path, {oci.REF_ANNOTATION: name}))


def test_what_is_no_archive_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("hello")
    with pytest.raises(ClusterError, match="is no OCI image archive"):
        oci.read_archive(tmp_path / "text.tar")
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(ClusterError, match="is no OCI image archive"):
        oci.read_archive(tmp_path / "empty.tar")
    with pytest.raises(ClusterError, match="does not exist"):
        oci.read_archive(tmp_path / "none.tar")
