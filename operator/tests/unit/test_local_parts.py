"""What local runs are made of: mappings, addresses, objects in memory, statuses of pods, scratch folders."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.local import scratch as scratches
from seatrial.local.addresses import HOST, LocalAddresses
from seatrial.local.images import LocalMapping, MappingError, find_mapping, load_mapping, parse_config_map, parse_option
from seatrial.local.scratch import NoScratchError, data_place, remove_stale, scratch
from seatrial.local.statuses import running, status_of, terminated, waiting
from seatrial.local.store import Store, merge
from seatrial.observe import view_pod
from seatrial.status import merge_patch

Object = dict[str, Any]


class TestMapping:
    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "app").mkdir()
        (tmp_path / "sql").mkdir()
        (tmp_path / "sql" / "1.sql").write_text("SELECT 1;")
        (tmp_path / "seatrial.toml").write_text(
            '[images."app:*"]\ndir = "app"\ncommand = ["serve"]\nenv = {PORT = "{http}"}\n'
            '[configmaps]\nschema = "sql"\n'
        )
        mapping = find_mapping(tmp_path / "app")
        image = mapping.find("app:1", "application app")
        assert (image.folder, image.command, image.env) == (tmp_path / "app", ("serve",), (("PORT", "{http}"),))
        assert mapping.objects()[0]["binaryData"] == {"1.sql": "U0VMRUNUIDE7"}

    def test_none(self, tmp_path: Path) -> None:
        assert find_mapping(tmp_path) == LocalMapping()

    def test_an_option_comes_first(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        both = parse_option(f"app:1={tmp_path / 'b'}").plus(parse_option(f"app:1={tmp_path / 'a'}"))
        assert both.find("app:1", "application app").folder == tmp_path / "b"

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("[images", "is not TOML"),
            ('[images."app"]\n', "images.app: without dir Docker runs the image itself"),
            ('[images."app"]\ndir = "missing"\n', "app: .*missing does not exist"),
            ('[image."app"]\ndir = "."\n', "image: Extra inputs are not permitted"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, content: str, said: str) -> None:
        path = tmp_path / "seatrial.toml"
        path.write_text(content)
        with pytest.raises(MappingError, match=said):
            load_mapping(path)

    @pytest.mark.parametrize("text", ["app", "=dir", "app=", "app=/does/not/exist"])
    def test_wrong_options(self, text: str) -> None:
        with pytest.raises(MappingError, match=r"--map|does not exist"):
            parse_option(text)
        with pytest.raises(MappingError, match=r"--configmap|does not exist"):
            parse_config_map(text)


class TestAddresses:
    def test_each_port_is_a_runs_own_until_it_is_released(self, tmp_path: Path) -> None:
        one, other = LocalAddresses(tmp_path), LocalAddresses(tmp_path)
        address = one.find("kafka", 9092)
        assert one.find("kafka", 9092) == address
        assert address != one.find("redis", 6379)
        assert address.port != other.find("kafka", 9092).port
        assert one.ports_of("kafka") == {9092: address.port}
        with socket.socket() as server, pytest.raises(OSError, match="in use"):
            server.bind((HOST, address.port))
        one.release(address.port)
        with socket.socket() as server:
            server.bind((HOST, address.port))
        one.close()
        other.close()


class TestStore:
    def test_an_object_keeps_what_only_the_api_server_writes(self) -> None:
        store, told = Store(), []
        store.on_change.append(lambda item: told.append(item["metadata"]["resourceVersion"]))
        first = store.put({"kind": "Pod", "metadata": {"name": "a", "namespace": "n"}, "status": {"phase": "Running"}})
        second = store.put({"kind": "Pod", "metadata": {"name": "a", "namespace": "n", "labels": {"x": "y"}}})
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        assert second["status"] == first["status"]
        assert told == ["1", "2"]

    def test_a_namespace_takes_everything_in_it_along(self) -> None:
        store = Store()
        store.put({"kind": "Namespace", "metadata": {"name": "n"}})
        store.put({"kind": "Pod", "metadata": {"name": "a", "namespace": "n"}})
        store.put({"kind": "Pod", "metadata": {"name": "a", "namespace": "other"}})
        store.delete_namespace("n")
        assert [item["metadata"]["namespace"] for item in store.items("Pod")] == ["other"]
        assert store.get("Namespace", "", "n") is None


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
).filter(lambda value: "None" not in repr(value))


@given(
    st.dictionaries(st.text(max_size=2), documents, max_size=4),
    st.dictionaries(st.text(max_size=2), documents, max_size=4),
)
def test_a_patch_leads_from_one_document_to_the_other(before: Object, after: Object) -> None:
    assert merge(before, merge_patch(before, after)) == after


@pytest.mark.parametrize(
    ("relay", "gate", "suite", "phase"),
    [
        (waiting("ContainerCreating"), waiting("ContainerCreating"), waiting("ContainerCreating"), "Pending"),
        (running(), waiting("ContainerCreating"), waiting("ContainerCreating"), "Running"),
        (running(), terminated(69), waiting("ContainerCreating"), "Failed"),
        (running(), terminated(0), running(), "Running"),
        (running(), terminated(0), terminated(0), "Running"),
        (terminated(0), terminated(0), terminated(0), "Succeeded"),
        (terminated(0), terminated(0), terminated(1), "Failed"),
    ],
)
def test_the_phase_of_a_pod(relay: Object, gate: Object, suite: Object, phase: str) -> None:
    init = [{"name": "relay", "image": "a", "restartPolicy": "Always"}, {"name": "gate", "image": "a"}]
    containers = [{"name": "suite", "image": "b"}]
    status = status_of(init, containers, {"relay": relay, "gate": gate, "suite": suite})
    labels = {"seatrial.dev/component": "suite", "seatrial.dev/name": "it"}
    view = view_pod({"metadata": {"name": "p", "labels": labels}, "status": status})
    assert view.phase == phase
    assert view.ready == ("running" in suite)
    assert view.main is not None
    assert view.main.exit_code == suite.get("terminated", {}).get("exitCode")


def test_tests_find_here_what_the_suite_image_offers() -> None:
    root = Path(__file__).parents[3]
    project = tomllib.loads((root / "operator" / "pyproject.toml").read_text())["project"]
    here = {*project["dependencies"], *project["optional-dependencies"]["local"]}
    lines = (root / "requirements" / "suite.in").read_text().splitlines()
    offered = {line for line in lines if not line.startswith("#")}
    assert len(offered) > 5
    assert offered <= here


class TestScratch:
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.delenv("TMPDIR", raising=False)
        monkeypatch.setattr(scratches, "MEMORY", tmp_path / "memory")
        monkeypatch.setattr(scratches.tempfile, "gettempdir", lambda: str(tmp_path))
        return tmp_path

    def test_it_is_gone_afterwards(self, place: Path) -> None:
        with scratch() as folder:
            assert folder.parent == place
            (folder / "data").write_text("x")
            assert remove_stale() == []
        assert list(place.glob("seatrial-*")) == []

    def test_what_a_killed_run_has_left_goes_with_the_next(self, place: Path) -> None:
        left = place / f"{scratches.PREFIX}left"
        left.mkdir()
        (left / scratches.LOCK).touch()
        program = "import time; print(flush=True); time.sleep(600)"
        env = os.environ | {"TMPDIR": f"{left}/0/tmp"}
        with subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE) as daemon:
            assert daemon.stdout is not None
            daemon.stdout.readline()
            with scratch():
                assert not left.exists()
            assert daemon.wait(30) == -9

    def test_folders_of_others_stay(self, place: Path) -> None:
        other = place / f"{scratches.PREFIX}other"
        other.mkdir()
        assert remove_stale() == []
        assert other.exists()

    def test_whoever_names_a_folder_gets_it(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (place / "memory").mkdir()
        monkeypatch.setattr(scratches, "ROOM_BYTES", 0)
        assert data_place() == place / "memory"
        monkeypatch.setenv("TMPDIR", str(place))
        assert data_place() == place

    def test_no_room(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scratches.tempfile, "gettempdir", lambda: str(place / "missing"))
        with pytest.raises(NoScratchError, match="set TMPDIR"), scratch():
            pass
