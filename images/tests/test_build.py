"""What is built, kept and removed; the builder here only remembers what it is asked for."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from images import build, catalogue
from images.build import Archive, SourcesChangedError, Workshop
from images.builders import Job
from images.catalogue import Image
from images.settings import Settings


class Recorder:
    """A builder whose images are names."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.built: list[str] = []
        self.edit: Path | None = None

    def prepare(self) -> None: ...

    def base(self, name: str) -> str:
        return f"base/{name}:key-0"

    def make_base(self, name: str) -> None:
        if self.edit:
            self.edit.write_text(f"{self.edit.read_text()} edited while {name} was made")

    def references(self) -> list[str]:
        return list(self.stored)

    def build(self, job: Job) -> None:
        assert job.dockerfile.is_file()
        self.stored.append(job.reference)
        self.built.append(job.reference.rpartition("/")[2].partition(":")[0])

    def save(self, source: str, reference: str, archive: Path) -> None:
        archive.write_text(f"{source} as {reference}")

    def remove(self, references: Iterable[str]) -> None:
        for reference in list(references):
            self.stored.remove(reference)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.cache = folder / "cache"
        self.builder = Recorder()
        self.said: list[str] = []
        for name in ("lower", "upper"):
            (self.repository / "images" / name).mkdir(parents=True)
            (self.repository / "images" / name / "Dockerfile").write_text(f"FROM what {name} stands on")

    def run(self, *names: str) -> list[Archive]:
        self.builder.built.clear()
        workshop = Workshop(Settings("here", self.cache, "buildah"), self.builder, self.said.append)
        return workshop.build(list(names))

    def edit(self, name: str) -> None:
        with (self.repository / "images" / name / "Dockerfile").open("a") as file:
            file.write("\n# edited")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(tmp_path)
    images = {
        "lower": Image("lower", "1", "lower", {"BASE": "redis-base"}, archived=False),
        "upper": Image("upper", "2", "upper", {"BASE": "lower"}),
    }
    for module in (build, catalogue):
        monkeypatch.setattr(module, "IMAGES", images)
    monkeypatch.setattr(build, "REPOSITORY", bench.repository)
    return bench


def test_images_are_built_once_and_in_order(bench: Bench) -> None:
    (archive,) = bench.run()
    assert bench.builder.built == ["lower", "upper"]
    assert (archive.reference, archive.path.name) == ("here/upper:2", f"upper-2-{archive.key}.tar")
    assert archive.path.read_text() == f"here/upper:key-{archive.key} as here/upper:2"
    assert bench.run() == [archive]
    assert bench.builder.built == []


def test_change_above_leaves_what_is_below(bench: Bench) -> None:
    bench.run()
    bench.edit("upper")
    bench.run()
    assert bench.builder.built == ["upper"]


def test_change_below_rebuilds_what_is_above_and_removes_what_it_replaces(bench: Bench) -> None:
    (old,) = bench.run()
    bench.edit("lower")
    (new,) = bench.run()
    assert bench.builder.built == ["lower", "upper"]
    assert new.key != old.key
    assert [path.name for path in new.path.parent.iterdir()] == [new.path.name]
    assert len(bench.builder.stored) == 2


def test_archive_that_was_lost_is_written_again_without_a_build(bench: Bench) -> None:
    (archive,) = bench.run()
    archive.path.unlink()
    bench.run("upper")
    assert bench.builder.built == []
    assert archive.exists


def test_edit_during_a_build_starts_it_again(bench: Bench) -> None:
    bench.run()
    bench.edit("lower")
    source = bench.repository / "images/lower/Dockerfile"
    bench.builder.edit = source
    with pytest.raises(SourcesChangedError, match="lower: its sources were changed"):
        bench.run()
    assert bench.said
    bench.builder.edit = None
    (archive,) = bench.run()
    assert archive.exists
