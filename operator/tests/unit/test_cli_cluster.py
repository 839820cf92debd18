"""Which cluster and which namespace are meant, and what its answers mean to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from seatrial.cli.cluster import RunCluster, connect, generated_suffix
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.options import Where
from seatrial.errors import ClusterError, ForbiddenError, InvalidError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from pathlib import Path


def kubeconfig(path: Path, *names: str, current: str = "", **namespaces: str) -> Path:
    contexts = [
        {
            "name": name,
            "context": {"cluster": name, "user": "me"}
            | ({"namespace": namespaces[name]} if name in namespaces else {}),
        }
        for name in names
    ]
    clusters = [{"name": name, "cluster": {"server": f"https://{name}.test:6443"}} for name in names]
    users = [{"name": "me", "user": {"token": "secret"}}]
    config = {"apiVersion": "v1", "kind": "Config", "contexts": contexts, "clusters": clusters, "users": users}
    path.write_text(yaml.safe_dump(config | ({"current-context": current} if current else {})))
    return path


async def meant(where: Where) -> tuple[str, str]:
    async with connect(where) as cluster:
        return cluster.server, cluster.namespace


@pytest.fixture(autouse=True)
def no_config_of_mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


async def test_the_current_context(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "one", "two", current="two", two="team")
    assert await meant(Where(kubeconfig=file)) == ("https://two.test:6443", "team")
    assert await meant(Where(kubeconfig=file, context="one")) == ("https://one.test:6443", "default")
    assert await meant(Where(kubeconfig=file, namespace="other")) == ("https://two.test:6443", "other")


async def test_where_a_kubeconfig_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube/config", "home", current="home")
    assert (await meant(Where()))[0] == "https://home.test:6443"
    first = kubeconfig(tmp_path / "first", "first")
    second = kubeconfig(tmp_path / "second", "second", current="second")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{first}:{second}")
    assert (await meant(Where()))[0] == "https://second.test:6443"
    assert (await meant(Where(context="first")))[0] == "https://first.test:6443"


BROKEN: dict[str, tuple[str | bytes | None, Where, str]] = {
    "no file": (None, Where(), "there is no kubeconfig at .*name one with --kubeconfig or KUBECONFIG"),
    "no YAML": ("a: [", Where(), "the kubeconfig .* cannot be used"),
    "no text": (b"\xff\xfe\x00", Where(), "the kubeconfig .* cannot be used"),
    "empty": ("", Where(), "the kubeconfig .* cannot be used"),
    "a list": ("- a", Where(), "the kubeconfig .* cannot be used"),
    "nothing in it": ("apiVersion: v1\nkind: Config\n", Where(), "the kubeconfig .* cannot be used"),
    "a context without a cluster": (
        "{current-context: a, contexts: [{name: a, context: {cluster: b, user: c}}], clusters: [], users: []}",
        Where(),
        "the kubeconfig .* cannot be used",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_kubeconfig_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    content, where, words = BROKEN[name]
    file = tmp_path / "config"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CliError, match=words):
        await meant(Where(kubeconfig=file, context=where.context))


async def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "one", "two", current="one")
    with pytest.raises(CliError, match="has no context nix; it has: one, two"):
        await meant(Where(kubeconfig=file, context="nix"))


async def test_no_current_context(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", "one", "two")
    with pytest.raises(CliError, match=r"the kubeconfig .* cannot be used"):
        await meant(Where(kubeconfig=file))


NOT_INSTALLED = NotFoundError("GET /apis/seatrial.dev: the server could not find the requested resource")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            UnavailableError("GET /a: ClientConnectorError(..., ConnectionRefusedError(111, 'Connect call failed'))"),
            Exit.CANNOT_ASK,
            "the cluster at https://a does not answer: the connection was refused",
        ),
        (NOT_INSTALLED, Exit.CANNOT_ASK, "knows no TestRuns: Seatrial is not installed there"),
        (ForbiddenError("no right"), Exit.CANNOT_ASK, "TestRun x cannot be read: you may not: no right"),
        (InvalidError("spec.suites: required"), Exit.USAGE, "TestRun x cannot be read: spec.suites: required"),
        (ClusterError("Unauthorized"), Exit.CANNOT_ASK, "TestRun x cannot be read: Unauthorized"),
    ],
)
def test_what_an_answer_means(error: ClusterError, code: Exit, words: str) -> None:
    nobody: Any = None
    found = RunCluster(nobody, "https://a", "team", Where()).explain(error, "TestRun x cannot be read")
    assert found.exit is code
    assert words in found.message


def test_generated_names() -> None:
    assert {len(generated_suffix()) for _ in range(100)} == {5}
    assert len({generated_suffix() for _ in range(100)}) > 90
