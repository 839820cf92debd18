"""The bills of materials of the built images: complete, as far as can be known from elsewhere."""

from __future__ import annotations

import json
import re
import tarfile
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from packaging.markers import Marker

from hack.supply.locks import REQUIREMENTS, read
from hack.supply.sbom import ROOT, archives, describe_once, packages
from images.catalogue import IMAGES

if TYPE_CHECKING:
    from images.build import Archive

pytestmark = pytest.mark.sbom

PAGE = ROOT / "docs" / "supply-chain.md"
NAMES = sorted(name for name, image in IMAGES.items() if image.archived)
LOCKS = {
    name: IMAGES[IMAGES[name].bases["BASE"]].arguments["LOCK"]
    for name in NAMES
    if "LOCK" in getattr(IMAGES.get(IMAGES[name].bases["BASE"]), "arguments", {})
}
"""Image -> the lock file of its environment, for each that is built right on one."""
ROW = re.compile(r"^\| `(?P<name>[a-z-]+)` \| (?P<seen>\d+) \| (?P<most>\d+) \|", re.MULTILINE)
SIZES = {row["name"]: (int(row["seen"]), int(row["most"])) for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
"""Image -> what it has and may have at most, in MB, its layers not compressed.

It is pulled to every node: whoever makes one bigger should know it."""


@cache
def archive_of(name: str) -> Archive:
    return archives([name])[0]


@cache
def components(name: str) -> dict[str, set[str]]:
    document = describe_once(archive_of(name))
    assert document["bomFormat"] == "CycloneDX"
    found: dict[str, set[str]] = {}
    for package, versions in packages(document).items():
        found.setdefault(re.sub(r"[-_.]+", "-", package).lower(), set()).update(versions)
    return found


def test_every_environment_is_compared_with_its_lock() -> None:
    locked = {image.arguments["LOCK"] for image in IMAGES.values() if "LOCK" in image.arguments}
    assert set(LOCKS.values()) == locked


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_is_listed_with_its_version(name: str) -> None:
    environment = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux"}
    for pin in read(REQUIREMENTS / f"{LOCKS[name]}.lock"):
        if not pin.marker or Marker(pin.marker).evaluate(environment):
            assert pin.version in components(name).get(pin.name, set()), pin


@pytest.mark.parametrize(
    ("name", "package"),
    [("seatrial", "seatrial"), ("suite", "pytest-seatrial"), ("kafka", "kafka-clients"), ("influxdb", "stdlib")],
)
def test_what_an_image_is_for_is_listed(name: str, package: str) -> None:
    assert components(name).get(package), sorted(components(name))


def configuration(archive: Archive) -> dict[str, Any]:
    with tarfile.open(archive.path) as tar:

        def read_json(path: str) -> dict[str, Any]:
            file = tar.extractfile(path)
            assert file is not None, path
            return dict(json.load(file))

        def blob(descriptor: dict[str, Any]) -> dict[str, Any]:
            return read_json("blobs/" + descriptor["digest"].replace(":", "/"))

        manifest = blob(read_json("index.json")["manifests"][0])
        return dict(blob(manifest["config"])["config"])


@pytest.mark.parametrize("name", NAMES)
def test_no_image_runs_as_root(name: str) -> None:
    user = configuration(archive_of(name))["User"]
    assert re.fullmatch(r"[1-9][0-9]*(:[1-9][0-9]*)?", user), f"{user!r} is not a number above 0, as Pod Security asks"


@pytest.mark.parametrize("name", NAMES)
def test_no_image_has_grown(name: str) -> None:
    megabytes, (seen, most) = archive_of(name).bytes / 1e6, SIZES[name]
    assert megabytes <= most, f"{PAGE} says at most {most} MB"
    assert abs(megabytes - seen) <= max(10, seen / 5), f"{PAGE} says {seen} MB"


def test_every_image_has_a_bound() -> None:
    assert sorted(SIZES) == NAMES
