"""Servers, applications and suites as containers, on a real daemon.

It is the one that answers on this machine, else one that is started here (as root on Linux).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hack.dockerd import Daemon, daemon, running
from tests.integration.local_machine import DEADLINE_SECONDS, EXAMPLES, ROOT, Machine, ended, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

PYTHON_IMAGE = "localhost/seatrial/position-manager-tests:dev"
IMAGES = {
    "position-manager": (),
    "position-manager-tests": (),
    "redis": ("redis:7-alpine",),
    "influxdb": ("influxdb:2.7",),
}
"""What is built here stands for the public images that the providers ask for."""

ADD_XML = "<testsuite><testcase classname='it' name='is_reached'/></testsuite>"
ASK = f"""
import os, urllib.request
print(urllib.request.urlopen(os.environ["APP_URL"]).status, os.getuid())
open("/out/junit.xml", "w").write("{ADD_XML}")
"""
APPLICATION = {
    "name": "app",
    "image": PYTHON_IMAGE,
    "command": ["python3", "-m", "http.server", "8080", "--directory", "/tmp"],
    "ports": [{"name": "http", "port": 8080}],
    "ready": {"http": {"path": "/", "port": "http"}},
}


@pytest.fixture(scope="session")
def docker() -> Iterator[Daemon]:
    there = running()
    if there is not None:
        yield there
        return
    built = subprocess.run(
        [sys.executable, "-m", "images", "build", *IMAGES], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    with tempfile.TemporaryDirectory(prefix="seatrial-docker-") as folder, daemon(Path(folder)) as started:
        for archive, tags in zip(built.stdout.split(), IMAGES.values(), strict=True):
            started.load(Path(archive), *tags)
        yield started


@pytest.fixture
def on_docker(machine: Machine, docker: Daemon) -> Iterator[Machine]:
    """Nothing stands for images; whatever a test does, no container is left."""
    for name in ("PATH", "DOCKER_HOST", "DOCKER_CONFIG"):
        if name in docker.environment:
            machine.env[name] = docker.environment[name]
    machine.around = docker.around
    yield machine
    eventually("no container is left", lambda: not containers(docker) or containers(docker))


def containers(docker: Daemon) -> list[str]:
    return docker.docker("ps", "--all", "--filter=label=seatrial.dev/local-run", "--format={{.Names}}").split()


def suite(code: str = ASK, **more: Any) -> dict[str, Any]:
    command = {"command": ["python3", "-c", code], "junit": {"path": "/out/junit.xml"}}
    return {"name": "it", "image": PYTHON_IMAGE, **command, **more}


def test_an_application_and_a_suite_are_their_images(on_docker: Machine) -> None:
    done = on_docker.run("run", on_docker.write(applications=[APPLICATION], suites=[suite()]))
    said = ended(on_docker, done, 0, f"application app: {PYTHON_IMAGE} in Docker", "1 passed")
    assert f"suite it: {PYTHON_IMAGE} in Docker" in said
    logs = on_docker.folder / "state" / "seatrial" / "runs" / "default" / "it" / "logs"
    assert any("200 65532" in log.read_text() for log in logs.iterdir())


def test_an_example_with_its_images(on_docker: Machine) -> None:
    done = on_docker.run("run", str(EXAMPLES / "position-manager.yaml"))
    ended(on_docker, done, 0, "application position-manager: localhost/seatrial/position-manager:dev in Docker")


@pytest.mark.parametrize(
    ("service", "version", "image"), [("redis", "7", "redis:7-alpine"), ("influxdb", "2.7", "influxdb:2.7")]
)
def test_a_server_is_an_image(on_docker: Machine, service: str, version: str, image: str) -> None:
    bare = on_docker.folder / "bin"
    bare.mkdir()
    for program in ("docker", "nsenter"):
        found = next(
            Path(folder, program) for folder in on_docker.env["PATH"].split(":") if Path(folder, program).exists()
        )
        (bare / program).symlink_to(found)
    on_docker.env["PATH"] = str(bare)
    tests = f'import os\ndef test_it(): assert any(name.startswith("{service.upper()}") for name in os.environ)\n'
    done = on_docker.run("run", on_docker.write(tests, services={service: {"version": version}}))
    ended(on_docker, done, 0, f"{service}: {image} in Docker", "1 passed")


def test_how_a_suite_ends_is_what_its_image_says(on_docker: Machine) -> None:
    done = on_docker.run("run", on_docker.write(suites=[suite("raise SystemExit(7)")]))
    ended(on_docker, done, 1, "7")


def test_an_image_that_is_nowhere(on_docker: Machine) -> None:
    done = on_docker.run("run", on_docker.write(suites=[suite(image="localhost:1/none:1")]))
    ended(on_docker, done, 2, 'Failed to pull image "localhost:1/none:1"')


class TestInterrupted:
    @pytest.fixture
    def hanging(self, on_docker: Machine, docker: Daemon) -> Iterator[subprocess.Popen[str]]:
        spec = {"applications": [APPLICATION], "suites": [suite("import time; time.sleep(3600)")]}
        process = on_docker.start("run", on_docker.write(**spec))
        eventually("both run", lambda: len(containers(docker)) == 2 or containers(docker))
        yield process
        process.communicate(timeout=DEADLINE_SECONDS)

    def test_it_is_cancelled(self, hanging: subprocess.Popen[str], docker: Daemon) -> None:
        hanging.send_signal(signal.SIGINT)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        assert hanging.returncode == 2
        assert containers(docker) == []

    def test_the_engine_is_killed(self, hanging: subprocess.Popen[str], docker: Daemon) -> None:
        os.kill(_engine(hanging), signal.SIGKILL)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        assert containers(docker) == []

    def test_both_are_killed(self, on_docker: Machine, hanging: subprocess.Popen[str]) -> None:
        engine = _engine(hanging)
        hanging.kill()
        os.kill(engine, signal.SIGKILL)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        # The next run removes what they have left.
        assert on_docker.run("run", on_docker.write()).returncode == 0


def _engine(keeper: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()[0])
