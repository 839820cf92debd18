from pathlib import Path

import pytest

from images.bases import BASES
from images.builders import Buildah, Docker, Job, builder_for
from images.settings import EPOCH, Settings, from_environment


def job(*, network: bool) -> Job:
    return Job(
        reference="localhost/seatrial/suite:key-1",
        dockerfile=Path("/context/images/suite/Dockerfile"),
        context=Path("/context"),
        arguments={"BASE": "localhost/seatrial/python:key-2"},
        secrets={"pip": Path("/secrets/pip.conf"), "ca": Path("/secrets/ca.pem")} if network else {},
        network=network,
    )


OPTIONS = [
    "--quiet", "--file", "/context/images/suite/Dockerfile", "--tag", "localhost/seatrial/suite:key-1",
    "--build-arg", "BASE=localhost/seatrial/python:key-2",
]  # fmt: skip
SECRETS = ["--secret", "id=ca,src=/secrets/ca.pem", "--secret", "id=pip,src=/secrets/pip.conf"]


def test_docker_gets_public_bases_and_a_network_only_when_asked() -> None:
    assert Docker.build_command(job(network=True)) == ["docker", "build", *OPTIONS, *SECRETS, "/context"]
    assert Docker.build_command(job(network=False)) == ["docker", "build", "--network", "none", *OPTIONS, "/context"]
    assert Docker().base("redis") == "redis:7-alpine"


def test_buildah_gets_a_private_network_unless_the_build_needs_the_machines() -> None:
    build = ["buildah", "bud", "--layers", "--isolation", "chroot", "--pull-never", "--timestamp", str(EPOCH)]
    assert Buildah.build_command(job(network=True)) == [*build, *OPTIONS, *SECRETS, "/context"]
    private = Buildah.build_command(job(network=False))
    assert private[:2] == ["unshare", "--net"]
    assert private[-len(build) - len(OPTIONS) - 1 :] == [*build, *OPTIONS, "/context"]


def test_base_container_gets_its_environment() -> None:
    assert Buildah.configure_command("c", {"PATH": "/bin", "JAVA_HOME": "/j"}) == [
        "buildah", "config", "--env", "JAVA_HOME=/j", "--env", "PATH=/bin", "c",
    ]  # fmt: skip


def test_local_bases_are_named_by_what_they_are_made_of(tmp_path: Path) -> None:
    builder = Buildah(Settings("localhost/seatrial", tmp_path, "buildah"))
    references = {builder.base(name) for name in BASES}
    assert len(references) == len(BASES)
    assert all(reference.startswith("localhost/seatrial/base-") for reference in references)
    assert references == {builder.base(name) for name in BASES}


def test_public_bases_have_versions() -> None:
    for base in BASES.values():
        tag = base.public.partition(":")[2]
        assert tag
        assert tag != "latest"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Buildah),
        ({"CLUSTER": "kind"}, Docker),
        ({"CLUSTER": "kind", "BUILDER": "buildah"}, Buildah),
        ({"BUILDER": "docker"}, Docker),
    ],
)
def test_builder_follows_the_environment(environment: dict[str, str], expected: type) -> None:
    assert isinstance(builder_for(from_environment({"HOME": "/nowhere", **environment})), expected)
