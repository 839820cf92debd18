"""Servers, applications and suites as containers, on a real daemon: the machine's own, else one that is started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hack.dockerd import Daemon, daemon, running
from tests.integration.local_machine import DEADLINE_SECONDS, EXAMPLES, PASSES, ROOT, Machine, ended, eventually
from tests.statuses import differences

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
"""What is built here; in a daemon of our own it stands for the public images too, which other daemons pull."""

REPORT = "<testsuite><testcase classname='it' name='is_reached'>{}</testcase></testsuite>"
ASK = f"""
import os, sys, urllib.request
print(urllib.request.urlopen(os.environ["APP_URL"]).status, os.getuid())
open(sys.argv[1], "w").write({REPORT.format("")!r})
"""
FAIL = f"import sys; open(sys.argv[1], 'w').write({REPORT.format('<failure>2</failure>')!r}); raise SystemExit(1)"
HANG = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('hangs', flush=True); time.sleep(600)"
SERVERS = """
import os, urllib.request
import redis

def test_redis(): assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
def test_influxdb(): assert urllib.request.urlopen(os.environ["INFLUXDB_URL"] + "/health").status == 200
"""


@pytest.fixture(scope="session")
def docker() -> Iterator[Daemon]:
    built = subprocess.run(
        [sys.executable, "-m", "images", "build", *IMAGES], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    with ExitStack() as stack:
        own = running()
        if own is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="seatrial-docker-"))
            found = stack.enter_context(daemon(Path(folder)))
        else:
            found = own
        for archive, public in zip(built.stdout.split(), IMAGES.values(), strict=True):
            found.load(Path(archive), *(public if own is None else ()))
        yield found


@pytest.fixture
def on_docker(machine: Machine, docker: Daemon) -> Iterator[Machine]:
    """Nothing stands for images; whatever a test does, the daemon has nothing afterwards that it had not before."""
    for name in ("PATH", "DOCKER_HOST", "DOCKER_CONFIG"):
        if name in docker.environment:
            machine.env[name] = docker.environment[name]
    machine.around = docker.around
    before = belongings(docker)
    yield machine
    eventually("nothing is left", lambda: belongings(docker) == before or belongings(docker) - before)


def belongings(docker: Daemon) -> set[str]:
    listed = (("ps", "--all", "--format={{.Names}}"), ("volume", "ls", "--quiet"), ("network", "ls", "--quiet"))
    return {name for words in listed for name in docker.docker(*words).split()}


def containers(docker: Daemon) -> list[str]:
    """Those of runs that are running, without the UID in `seatrial-UID-POD-CONTAINER`."""
    names = docker.docker("ps", "--filter=label=seatrial.dev/local-run", "--format={{.Names}}")
    return sorted(name.split("-", 2)[2] for name in names.split())


def application(**more: Any) -> dict[str, Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "name": "app",
        "image": PYTHON_IMAGE,
        "command": ["python3", "-m", "http.server", str(port), "--directory", "/tmp"],
        "ports": [{"name": "http", "port": port}],
        "ready": {"http": {"path": "/", "port": "http"}},
        **more,
    }


def suite(code: str = ASK, **more: Any) -> dict[str, Any]:
    """One that is not pytest."""
    command = ["python3", "-c", code, "/out/junit.xml"]
    return {"name": "it", "image": PYTHON_IMAGE, "command": command, "junit": {"path": "/out/junit.xml"}, **more}


def test_an_example_is_the_same_with_its_images_and_with_folders(on_docker: Machine) -> None:
    manifest = yaml.safe_load((EXAMPLES / "position-manager.yaml").read_text())
    del manifest["spec"]["suites"][1:]  # more of the same, and long
    (on_docker.folder / "run.yaml").write_text(yaml.safe_dump(manifest))
    run = ("run", "run.yaml", "-o", "json")
    config = ("--config", str(ROOT / "seatrial.toml"))
    with on_docker.start(*run) as images, on_docker.start(*run, *config) as folders:
        (one, said), (other, _) = (process.communicate(timeout=2 * DEADLINE_SECONDS) for process in (images, folders))
    assert (images.returncode, folders.returncode) == (0, 0), said
    for part in ("application position-manager", "suite core"):
        assert f"{part}: localhost/seatrial/position-manager" in said
    found = differences(json.loads(one)["status"], json.loads(other)["status"])
    assert not found, f"images, folders:\n{yaml.safe_dump(found, width=200)}"


def test_applications_and_a_suite_are_their_images(on_docker: Machine) -> None:
    worker = {
        "name": "worker",
        "image": PYTHON_IMAGE,
        "command": ["python3", "-c", "import time; open('/tmp/works', 'w'); time.sleep(600)"],
        "ready": {"exec": {"command": ["python3", "-c", "open('/tmp/works')"]}},  # which is in the container alone
    }
    done = on_docker.run("run", on_docker.write(applications=[application(), worker], suites=[suite()]))
    said = ended(on_docker, done, 0, "1 passed")
    for part in ("application app", "application worker", "suite it"):
        assert f"{part}: {PYTHON_IMAGE} in Docker" in said
    assert log_of_suite(on_docker) == "200 65532\n"


def test_an_image_is_told_where_to_listen(on_docker: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        command = ["python3", "-m", "http.server", "$(PORT)", "--directory", "/tmp"]
        app = application(command=command, ports=[{"name": "http", "port": port}])
        config = on_docker.folder / "seatrial.toml"
        config.write_text(f'[images."{PYTHON_IMAGE}"]\nenv = {{ PORT = "{{http}}" }}\n')
        done = on_docker.run("run", on_docker.write(applications=[app], suites=[suite()]))
    ended(on_docker, done, 0, "1 passed")


@pytest.mark.parametrize(
    ("code", "exit_code", "words"), [(FAIL, 1, "1 failed"), ("raise SystemExit(7)", 2, "ended with exit code 7")]
)
def test_a_suite_that_does_not_pass(on_docker: Machine, code: str, exit_code: int, words: str) -> None:
    manifest = on_docker.write(suites=[suite(code)])
    statuses = []
    for mapping in ((), ("--map", f"{PYTHON_IMAGE}={on_docker.folder}")):
        ended(on_docker, on_docker.run("run", manifest, *mapping), exit_code, words)
        statuses.append(on_docker.record()["status"])
    assert differences(*statuses) == {}


def test_servers_are_images(on_docker: Machine) -> None:
    bare = on_docker.folder / "bin"
    bare.mkdir()
    for program in ("docker", "nsenter"):
        found = shutil.which(program, path=on_docker.env["PATH"])
        assert found is not None
        (bare / program).symlink_to(found)
    on_docker.env["PATH"] = str(bare)
    services = {"redis": {"version": "7"}, "influxdb": {"version": "2.7"}}
    done = on_docker.run("run", on_docker.write(SERVERS, services=services))
    ended(on_docker, done, 0, "redis: redis:7-alpine in Docker", "influxdb: influxdb:2.7 in Docker", "2 passed")


def test_an_image_that_is_nowhere(on_docker: Machine) -> None:
    done = on_docker.run("run", on_docker.write(suites=[suite(image="localhost:1/none:1")]))
    ended(on_docker, done, 2, 'Failed to pull image "localhost:1/none:1"')


def test_a_daemon_that_does_not_answer(on_docker: Machine) -> None:
    on_docker.env["DOCKER_HOST"] = f"unix://{on_docker.folder}/none.sock"
    done = on_docker.run("run", on_docker.write(suites=[suite()]))
    words = ("no folder of this machine stands for the image", "or start Docker, which runs the image itself")
    ended(on_docker, done, 2, *words, "no daemon answers: Cannot connect to the Docker daemon")


class TestInterrupted:
    """Whatever is killed, no container is left, not even of a suite that does not heed SIGTERM."""

    @pytest.fixture
    def hanging(self, on_docker: Machine, docker: Daemon) -> Iterator[subprocess.Popen[str]]:
        manifest = on_docker.write(applications=[application()], suites=[suite(HANG)])
        with on_docker.start("run", manifest) as process:
            try:
                eventually("the suite hangs", lambda: log_of_suite(on_docker) == "hangs\n")
                assert containers(docker) == ["app-app", "suite-it-0-suite"]
                yield process
            finally:
                process.terminate()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_is_cancelled(self, hanging: subprocess.Popen[str], docker: Daemon, number: int) -> None:
        hanging.send_signal(number)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        assert hanging.returncode == 2
        assert containers(docker) == []

    def test_the_engine_is_killed(self, hanging: subprocess.Popen[str], docker: Daemon) -> None:
        os.kill(_engine(hanging), signal.SIGKILL)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        assert hanging.returncode == 2
        assert containers(docker) == []

    def test_its_keeper_is_killed(self, hanging: subprocess.Popen[str], docker: Daemon) -> None:
        hanging.kill()
        hanging.communicate(timeout=DEADLINE_SECONDS)
        eventually("no container is left", lambda: not containers(docker) or containers(docker))

    def test_both_are_killed(self, on_docker: Machine, hanging: subprocess.Popen[str], docker: Daemon) -> None:
        engine = _engine(hanging)
        hanging.kill()
        os.kill(engine, signal.SIGKILL)
        hanging.communicate(timeout=DEADLINE_SECONDS)
        eventually("the suite is left alone", lambda: containers(docker) == ["suite-it-0-suite"] or containers(docker))
        assert on_docker.run("run", on_docker.write(PASSES)).returncode == 0
        assert containers(docker) == []


def log_of_suite(machine: Machine) -> str:
    log = machine.folder / "state" / "seatrial" / "runs" / "default" / "it" / "logs" / "suite-it-0.log"
    return log.read_text() if log.exists() else ""


def _engine(keeper: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()[0])
