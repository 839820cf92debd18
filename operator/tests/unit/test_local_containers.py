"""Containers as commands of this machine."""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.spec import parse_spec
from seatrial.local.addresses import HOST, LocalAddresses
from seatrial.local.containers import (
    MissingKeyError,
    Surroundings,
    agent_command,
    data_of,
    expand,
    image_command,
    role_of,
    suite_command,
    variables_of,
)
from seatrial.local.images import LocalImage, LocalMapping, MappingError
from seatrial.naming import SHARD_LABEL
from seatrial.plan import make_plan
from tests.builders import INPOD_FILES, RUN, SETTINGS, run_spec, suite_spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seatrial.plan import Plan

Object = dict[str, Any]

APPLICATION = {"name": "app", "image": "app:1", "ports": [{"name": "http", "port": 8080}]}


def pod_of(owner: Object, **labels: str) -> Object:
    template = owner["spec"]["template"]
    metadata = {**template["metadata"], "name": "pod", "labels": {**template["metadata"]["labels"], **labels}}
    return {"metadata": metadata, "spec": template["spec"]}


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[LocalAddresses]:
    addresses = LocalAddresses(tmp_path)
    yield addresses
    addresses.close()


def plan_with(addresses: LocalAddresses, **spec: Any) -> Plan:
    return make_plan(RUN, parse_spec(run_spec(**spec)), SETTINGS, INPOD_FILES, addresses)


def around(folder: Path, *objects: Object, mapping: LocalMapping | None = None, **ports: int) -> Surroundings:
    there = {(item["kind"], item["metadata"]["name"]): item for item in objects}

    class Volumes(dict[str, Any]):
        def __missing__(self, name: str) -> Path:
            return folder / name

    return Surroundings(
        read=lambda kind, name: there.get((kind, name)),
        volumes=Volumes(),
        ports={int(port.removeprefix("p")): number for port, number in ports.items()},
        mapping=mapping or LocalMapping(),
        folder=folder,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("$(A)-$(B)", "1-2"),
        ("$$(A)", "$(A)"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$A ${A}", "$A ${A}"),
    ],
)
def test_references_as_the_kubelet_expands_them(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expected


def test_variables(tmp_path: Path) -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"plain": "p"},
        "data": {"packed": _base64("q")},
    }
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"key": "v"}, "binaryData": {"raw": _base64("w")}}
    container = {
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)2"},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "plain"}}},
            {"name": "D", "valueFrom": {"secretKeyRef": {"name": "s", "key": "packed"}}},
            {"name": "E", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "key"}}},
            {"name": "F", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "raw"}}},
            {"name": "G", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['x']"}}},
        ]
    }
    pod = {"metadata": {"labels": {SHARD_LABEL: "3"}}}
    found = variables_of(container, pod, around(tmp_path, secret, config))
    assert found == {"A": "1", "B": "12", "C": "p", "D": "q", "E": "v", "F": "w", "G": "3"}


def test_a_key_that_is_missing_is_said(tmp_path: Path) -> None:
    container = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}
    with pytest.raises(MissingKeyError, match="couldn't find key k in Secret s"):
        variables_of(container, {"metadata": {"labels": {}}}, around(tmp_path))
    assert data_of(None) == {}


