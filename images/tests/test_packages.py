"""Which packages the files of a base are from, on packages made here."""

import subprocess
from pathlib import Path

import pytest

from images import packages


def package(root: Path, name: str, version: str, *files: str) -> None:
    """A Debian package among those that were unpacked into root."""
    source = root.parent / name
    (source / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: x\n"
    (source / "DEBIAN/control").write_text(control)
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(name)
    archives = root / packages.ARCHIVES
    archives.mkdir(parents=True, exist_ok=True)
    target = archives / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", source, target], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    package(root, "libx1", "1.2-3", "lib/libx.so.1", "usr/share/doc/libx1/copyright")
    package(root, "tool", "4", "usr/bin/tool")
    package(root, "authorities", "5", "usr/share/authorities/a.crt")
    return root


def test_packages_of_which_there_is_a_file_are_described(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "usr/lib").mkdir(parents=True)
    (target / "lib").symlink_to("usr/lib")
    (target / "usr/lib/libx.so.1").write_text("x")
    packages.note(root, target)
    described = {path.name: path.read_text() for path in (target / packages.STATUS).iterdir()}
    assert list(described) == ["libx1"]
    assert "Version: 1.2-3\n" in described["libx1"]


def test_what_is_there_under_another_name_can_be_named(root: Path, tmp_path: Path) -> None:
    packages.note(root, tmp_path / "target", also=("authorities",))
    assert [path.name for path in (tmp_path / "target" / packages.STATUS).iterdir()] == ["authorities"]


def test_the_system_has_a_name(root: Path, tmp_path: Path) -> None:
    packages.note(root, tmp_path / "target")
    assert "ID=debian" in (tmp_path / "target/etc/os-release").read_text().splitlines()
