"""A compose file as it stands: read, interpolated, each service as a plain mapping."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.cli.compose.interpolate import Interpolator, parse_env
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.nodes import Document, UnreadableError, read_documents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ComposeFile:
    """A compose file."""

    path: Path
    project: str
    services: dict[str, dict[str, Any]]
    unset: frozenset[str]
    """Variables that are used and known nowhere."""
    other: tuple[str, ...]
    """Top-level elements that are none of services, volumes, networks and the like."""


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """A file that a compose file names. Raises CliError."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise CliError(f"{path} is larger than {limit // 1024} KiB", Exit.USAGE)
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CliError(f"{path} cannot be read: {why or error}") from None


def read_compose(path: Path, environment: Mapping[str, str] | None = None) -> ComposeFile:
    """Read a compose file and the `.env` beside it. Raises CliError with file, line and what is wrong."""
    try:
        documents = list(read_documents(read_text(path)))
    except UnreadableError as error:
        line, column = error.position
        raise CliError(f"{path}:{line}:{column}: {error}", Exit.USAGE) from None
    if len(documents) != 1 or not isinstance(documents[0].value, dict):
        raise CliError(f"{path}: is no compose file: expected one mapping with services", Exit.USAGE)
    document = documents[0]
    for key, again, first in document.duplicates:
        name = ".".join(map(str, key))
        raise CliError(f"{path}:{again[0]}: {name} is there twice, first in line {first[0]}: keep one", Exit.USAGE)
    variables = dict(os.environ if environment is None else environment)
    beside = path.parent / ".env"
    if beside.is_file():
        variables = parse_env(read_text(beside)) | variables
    interpolator = Interpolator(variables, path)
    body = interpolator.apply(document.value)
    services = _services(path, document, body)
    known = {"services", "version", "name", "volumes", "networks"}
    project = str(body.get("name") or path.absolute().parent.name)
    other = tuple(key for key in body if key not in known and not key.startswith("x-"))
    return ComposeFile(path, project, services, frozenset(interpolator.unset), other)


def _services(path: Path, document: Document, body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    services = body.get("services")
    if not isinstance(services, dict) or not services:
        line = document.position_of(("services",))[0]
        raise CliError(f"{path}:{line}: services: expected a mapping with at least one service", Exit.USAGE)
    found = {}
    for name, service in services.items():
        if service is not None and not isinstance(service, dict):
            line = document.position_of(("services", name))[0]
            raise CliError(f"{path}:{line}: services.{name}: must be a mapping", Exit.USAGE)
        found[name] = _extended(path, name, services, set())
    return found


def _extended(path: Path, name: str, services: dict[str, Any], seen: set[str]) -> dict[str, Any]:
    """A service with what it extends, of the same file."""
    service = dict(services.get(name) or {})
    extends = service.get("extends")
    base = extends.get("service") if isinstance(extends, dict) and not extends.get("file") else extends
    if not isinstance(base, str) or base not in services:
        return service
    if base in seen:
        raise CliError(f"{path}: services.{name}.extends: leads back to {base}", Exit.USAGE)
    inherited = _extended(path, base, services, seen | {name})
    service.pop("extends")
    merged = {**inherited, **service}
    for key in ("environment", "labels"):
        if isinstance(inherited.get(key), dict) and isinstance(service.get(key), dict):
            merged[key] = inherited[key] | service[key]
    for key in ("ports", "volumes", "expose"):
        if isinstance(inherited.get(key), list) and isinstance(service.get(key), list):
            merged[key] = inherited[key] + service[key]
    return merged
