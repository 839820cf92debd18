"""Containers of images, as the Docker client is told to run them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.local.addresses import HOST, LocalAddresses, TakenPortError
from seatrial.local.containers import Command, ContainerConfigError
from seatrial.local.engine import _own_ports
from seatrial.local.image_containers import DockerImages, PullError, docker_command
from seatrial.local.images import LocalMapping, MappingError, load_mapping
from seatrial.local.servers import Search
from seatrial.local.servers.docker_client import LABEL, NOTE, Docker, remove_containers
from seatrial.naming import RUN_UID_LABEL
from tests.builders import RUN, suite_spec
from tests.unit.test_local_containers import APPLICATION, around, plan_with, pod_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]

ENVIRONMENT = {"PATH": "/bin", "DOCKER_HOST": "unix:///d.sock", "DOCKER_AUTH_CONFIG": "s3cret", "EDITOR": "vi"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a pod, where runs have theirs."""
    folder = tmp_path / "seatrial-run-abc" / "0" / "pod"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[LocalAddresses]:
    addresses = LocalAddresses(tmp_path)
    yield addresses
    addresses.close()


def application(addresses: LocalAddresses, **more: Any) -> Object:
    return pod_of(plan_with(addresses, applications=[{**APPLICATION, **more}]).applications[0].deployment)


def make(pod: Object, folder: Path, user: str = "65532:65532", mapping: LocalMapping | None = None) -> Command:
    for volume in pod["spec"].get("volumes") or ():
        (folder / volume["name"]).mkdir()
    docker = Docker("/bin/docker", "20.10.24", ENVIRONMENT)
    return docker_command(docker, pod["spec"]["containers"][0], pod, around(folder, mapping=mapping, p8080=23456), user)


def test_an_application_is_run_as_its_pod_says(folder: Path, addresses: LocalAddresses) -> None:
    pod = application(addresses, command=["serve", "$(LEVEL)"], args=["-x"], env=[{"name": "LEVEL", "value": "9"}])
    command = make(pod, folder)
    name = f"seatrial-{RUN.uid[:8]}-pod-app"
    assert command.arguments == (
        "/bin/docker",
        "run",
        "--rm",
        "--init",
        f"--name={name}",
        f"--label={RUN_UID_LABEL}={RUN.uid}",
        f"--label={LABEL}=seatrial-run-abc",
        "--pull=never",
        "--network=host",
        "--log-driver=none",
        "--read-only",
        "--security-opt=no-new-privileges",
        "--cap-drop=ALL",
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size=64m",
        f"--env-file={folder}/app.env",
        "--entrypoint=serve",
        "app:1",
        "9",
        "-x",
    )
    assert command.ask == ("/bin/docker", "exec", name)
    assert command.remove == ("/bin/docker", "rm", "--force", "--volumes", name)
    assert "LEVEL=9\n" in (folder / "app.env").read_text()
    assert (folder / "app.env").stat().st_mode & 0o777 == 0o600


def test_a_suite_has_its_volumes_where_the_pod_has_them(folder: Path, addresses: LocalAddresses) -> None:
    pod = pod_of(plan_with(addresses, suites=[suite_spec(image="tests:1", runAsUser=4711)]).suites[0].job)
    arguments = make(pod, folder, user="").arguments
    assert f"--mount=type=bind,source={folder}/records,target=/seatrial-records" in arguments
    assert f"--mount=type=bind,source={folder}/inpod,target=/seatrial,readonly" in arguments
    assert "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,size=256m" in arguments
    assert "--user=4711:4711" in arguments
    assert arguments[-3:] == ("--entrypoint=python3", "tests:1", "/seatrial/supervisor.py")
    assert (folder / "records").stat().st_mode & 0o777 == 0o777
    variables = dict(line.split("=", 1) for line in (folder / "suite.env").read_text().splitlines())
    assert variables["SEATRIAL_RECORDS"] == "/seatrial-records"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("", "image will run as root"),
        ("root", "image will run as root"),
        ("0:0", "image will run as root"),
        ("nobody", "non-numeric user"),
    ],
)
def test_who_is_refused_on_a_cluster_is_refused_here(
    folder: Path, addresses: LocalAddresses, user: str, words: str
) -> None:
    with pytest.raises(ContainerConfigError, match=words):
        make(application(addresses), folder, user)


def test_what_a_file_of_variables_cannot_hold_goes_through_the_client(folder: Path, addresses: LocalAddresses) -> None:
    values = {"KEY": "a\nb", "PATH": "/own", "PLAIN": "#'\" $"}
    pod = application(addresses, env=[{"name": name, "value": value} for name, value in values.items()])
    command = make(pod, folder)
    assert "--env=KEY" in command.arguments
    assert (command.env["KEY"], command.env["PATH"]) == ("a\nb", "/bin")
    written = (folder / "app.env").read_text()
    assert "PATH=/own\n" in written
    assert "PLAIN=#'\" $\n" in written
    assert "KEY" not in written


