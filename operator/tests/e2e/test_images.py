"""An image that cannot run ends the run within a minute, with its name and what the kubelet says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hack.cluster.oci import Image, write_archive

from .ends import End, error, expect
from .kubectl import cluster, kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

DEADLINE_SECONDS = 60

ROOT_USER = "localhost/seatrial/e2e-root:1"
NAMED_USER = "localhost/seatrial/e2e-named-user:1"
NOT_THERE = "localhost/seatrial/not-there:1"
NO_NAME = "localhost/seatrial/Orders:1"
WITHOUT_PYTEST = "localhost/seatrial/position-manager:dev"
WITHOUT_PYTHON = "localhost/seatrial/redis:7"
SUITE = "localhost/seatrial/suite:dev"


class Case(NamedTuple):
    """An image of a suite or of an application, and how the run ends."""

    image: str
    end: End
    more: dict[str, Any] = {}  # noqa: RUF012  (not changed)


SUITES = {
    "that-is-not-there": Case(NOT_THERE, error("ImagePullFailed", NOT_THERE)),
    "whose-name-is-none": Case(NO_NAME, error("InvalidImage", NO_NAME, "must be lowercase")),
    "whose-user-is-root": Case(ROOT_USER, error("ContainerRefused", ROOT_USER, "image will run as root")),
    "whose-user-is-a-name": Case(NAMED_USER, error("ContainerRefused", NAMED_USER, "non-numeric user (orders)")),
    "without-pytest": Case(WITHOUT_PYTEST, error("NoPytest", "No module named 'pytest'")),
    "without-python": Case(WITHOUT_PYTHON, error("StartError", "python3", "executable file not found")),
}
APPLICATIONS = {
    "that-is-not-there": Case(NOT_THERE, error("ImagePullFailed", "application app", NOT_THERE)),
    "whose-name-is-none": Case(NO_NAME, error("InvalidImage", "application app", NO_NAME)),
    "whose-user-is-root": Case(ROOT_USER, error("ContainerRefused", "application app", "image will run as root")),
    "without-its-command": Case(
        SUITE, error("ContainerRefused", "application app", "order-service"), {"command": ["order-service"]}
    ),
    "without-a-command": Case(ROOT_USER, error("ContainerRefused", "application app", "serve"), {"runAsUser": 1000}),
}


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two small images: the user of one is root, that of the other has no number."""
    folder = tmp_path_factory.mktemp("images")
    archives = [
        _archive(folder / "root.tar", ROOT_USER, {"Entrypoint": ["/serve"]}),
        _archive(folder / "named.tar", NAMED_USER, {"Entrypoint": ["/serve"], "User": "orders"}),
    ]
    cluster("load", *archives)


def _archive(target: Path, reference: str, config: dict[str, Any]) -> str:
    content = target.with_suffix(".txt")
    content.write_text(reference)
    write_archive(Image(reference, {"readme": content}, config), target)
    return str(target)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_with_an_image(name: str, tenant: Tenant) -> None:
    case = SUITES[name]
    tenant.run("image", suites=[{"name": "it", "image": case.image, **case.more}])
    expect(tenant, "image", case.end, DEADLINE_SECONDS)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_with_an_image(name: str, tenant: Tenant) -> None:
    case = APPLICATIONS[name]
    tenant.tests("image", "def test_one(): pass\n")
    tenant.run("image", applications=[{"name": "app", "image": case.image, **case.more}])
    expect(tenant, "image", case.end, DEADLINE_SECONDS)


def test_what_is_not_even_text_of_an_image_is_refused_at_once(tenant: Tenant) -> None:
    manifest = """\
    {apiVersion: seatrial.dev/v1alpha1, kind: TestRun, metadata: {name: image},
     spec: {suites: [{name: it, image: "order tests:1"}]}}
    """
    said = kubectl("apply", "-n", tenant.namespace, "-f", "-", stdin=manifest, check=False)
    assert "spec.suites[0].image" in said
