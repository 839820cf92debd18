"""Building what has changed: keys decide, archives are the result."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from images import keys, pipconf
from images.builders import Builder, Job
from images.catalogue import IMAGES, Image, in_build_order, is_base
from images.errors import ImageError
from images.settings import REPOSITORY, Settings

ATTEMPTS = 3


@dataclass(frozen=True)
class Archive:
    """One image as a file. `id` is the digest of the image's configuration."""

    name: str
    reference: str
    key: str
    path: Path

    @property
    def exists(self) -> bool:
        return self.path.is_file()

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size


class SourcesChangedError(ImageError):
    """Somebody edits what is being built; the key would not say what is in the image."""


class Workshop:
    """Keys, archives and builds of one set of settings."""

    def __init__(self, settings: Settings, builder: Builder, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._builder = builder
        self._say = say
        self._keys: dict[str, str] = {}
        self._prepared = False

    def key(self, image: Image) -> str:
        """What the image depends on, all the way down to its bases."""
        if image.name not in self._keys:
            self._keys[image.name] = self._digest(image, REPOSITORY)
        return self._keys[image.name]

    def _digest(self, image: Image, root: Path) -> str:
        parts = {"builder": self._settings.builder, "format": "oci", "dockerfile": image.dockerfile}
        parts |= {f"argument {name}": value for name, value in image.arguments.items()}
        parts |= {f"base {argument}": self._reference_of(base) for argument, base in image.bases.items()}
        return keys.digest(parts, root, (image.folder, *image.inputs))

    def archive(self, image: Image) -> Archive:
        key = self.key(image)
        path = self._settings.archives / f"{image.name}-{image.tag}-{key}.tar"
        return Archive(image.name, image.reference(self._settings.prefix), key, path)

    def archives(self, names: list[str]) -> list[Archive]:
        """The archives of the named images, or of all; whether they exist is for the caller to see."""
        chosen = [image for image in in_build_order(names) if image.name in names or not names]
        return [self.archive(image) for image in chosen if image.archived]

    def build(self, names: list[str]) -> list[Archive]:
        """Build what is missing and return the archives of the named images, or of all."""
        wanted = self.archives(names)
        if all(archive.exists for archive in wanted):
            return wanted
        with self._locked():
            self._keys.clear()  # sources may have changed while another build had its turn
            for attempt in range(ATTEMPTS):
                try:
                    wanted = self._make_missing(names)
                    break
                except SourcesChangedError as change:
                    if attempt + 1 == ATTEMPTS:
                        raise
                    self._say(f"{change} Starting again with what is there now.")
                    self._keys.clear()
            self._prune(wanted)
        return wanted

    def _make_missing(self, names: list[str]) -> list[Archive]:
        wanted = self.archives(names)
        for archive in wanted:
            if not archive.exists:
                self._make(IMAGES[archive.name], archive)
        return wanted

    def _make(self, image: Image, archive: Archive) -> None:
        self._settings.archives.mkdir(parents=True, exist_ok=True)
        source = self._build(image)
        with TemporaryDirectory(dir=self._settings.cache, prefix="saving-") as folder:
            new = Path(folder) / archive.path.name
            self._builder.save(source, archive.reference, new)
            new.rename(archive.path)

    def _build(self, image: Image) -> str:
        """Build the image in the builder's storage, with what it is built on; returns its reference there."""
        if not self._prepared:
            self._builder.prepare()
            self._prepared = True
        reference = self._keyed(image)
        if reference in self._builder.references():
            return reference
        arguments = dict(image.arguments)
        for argument, base in image.bases.items():
            self._make_base(base)
            arguments[argument] = self._reference_of(base)
        started = time.monotonic()
        with TemporaryDirectory(dir=self._settings.cache, prefix="context-") as folder:
            context, private = Path(folder) / "context", Path(folder) / "secrets"
            keys.stage(REPOSITORY, (image.folder, *image.inputs), context)
            if self._digest(image, context) != self.key(image):
                raise SourcesChangedError(f"{image.name}: its sources were changed while images were being built.")
            secrets = pipconf.secrets(private) if image.network else {}
            dockerfile = context / image.folder / "Dockerfile"
            self._builder.build(Job(reference, dockerfile, context, arguments, secrets, image.network))
        self._say(f"{image.name}: built in {time.monotonic() - started:.1f} s")
        return reference

    def _reference_of(self, base: str) -> str:
        """What FROM names: a base, or another image in the builder's storage."""
        return self._builder.base(base.removesuffix("-base")) if is_base(base) else self._keyed(IMAGES[base])

    def _make_base(self, base: str) -> None:
        if not is_base(base):
            self._build(IMAGES[base])
            return
        started = time.monotonic()
        self._builder.make_base(base.removesuffix("-base"))
        if (seconds := time.monotonic() - started) > 1:
            self._say(f"{base}: made in {seconds:.1f} s")

    def _keyed(self, image: Image) -> str:
        return f"{self._settings.prefix}/{image.name}:key-{self.key(image)}"

    def _prune(self, built: list[Archive]) -> None:
        """Remove what was replaced: older archives of the same images, older images in the builder's storage."""
        for archive in built:
            pattern = archive.path.name.replace(archive.key, "?" * keys.KEY_LENGTH)
            for path in self._settings.archives.glob(pattern):
                if path != archive.path:
                    path.unlink()
        images = [IMAGES[name] for name in self._keys]
        bases = {base for image in images for base in image.bases.values()}
        current = {self._keyed(image) for image in images} | {self._reference_of(base) for base in bases}
        names = {reference.partition(":key-")[0] for reference in current if ":key-" in reference}
        stored = [ref for ref in self._builder.references() if ref.partition(":key-")[0] in names]
        self._builder.remove(ref for ref in reversed(stored) if ref not in current)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One build at a time: builds share the storage."""
        self._settings.cache.mkdir(parents=True, exist_ok=True)
        with (self._settings.cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
