"""What a project's folder tells: its name, tests, image, compose file, and the services that it has clients for."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.cli.compose.convert import dns_label

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_SKIPPED = {"node_modules", "venv", "site-packages", "build", "dist", "__pycache__"}
_MAX_FOLDERS = 2000
_MAX_BYTES = 500_000
MAX_PORT = 65535
_CLIENTS = {
    "kafka": r"aiokafka|kafka-python|confluent-kafka|faust|spring-kafka|kafkajs|sarama",
    "redis": r"redis|valkey|aioredis|coredis",
    "postgres": r"asyncpg|psycopg\w*|pg8000|postgres\w*",
    "influxdb": r"influxdb\w*|influxdb-client",
}
_DEPENDENCIES = (
    "pyproject.toml",
    "requirements*.txt",
    "requirements/*.txt",
    "requirements/*.in",
    "Pipfile",
    "setup.cfg",
)


@dataclass(frozen=True)
class Dockerfile:
    """What an image says about itself."""

    ports: tuple[int, ...]
    command: tuple[str, ...]
    user: int | None


@dataclass(frozen=True)
class Project:
    """What was found in a folder."""

    folder: Path
    name: str
    tests: str
    """The folder or file of its pytest files, relative; empty where there are none."""
    dockerfile: Dockerfile | None
    compose: Path | None
    services: tuple[str, ...]


def look_at(folder: Path) -> Project:
    """Look at a folder; nothing in it is run."""
    dockerfile = folder / "Dockerfile"
    return Project(
        folder=folder,
        name=dns_label(folder.absolute().name, "run"),
        tests=_tests(folder),
        dockerfile=_dockerfile(_read(dockerfile)) if dockerfile.is_file() else None,
        compose=next((folder / name for name in COMPOSE_FILES if (folder / name).is_file()), None),
        services=_services(folder),
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _tests(folder: Path) -> str:
    """The folder that holds all pytest files, relative; the nearest ones count."""
    waiting, seen = [folder], 0
    found: list[Path] = []
    while waiting and seen < _MAX_FOLDERS and not found:
        following: list[Path] = []
        for place in waiting:
            seen += 1
            try:
                items = sorted(place.iterdir())
            except OSError:
                continue
            found += [item for item in items if re.fullmatch(r"test_.*\.py|.*_test\.py", item.name) and item.is_file()]
            following += [
                item
                for item in items
                if item.is_dir()
                and not item.is_symlink()
                and not item.name.startswith(".")
                and item.name not in _SKIPPED
            ]
        waiting = following
    if not found:
        return ""
    first = found[0].parent.relative_to(folder)
    top = next((part for part in first.parts if part in {"tests", "test"}), None)
    parts = first.parts[: first.parts.index(top) + 1] if top else first.parts
    return "/".join(parts) or "."


def _services(folder: Path) -> tuple[str, ...]:
    text = "\n".join(_read(path) for pattern in _DEPENDENCIES for path in sorted(folder.glob(pattern))).lower()
    return tuple(name for name, pattern in _CLIENTS.items() if re.search(rf"(?<![\w-])(?:{pattern})(?![\w-])", text))


def _dockerfile(text: str) -> Dockerfile:
    ports: list[int] = []
    entrypoint: list[str] = []
    command: list[str] = []
    user = None
    for line in re.sub(r"\\\s*\n", " ", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        match word.upper():
            case "FROM":  # of several stages the last one is the image
                ports, entrypoint, command, user = [], [], [], None
            case "EXPOSE":
                ports += [
                    int(item)
                    for item in re.findall(r"(?<![\w-])(\d{1,5})(?:/tcp)?(?![\w/-])", rest)
                    if 0 < int(item) <= MAX_PORT
                ]
            case "ENTRYPOINT":
                entrypoint, command = _words(rest), []
            case "CMD":
                command = _words(rest)
            case "USER":
                number = rest.partition(":")[0]
                user = int(number) if number.isdecimal() and 0 < int(number) < 2**31 else None
            case _:
                pass
    return Dockerfile(tuple(dict.fromkeys(ports))[:16], tuple(entrypoint + command), user)


def _words(text: str) -> list[str]:
    if text.startswith("["):
        try:
            return [str(item) for item in json.loads(text)]
        except ValueError:
            return []
    try:
        return shlex.split(text)
    except ValueError:
        return []