class TestSuites:
    def test_tests_of_a_config_map(self, tmp_path: Path, addresses: LocalAddresses) -> None:
        suite = {**suite_spec(), "image": None, "testsFrom": {"configMapRef": {"name": "tests"}}}
        job = plan_with(addresses, suites=[{k: v for k, v in suite.items() if v is not None}]).suites[0].job
        pod = pod_of(job, **{SHARD_LABEL: "1"})
        container = pod["spec"]["containers"][0]
        command = suite_command(container, pod, around(tmp_path))
        assert role_of(container["name"], pod) == "suite"
        assert command.arguments == (sys.executable, str(tmp_path / "inpod" / "supervisor.py"))
        assert command.folder == tmp_path / "tests"
        assert command.env["SEATRIAL_RECORDS"] == str(tmp_path / "records")
        assert command.env["SEATRIAL_SHARD"] == "1"
        assert command.env["SEATRIAL_GATE"].startswith(f"http://{HOST}:")
        assert command.env["TMPDIR"] == str(tmp_path / "tmp")

    def test_an_image_is_a_folder(self, tmp_path: Path, addresses: LocalAddresses) -> None:
        (tmp_path / "suite" / "tests").mkdir(parents=True)
        python = tmp_path / "suite" / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
        image = LocalImage("tests:*", tmp_path / "suite", env=(("LEVEL", "debug"),))
        suite = suite_spec(image="tests:1", pytest={"paths": ["/tests::TestOne", "/elsewhere", "unit"], "args": ["-x"]})
        pod = pod_of(plan_with(addresses, suites=[suite]).suites[0].job)
        command = suite_command(pod["spec"]["containers"][0], pod, around(tmp_path, mapping=LocalMapping((image,))))
        assert command.arguments[0] == str(python)
        assert command.folder == tmp_path / "suite"
        assert command.env["LEVEL"] == "debug"
        assert json.loads(command.env["SEATRIAL_PYTEST_ARGS"]) == [
            f"{tmp_path / 'suite' / 'tests'}::TestOne",
            "/elsewhere",
            "unit",
            "-x",
        ]

    def test_an_image_that_nothing_stands_for(self, tmp_path: Path, addresses: LocalAddresses) -> None:
        pod = pod_of(plan_with(addresses, suites=[suite_spec(image="tests:1")]).suites[0].job)
        with pytest.raises(MappingError, match=r"suite .*image tests:1; known: nothing.*--map tests:1=FOLDER"):
            suite_command(pod["spec"]["containers"][0], pod, around(tmp_path))

    def test_its_relay_reads_where_it_writes(self, tmp_path: Path, addresses: LocalAddresses) -> None:
        pod = pod_of(plan_with(addresses, services={"redis": {}}).suites[0].job)
        relay = pod["spec"]["initContainers"][0]
        command = agent_command(relay, pod, around(tmp_path))
        assert role_of("relay", pod) == "agent"
        assert command.arguments == (sys.executable, "-m", "seatrial.agent.relay")
        assert command.env["SEATRIAL_RECORDS"] == str(tmp_path / "records")
        assert command.env["SEATRIAL_SERVICES"] == str(addresses.find("redis", 6379))


class TestApplications:
    def command(self, tmp_path: Path, image: LocalImage | None, **more: Any) -> Any:
        addresses = LocalAddresses(tmp_path)
        deployment = plan_with(addresses, applications=[{**APPLICATION, **more}]).applications[0].deployment
        addresses.close()
        pod = pod_of(deployment)
        mapping = LocalMapping((image,) if image else ())
        return image_command(pod["spec"]["containers"][0], pod, around(tmp_path, mapping=mapping, p8080=23456))

    def test_the_command_of_the_mapping(self, tmp_path: Path) -> None:
        image = LocalImage("app:1", tmp_path, ("python", "-m", "app"), env=(("PORT", "{http}"), ("NAME", "{other}")))
        command = self.command(tmp_path, image)
        assert command.arguments == (sys.executable, "-m", "app")
        assert (command.env["PORT"], command.env["NAME"], command.folder) == ("23456", "{other}", tmp_path)

    def test_that_of_the_manifest_comes_first(self, tmp_path: Path) -> None:
        image = LocalImage("app:1", tmp_path, ("python", "-m", "app"))
        command = self.command(
            tmp_path, image, command=["serve"], args=["--level", "$(LEVEL)"], env=[_variable("LEVEL", "9")]
        )
        assert command.arguments == ("serve", "--level", "9")

    def test_its_variables_too_but_for_ports(self, tmp_path: Path) -> None:
        image = LocalImage("app:1", tmp_path, ("app",), env=(("PORT", "{http}"), ("LEVEL", "debug")))
        command = self.command(tmp_path, image, env=[_variable("PORT", "8080"), _variable("LEVEL", "info")])
        assert (command.env["PORT"], command.env["LEVEL"]) == ("23456", "info")

    def test_without_any_command(self, tmp_path: Path) -> None:
        with pytest.raises(MappingError, match=r'application app: what is to be started.*\[images."app:1"\] command ='):
            self.command(tmp_path, LocalImage("app:1", tmp_path))

    def test_nothing_of_another_run_is_inherited(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEATRIAL_RUN", "another")
        monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
        monkeypatch.setenv("LANG_OF_MINE", "C")
        env = self.command(tmp_path, LocalImage("app:1", tmp_path, ("app",))).env
        assert "SEATRIAL_RUN" not in env
        assert "PYTEST_ADDOPTS" not in env
        assert (env["LANG_OF_MINE"], env["PATH"]) == ("C", os.environ["PATH"])


def _variable(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
