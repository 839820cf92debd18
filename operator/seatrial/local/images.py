"""Which folder and which command of this machine stand for an image: `seatrial.toml`, or `--map IMAGE=DIR`."""

from __future__ import annotations

import base64
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seatrial.errors import SeatrialError

Object = dict[str, Any]

FILE = "seatrial.toml"


class MappingError(SeatrialError):
    """The mapping is wrong, or has nothing for an image."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Image(_Strict):
    """What stands for an image. `dir` is relative to the file; without it Docker runs the image itself."""

    dir: str = ""
    command: Annotated[tuple[str, ...], Field(min_length=0)] = ()
    python: str = ""
    env: dict[str, str] = {}


class _File(_Strict):
    images: dict[str, _Image] = {}
    configmaps: dict[str, str] = {}


@dataclass(frozen=True)
class LocalImage:
    """A folder that stands for an image."""

    name: str
    folder: Path
    """The working directory; an absolute path of the image that is not there is looked for below it."""
    command: tuple[str, ...] = ()
    """In the place of the image's own; `command` of the manifest comes first."""
    python: str = ""
    """The interpreter of a pytest suite; else that of the folder's `.venv`, else the one that runs Seatrial."""
    env: tuple[tuple[str, str], ...] = ()
    """More variables. `{NAME}` stands for the port of that name on this machine."""

    @property
    def interpreter(self) -> str | None:
        """The Python of the image, if it has one of its own."""
        if self.python:
            return str(self.folder / self.python) if "/" in self.python else self.python
        own = self.folder / ".venv" / "bin" / "python"
        return str(own) if own.exists() else None


@dataclass(frozen=True)
class LocalMapping:
    """All that stands for images, and for ConfigMaps that the manifest's file does not hold."""

    images: tuple[LocalImage, ...] = ()
    config_maps: tuple[tuple[str, Path], ...] = ()
    themselves: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """Images that Docker runs, and variables for them."""

    def has(self, image: str) -> bool:
        """Whether a folder stands for an image."""
        return any(_fits(entry.name, image) for entry in self.images)

    def variables(self, image: str) -> tuple[tuple[str, str], ...]:
        """Variables of an image that Docker runs. `{NAME}` stands for the port of that name on this machine."""
        return next((env for name, env in self.themselves if _fits(name, image)), ())

    def find(self, image: str, what: str) -> LocalImage:
        """What stands for an image; the first that fits, patterns as a shell knows them. Raises MappingError."""
        for entry in self.images:
            if _fits(entry.name, image):
                return entry
        known = ", ".join(entry.name for entry in self.images) or "nothing"
        raise MappingError(
            f"{what}: no folder of this machine stands for the image {image}; known: {known}. "
            f'Write into {FILE}: [images."{image}"] dir = "FOLDER", or give --map {image}=FOLDER'
        )

    def objects(self) -> tuple[Object, ...]:
        """The ConfigMaps, each of the files of its folder."""
        return tuple(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **_content(folder)}
            for name, folder in self.config_maps
        )

    def plus(self, other: LocalMapping) -> LocalMapping:
        """Both; this one's entries come first."""
        return LocalMapping(
            self.images + other.images, self.config_maps + other.config_maps, self.themselves + other.themselves
        )


def _fits(pattern: str, image: str) -> bool:
    return pattern == image or fnmatchcase(image, pattern)


def load_mapping(path: Path) -> LocalMapping:
    """Read seatrial.toml. Raises MappingError with the file's name and what is wrong."""
    try:
        data = _File.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise MappingError(f"{path}: {what}") from None
    images = tuple(
        LocalImage(name, _folder(path, name, item.dir), item.command, item.python, tuple(item.env.items()))
        for name, item in data.images.items()
        if item.dir
    )
    themselves = tuple((name, tuple(item.env.items())) for name, item in data.images.items() if not item.dir)
    for name, item in data.images.items():
        if not item.dir and (item.command or item.python or not item.env):
            raise MappingError(
                f"{path}: images.{name}: without dir Docker runs the image itself, and there is only env to give; "
                "with dir a folder stands for it"
            )
    maps = tuple((name, _folder(path, name, folder)) for name, folder in data.configmaps.items())
    return LocalMapping(images, maps, themselves)


def find_mapping(start: Path) -> LocalMapping:
    """The mapping of the nearest seatrial.toml in a folder or above it; an empty one when there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return load_mapping(folder / FILE)
    return LocalMapping()


def parse_option(text: str) -> LocalMapping:
    """`IMAGE=DIR`. Raises MappingError."""
    image, mark, folder = text.rpartition("=")
    if not mark or not image or not folder:
        raise MappingError(f"--map {text!r}: expected IMAGE=DIR")
    return LocalMapping((LocalImage(image, _folder(Path(FILE), image, folder)),))


def parse_config_map(text: str) -> LocalMapping:
    """`NAME=DIR`. Raises MappingError."""
    name, mark, folder = text.partition("=")
    if not mark or not name or not folder:
        raise MappingError(f"--configmap {text!r}: expected NAME=DIR")
    return LocalMapping(config_maps=((name, _folder(Path(FILE), name, folder)),))


def _content(folder: Path) -> Object:
    """Files as `kubectl create configmap --from-file` takes them."""
    try:
        files = [folder] if folder.is_file() else sorted(path for path in folder.iterdir() if path.is_file())
        packed = {path.name: base64.b64encode(path.read_bytes()).decode() for path in files}
    except OSError as error:
        raise MappingError(f"{error.filename or folder} cannot be read: {error.strerror or error}") from None
    return {"binaryData": packed}


def _folder(file: Path, name: str, folder: str) -> Path:
    path = (file.parent / folder).expanduser().resolve()
    if not path.exists():
        raise MappingError(f"{file}: {name}: {path} does not exist")
    return path
