"""`init`: what it writes follows from what is there, passes `lint`, and replaces nothing unasked."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from seatrial.cli.lint import lint
from seatrial.cli.manifest import load_manifests
from seatrial.cli.starting import look_at, starting_files
from tests.integration.services.servers import redis_server

if TYPE_CHECKING:
    from pathlib import Path


def seatrial(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seatrial.cli", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def written(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Spec and mapping of what `init` would write."""
    files, _ = starting_files(look_at(folder))
    manifest = folder / "testrun.yaml"
    manifest.write_text(files["testrun.yaml"], encoding="utf-8")
    assert lint(load_manifests(manifest)) == []
    return list(yaml.safe_load_all(files["testrun.yaml"]))[-1]["spec"], tomllib.loads(files["seatrial.toml"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Order_Service"
    made.mkdir()
    return made


def test_an_empty_folder_gets_a_test_that_runs(folder: Path) -> None:
    spec, mapping = written(folder)
    assert spec["services"] == {"redis": {}}
    assert spec["suites"] == [
        {"name": "tests", "image": "order-service-tests:dev", "pytest": {"paths": ["tests"]}, "timeout": "5m"}
    ]
    assert mapping["images"] == {"order-service-tests:dev": {"dir": "."}}


def test_the_first_test_passes_against_a_real_server(folder: Path) -> None:
    files, _ = starting_files(look_at(folder))
    path = folder / "test_first.py"
    path.write_text(files["tests/test_first.py"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path.name]
    with redis_server(folder) as server:
        env = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port), "REDIS_PASSWORD": server.password}
        done = subprocess.run(command, cwd=folder, env=os.environ | env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_project_with_tests_a_dockerfile_and_clients(folder: Path) -> None:
    (folder / "tests" / "unit").mkdir(parents=True)
    (folder / "tests" / "unit" / "test_a.py").touch()
    (folder / ".venv" / "lib").mkdir(parents=True)
    (folder / ".venv" / "lib" / "test_b.py").touch()
    (folder / "pyproject.toml").write_text('[project]\ndependencies = ["aiokafka>=0.13", "asyncpg", "predis-like"]\n')
    (folder / "Dockerfile").write_text(
        "FROM python AS build\nEXPOSE 1\nFROM python\nEXPOSE 8080 9090/tcp 53/udp\nUSER 1001:1001\n"
        'ENTRYPOINT ["python", "-m"]\nCMD ["orders", \\\n  "--serve"]\n'
    )
    spec, mapping = written(folder)
    assert spec["services"] == {"kafka": {}, "postgres": {}}
    assert spec["applications"] == [
        {
            "name": "order-service",
            "image": "order-service:dev",
            "ports": [{"name": "port-8080", "port": 8080}, {"name": "port-9090", "port": 9090}],
            "ready": {"tcp": {"port": "port-8080"}},
            "runAsUser": 1001,
        }
    ]
    assert spec["suites"][0]["pytest"] == {"paths": ["tests"]}
    assert mapping["images"] == {
        "order-service:dev": {"dir": ".", "command": ["python", "-m", "orders", "--serve"]},
        "order-service-tests:dev": {"dir": "."},
    }


def test_a_project_with_a_compose_file(folder: Path) -> None:
    (folder / "compose.yaml").write_text("services: {cache: {image: redis}, api: {build: ., ports: ['80']}}")
    spec, mapping = written(folder)
    assert list(spec["services"]) == ["redis"]
    assert spec["applications"][0]["image"] == "order-service/api:dev"
    assert list(mapping["images"]) == ["order-service/api:dev"]


@pytest.mark.parametrize("name", ["redis", "1", "é", "...", "x" * 100])
def test_any_name_of_a_folder(tmp_path: Path, name: str) -> None:
    made = tmp_path / name
    made.mkdir()
    (made / "Dockerfile").write_text("FROM a\nEXPOSE 80\n")
    written(made)


def test_nothing_is_replaced_unasked(folder: Path) -> None:
    first = seatrial(folder, "init")
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr.splitlines() == [
        "wrote testrun.yaml", "wrote seatrial.toml", "wrote tests/test_first.py", "next: seatrial run testrun.yaml",
    ]  # fmt: skip
    (folder / "testrun.yaml").write_text("mine")
    again = seatrial(folder, "init")
    assert again.returncode == 3
    assert again.stderr == ("error: testrun.yaml, seatrial.toml in . would be replaced: --force does that\n")
    assert (folder / "testrun.yaml").read_text() == "mine"
    assert seatrial(folder, "init", "--force").returncode == 0
    assert seatrial(folder, "lint", "testrun.yaml", "--strict").returncode == 0


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    done = seatrial(tmp_path, "init", "nowhere")
    assert (done.returncode, done.stderr) == (3, "error: nowhere is no folder\n")
