"""Picking files, on small folders made here; what is picked from real packages shows when the images run."""

from pathlib import Path

import pytest

from images.debian import Pick, identity, pick
from images.errors import ImageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A merged-usr folder with a loader that is only a name, since no file in it is a program."""
    root = tmp_path / "root"
    for folder in ("usr/bin", "usr/lib64", "usr/share/doc", "etc"):
        (root / folder).mkdir(parents=True)
    for link in ("bin", "lib64"):
        (root / link).symlink_to(f"usr/{link}")
    (root / "usr/lib64/ld-linux-x86-64.so.2").write_text("loader")
    (root / "usr/share/data").write_text("data")
    (root / "usr/share/alias").symlink_to("/usr/share/data")
    (root / "usr/share/dangling").symlink_to("/etc/nowhere")
    (root / "usr/share/doc/text").write_text("text")
    return root


def picked(root: Path, wanted: Pick) -> Path:
    target = root.parent / "target"
    target.mkdir()
    pick(root, wanted, target)
    return target


def test_folders_are_kept_without_what_is_dropped(root: Path) -> None:
    target = picked(root, Pick(packages=("p",), keep=("usr/share",), drop=("usr/share/doc",), links={"usr/bin/x": "y"}))
    share = target / "usr/share"
    assert {path.name for path in share.rglob("*")} == {"data", "alias"}
    assert (share / "alias").read_text() == "data"
    assert not (share / "alias").is_symlink()
    assert (target / "usr/bin/x").readlink() == Path("y")
    assert (target / "bin").readlink() == Path("usr/bin")


def test_pattern_without_match_is_an_error_that_names_both(root: Path) -> None:
    with pytest.raises(ImageError, match=r"no file of the Debian packages p, q matches 'usr/bin/absent'"):
        picked(root, Pick(packages=("p", "q"), keep=("usr/bin/absent",)))


def test_loop_of_links_is_an_error(root: Path) -> None:
    (root / "usr/share/a").symlink_to("b")
    (root / "usr/share/b").symlink_to("a")
    with pytest.raises(ImageError, match="loop of links"):
        picked(root, Pick(packages=("p",), keep=("usr/share",)))


def test_authorities_are_where_openssl_looks(root: Path) -> None:
    mozilla = root / "usr/share/ca-certificates/mozilla"
    mozilla.mkdir(parents=True)
    for name in ("b", "a"):
        (mozilla / f"{name}.crt").write_text(f"{name}\n")
    target = picked(root, Pick(packages=("p",), keep=("usr/share/data",), authorities=True))
    assert (target / "usr/lib/ssl/cert.pem").readlink() == Path("/etc/ssl/certs/ca-certificates.crt")
    assert (target / "etc/ssl/certs/ca-certificates.crt").read_text() == "a\nb\n"


def test_everybody_has_a_name() -> None:
    files = identity({"postgres": 70})
    assert "postgres:x:70:70:" in files["etc/passwd"]
    assert files["etc/passwd"].startswith("root:x:0:0:")
    assert "hosts: files dns" in files["etc/nsswitch.conf"]