def test_seatrial_toml_tells_an_image_where_to_listen(folder: Path, addresses: LocalAddresses, tmp_path: Path) -> None:
    file = tmp_path / "seatrial.toml"
    file.write_text('[images."app:*"]\nenv = { HTTP_PORT = "{http}", LEVEL = "debug" }\n')
    mapping = load_mapping(file)
    assert not mapping.has("app:1")
    make(application(addresses), folder, mapping=mapping)
    assert {"HTTP_PORT=23456", "LEVEL=debug"} <= {*(folder / "app.env").read_text().splitlines()}
    spec = {"applications": [APPLICATION, {**APPLICATION, "name": "other", "image": "other:1"}]}
    assert _own_ports(spec, mapping) == {("other", 8080)}


def test_without_a_folder_there_is_nothing_but_variables(tmp_path: Path) -> None:
    file = tmp_path / "seatrial.toml"
    file.write_text('[images."app:1"]\ncommand = ["serve"]\n')
    with pytest.raises(MappingError, match="without dir Docker runs the image itself"):
        load_mapping(file)


def test_a_port_that_cannot_be_another_is_kept_or_said_to_be_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        port = other.getsockname()[1]
        addresses = LocalAddresses(tmp_path, frozenset({("app", port)}))
        with pytest.raises(TakenPortError, match=f"application app: its image listens on port {port}"):
            addresses.find("app", port)
    assert addresses.find("app", port).port == port
    assert addresses.find("another", port).port != port
    addresses.close()


def client(tmp_path: Path, script: str) -> Search:
    """A Docker client that writes down what it is asked."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n{script}\n')
    program.chmod(0o755)
    return Search(environment={"PATH": f"{program.parent}:/usr/bin:/bin"}, cache=tmp_path, wheels={}.get)


async def ask_for(search: Search, pod: Object, folder: Path) -> tuple[Command, dict[str, str]]:
    told: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or ():
        (folder / volume["name"]).mkdir()
    images = DockerImages(search, told.__setitem__)
    unmapped = MappingError("no folder stands for it")
    return await images.command(pod["spec"]["containers"][0], pod, around(folder), unmapped), told


async def test_an_image_that_is_not_there_is_fetched(folder: Path, addresses: LocalAddresses, tmp_path: Path) -> None:
    script = f"""case "$1 $2" in
        "version "*) echo 27.1 ;;
        "image inspect") [ -e {tmp_path}/there ] && echo '"1000"' || exit 1 ;;
        "pull --quiet") touch {tmp_path}/there ;;
    esac"""
    _, told = await ask_for(client(tmp_path, script), application(addresses), folder)
    assert told == {"application app": "app:1 in Docker 27.1"}
    assert "pull --quiet app:1" in (tmp_path / "asked").read_text().splitlines()


async def test_one_that_cannot_be_fetched_is_said(folder: Path, addresses: LocalAddresses, tmp_path: Path) -> None:
    script = 'case "$1" in version) echo 27.1 ;; *) echo "manifest unknown" >&2; exit 1 ;; esac'
    with pytest.raises(PullError, match='Failed to pull image "app:1": manifest unknown'):
        await ask_for(client(tmp_path, script), application(addresses), folder)


async def test_without_a_daemon_the_mapping_is_what_helps(
    folder: Path, addresses: LocalAddresses, tmp_path: Path
) -> None:
    search = client(tmp_path, "echo 'Cannot connect to the Docker daemon'; exit 1")
    expected = "no folder stands for it; or start Docker, .*no daemon answers: Cannot connect to the Docker daemon"
    with pytest.raises(MappingError, match=expected):
        await ask_for(search, application(addresses), folder)


def test_what_is_left_is_found_by_the_note(folder: Path, tmp_path: Path) -> None:
    search = client(tmp_path, '[ "$1" = ps ] && printf "1\\n2\\n" || true')
    program = str(tmp_path / "bin" / "docker")
    assert Docker(program, "1", {**ENVIRONMENT, **search.environment}).note(folder) == "seatrial-run-abc"
    root = folder.parents[1]
    noted = json.loads((root / NOTE).read_text())["environment"]
    assert noted == {"PATH": search.environment["PATH"], "DOCKER_HOST": "unix:///d.sock"}
    remove_containers(root)
    asked = Path(tmp_path, "asked").read_text().splitlines()
    assert asked == [f"ps --all --quiet --filter=label={LABEL}=seatrial-run-abc", "rm --force --volumes 1 2"]


def test_where_there_was_none_docker_is_not_asked(folder: Path) -> None:
    remove_containers(folder)
    assert list(folder.iterdir()) == []
