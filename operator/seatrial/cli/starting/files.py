"""The text of testrun.yaml, of seatrial.toml and of a first test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION
from seatrial.cli.compose import convert, read_compose
from seatrial.cli.dump import dump_documents

if TYPE_CHECKING:
    from seatrial.cli.compose.notes import Note
    from seatrial.cli.starting.project import Project

MANIFEST = "testrun.yaml"
MAPPING = "seatrial.toml"
FIRST_TEST = "tests/test_first.py"
_FIRST_TEST = '''\
"""A first test: Redis is real, empty, and exists for this run alone. Every service tells its address in variables."""

import os
import socket

import pytest


@pytest.fixture
def ask():
    """Ask the run's Redis by its own protocol; a client library such as redis does the same."""
    address = (os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"]))
    with socket.create_connection(address, timeout=10) as connection, connection.makefile("rwb") as lines:

        def command(*words):
            lines.write(" ".join(words).encode() + b"\\r\\n")
            lines.flush()
            return lines.readline().decode().strip()

        assert command("AUTH", os.environ["REDIS_PASSWORD"]) == "+OK"
        yield command


def test_a_counter_starts_at_one(ask):
    assert ask("INCR", "visits") == ":1"
'''


def starting_files(project: Project) -> tuple[dict[str, str], list[Note]]:
    """Name -> text of every file, and what could not be taken over from a compose file."""
    if project.compose is not None:
        imported = convert(read_compose(project.compose), project.name)
        documents, notes = imported.documents, imported.notes
        told = f"Made from {project.compose.name} by `seatrial init`."
    else:
        documents, notes = _documents(project), []
        told = "Made by `seatrial init`."
    run = documents[-1]
    head = (
        f"# {told} On this machine: seatrial run {MANIFEST}\n"
        f"# On a cluster, once its :dev images are built: kubectl apply -f {MANIFEST}\n"
        f"# After a change: seatrial lint {MANIFEST}"
    )
    files = {MANIFEST: dump_documents(documents, head), MAPPING: _mapping(project, run["spec"])}
    if project.compose is None and not project.tests:
        files[FIRST_TEST] = _FIRST_TEST
    return files, notes


def _documents(project: Project) -> list[dict[str, Any]]:
    services: dict[str, Any] = {name: {} for name in project.services}
    if not project.tests:
        services.setdefault("redis", {})
    paths = [project.tests or str(Path(FIRST_TEST).parent)]
    spec: dict[str, Any] = {"services": services} if services else {}
    applications = _applications(project)
    if applications:
        spec["applications"] = applications
    suite = {"name": "tests", "image": f"{project.name}-tests:dev", "pytest": {"paths": paths}, "timeout": "5m"}
    spec["suites"] = [suite]
    return [{"apiVersion": API_VERSION, "kind": "TestRun", "metadata": {"name": project.name}, "spec": spec}]


def _applications(project: Project) -> list[dict[str, Any]]:
    """The image of the Dockerfile, where it tells a port: what listens nowhere is no application."""
    image = project.dockerfile
    if image is None or not image.ports:
        return []
    from seatrial.api.spec import RESERVED_NAMES

    name = f"{project.name[:36]}-app" if project.name in RESERVED_NAMES else project.name
    application: dict[str, Any] = {
        "name": name,
        "image": f"{project.name}:dev",
        "ports": [{"name": f"port-{number}", "port": number} for number in image.ports],
        "ready": {"tcp": {"port": f"port-{image.ports[0]}"}},
    }
    if image.user is not None:
        application["runAsUser"] = image.user
    return [application]


def _key(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _mapping(project: Project, spec: dict[str, Any]) -> str:
    """Which folder stands for which image when the run is local."""
    lines = [
        "# Which folder and which command of this machine stand for an image: for `seatrial run`, which builds none.",
        "# `{NAME}` in env stands for the port of that name on this machine.",
    ]
    command = project.dockerfile.command if project.dockerfile else ()
    for member in ("applications", "suites"):
        for item in spec.get(member, ()):
            image = item.get("image")
            if image is None or not image.endswith(":dev"):
                continue
            lines += ["", f"[images.{_key(image)}]", 'dir = "."']
            if member == "applications":
                known = project.compose is None and command
                lines.append(
                    f"command = {json.dumps(list(command), ensure_ascii=False)}"
                    if known
                    else '# command = ["python", "-m", "app"]  # what the image starts, relative to dir'
                )
    return "\n".join(lines) + "\n"
