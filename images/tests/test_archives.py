import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from images import oci, rootfs
from images.errors import ImageError
from images.settings import EPOCH


def exported(folder: Path, *layers: bytes) -> Path:
    """A folder as Buildah exports an image; of one layer used twice if none is given."""
    folder.mkdir()
    blobs = []
    for content in (b'{"os":"linux"}', *(layers or [b"not really a tar"] * 2)):
        digest = hashlib.sha256(content).hexdigest()
        (folder / digest).write_bytes(content)
        blobs.append({"digest": f"sha256:{digest}", "size": len(content)})
    manifest = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blobs[0],
        "layers": blobs[1:],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    return folder


def test_archive_names_the_image_and_every_blob_is_what_its_name_says(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    oci.pack(exported(tmp_path / "export"), "localhost/seatrial/redis:7", archive)
    with tarfile.open(archive) as tar:
        contents = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    index = json.loads(contents["index.json"])
    assert set(index["manifests"][0]["annotations"].values()) == {"localhost/seatrial/redis:7"}
    blobs = {name.removeprefix("blobs/sha256/"): data for name, data in contents.items() if name.startswith("blobs/")}
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in blobs.items())
    assert len(blobs) == 3
    assert index["manifests"][0]["digest"].removeprefix("sha256:") in blobs


def test_equal_images_give_equal_archives(tmp_path: Path) -> None:
    for name in ("a", "b"):
        oci.pack(exported(tmp_path / name), "localhost/seatrial/redis:7", tmp_path / f"{name}.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def layer(content: str) -> bytes:
    """A layer with one program."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("usr/bin/tool")
        member.size, member.mode = len(content), 0o755
        tar.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


def test_a_program_of_an_image_can_be_had(tmp_path: Path) -> None:
    """Of two layers that have it the upper one counts."""
    folder = exported(tmp_path / "export", layer("lower"), layer("upper"))
    oci.pack(folder, "localhost/seatrial/redis:7", tmp_path / "image.tar")
    oci.extract(tmp_path / "image.tar", "tool", tmp_path / "tool")
    assert (tmp_path / "tool").read_text() == "upper"
    assert (tmp_path / "tool").stat().st_mode & 0o777 == 0o755
    with pytest.raises(ImageError, match=r"image\.tar has no program other\."):
        oci.extract(tmp_path / "image.tar", "other", tmp_path / "other")


def test_root_filesystem_depends_on_names_modes_and_contents_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        root = tmp_path / name
        (root / "usr/bin").mkdir(parents=True)
        (root / "usr/bin/tool").write_text("tool")
        (root / "usr/bin/tool").chmod(0o755)
        (root / "bin").symlink_to("usr/bin")
        rootfs.write_tar(root, tmp_path / f"{name}.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = {member.name: member for member in tar}
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, EPOCH)}
    assert (members["bin"].linkname, members["usr/bin/tool"].mode) == ("usr/bin", 0o755)
