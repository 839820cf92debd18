"""The two builders behind one small interface: Buildah on local bases, and Docker on public ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from images import keys, oci, rootfs
from images.bases import BASES
from images.command import run
from images.errors import ImageError
from images.settings import EPOCH, REPOSITORY, Settings
from images.tools import ensure

# Chroot isolation shares the machine's network, where a port may be taken: a build that needs none gets a private one.
OWN_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")

STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{cache}/storage"
runroot = "{cache}/run"
"""


@dataclass(frozen=True)
class Job:
    """One Dockerfile with everything that decides what comes out of it."""

    reference: str
    dockerfile: Path
    context: Path
    arguments: Mapping[str, str]
    secrets: Mapping[str, Path]
    network: bool

    def options(self) -> list[str]:
        """The options that both builders spell alike."""
        words = ["--quiet", "--file", str(self.dockerfile), "--tag", self.reference]
        for name, value in sorted(self.arguments.items()):
            words += ["--build-arg", f"{name}={value}"]
        for name, path in sorted(self.secrets.items()):
            words += ["--secret", f"id={name},src={path}"]
        return words


class Builder(Protocol):
    """What the workshop asks of Buildah or Docker; every failure is an ImageError."""

    def prepare(self) -> None:
        """Make sure that the builder itself works; called once, before the first build."""

    def base(self, name: str) -> str:
        """The reference of a base for FROM; it names what the base is made of, so it changes when that does."""

    def make_base(self, name: str) -> None:
        """Make the base if it is made here and not there yet."""

    def references(self) -> list[str]: ...

    def build(self, job: Job) -> None: ...

    def save(self, source: str, reference: str, archive: Path) -> None: ...

    def remove(self, references: Iterable[str]) -> None:
        """Remove these images and whatever nothing needs any more."""


class Docker:
    """Public bases, a running daemon."""

    def prepare(self) -> None:
        run(["docker", "version"], doing="reach the Docker daemon (BUILDER=buildah builds without it)")

    def base(self, name: str) -> str:
        return BASES[name].public

    def make_base(self, name: str) -> None:
        """Docker pulls it."""

    def references(self) -> list[str]:
        return run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"], doing="list Docker's images").split()

    def build(self, job: Job) -> None:
        run(self.build_command(job), doing=f"build {job.dockerfile}", environment={"DOCKER_BUILDKIT": "1"})

    @staticmethod
    def build_command(job: Job) -> list[str]:
        network = [] if job.network else ["--network", "none"]
        return ["docker", "build", *network, *job.options(), str(job.context)]

    def save(self, source: str, reference: str, archive: Path) -> None:
        run(["docker", "tag", source, reference], doing=f"tag {reference}")
        run(["docker", "save", "--output", str(archive), reference], doing=f"save {reference}")

    def remove(self, references: Iterable[str]) -> None:
        for reference in references:
            run(["docker", "rmi", reference], doing=f"remove {reference}")


class Buildah:
    """Local bases, no daemon; a storage of its own below the cache, apart from the machine's other images."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._scratch = settings.cache / "tmp"

    def prepare(self) -> None:
        ensure(["buildah", "unshare", "ip"])
        self._scratch.mkdir(parents=True, exist_ok=True)
        (self._settings.cache / "storage.conf").write_text(STORAGE.format(cache=self._settings.cache))

    def _call(self, command: list[str], *, doing: str) -> str:
        configuration = self._settings.cache / "storage.conf"
        environment = {"CONTAINERS_STORAGE_CONF": str(configuration), "TMPDIR": str(self._scratch)}
        return run(command, doing=doing, environment=environment).strip()

    def base(self, name: str) -> str:
        base = BASES[name]
        parts = {"recipe": base.recipe, "environment": repr(sorted(base.environment.items()))}
        return f"{self._settings.prefix}/base-{name}:key-{keys.digest(parts, REPOSITORY, base.inputs)}"

    def make_base(self, name: str) -> None:
        base, reference = BASES[name], self.base(name)
        if reference in self.references():
            return
        ensure(base.needs)
        with TemporaryDirectory(dir=self._scratch, prefix=f"{base.name}-") as folder:
            root, scratch, archive = (Path(folder) / part for part in ("root", "scratch", "root.tar"))
            root.mkdir()
            scratch.mkdir()
            base.fill(root, scratch)
            rootfs.write_tar(root, archive)
            container = self._call(["buildah", "from", "scratch"], doing=f"begin the base {base.name}")
            try:
                add = ["buildah", "add", "--quiet", container, str(archive), "/"]
                self._call(add, doing=f"fill the base {base.name}")
                self._call(self.configure_command(container, base.environment), doing=f"configure the base {base.name}")
                commit = ["buildah", "commit", "--quiet", "--timestamp", str(EPOCH), container, reference]
                self._call(commit, doing=f"commit the base {base.name}")
            finally:
                self._call(["buildah", "rm", container], doing=f"tidy up after the base {base.name}")

    @staticmethod
    def configure_command(container: str, environment: Mapping[str, str]) -> list[str]:
        words = [word for name, value in sorted(environment.items()) for word in ("--env", f"{name}={value}")]
        return ["buildah", "config", *words, container]

    def references(self) -> list[str]:
        listing = ["buildah", "images", "--format", "{{.Name}}:{{.Tag}}"]
        return self._call(listing, doing="list the images in storage").split()

    def build(self, job: Job) -> None:
        self._call(self.build_command(job), doing=f"build {job.dockerfile}")

    @staticmethod
    def build_command(job: Job) -> list[str]:
        own = [] if job.network else OWN_NETWORK
        fixed = ["--layers", "--isolation", "chroot", "--pull-never", "--timestamp", str(EPOCH)]
        return [*own, "buildah", "bud", *fixed, *job.options(), str(job.context)]

    def save(self, source: str, reference: str, archive: Path) -> None:
        with TemporaryDirectory(dir=self._scratch, prefix="export-") as folder:
            command = ["buildah", "push", "--quiet", "--disable-compression", source, f"dir:{folder}"]
            self._call(command, doing=f"export {reference}")
            oci.pack(Path(folder), reference, archive)

    def remove(self, references: Iterable[str]) -> None:
        self._call(["buildah", "rm", "--all"], doing="remove the containers of failed builds")
        for reference in references:
            try:
                self._call(["buildah", "rmi", reference], doing=f"remove {reference}")
            except ImageError:  # something is still built on it; the next build that replaces that removes both
                continue
        self._call(["buildah", "rmi", "--prune"], doing="remove unused layers")


def builder_for(settings: Settings) -> Builder:
    return Docker() if settings.builder == "docker" else Buildah(settings)
