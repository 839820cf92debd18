"""The enforcer's picture of the cluster, and the promise it gives to the network plugin."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from hack.cluster.netpol import hold
from hack.cluster.netpol.hold import Server
from hack.cluster.netpol.model import NamedPort, parse_pod
from hack.cluster.netpol.store import PATHS, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pod(uid: str = "u", phase: str = "Pending", ip: str | None = None, **spec: Any) -> dict[str, Any]:
    status = {"phase": phase} | ({"podIP": ip} if ip else {})
    return {
        "metadata": {"uid": uid, "namespace": "a", "name": uid, "labels": {"app": uid}},
        "spec": {"containers": [{"name": "c"}]} | spec,
        "status": status,
    }


@pytest.fixture
def store() -> Store:
    filled = Store()
    for kind in PATHS:
        filled.replace(kind, [])
    return filled


def addresses(store: Store) -> dict[str, str | None]:
    return {entry.name: entry.address for entry in store.snapshot()[1].pods}


def test_the_plugins_address_counts_before_the_api_knows_it(store: Store) -> None:
    store.update("pods", "ADDED", pod())
    assert addresses(store) == {"u": None}
    store.give_address("u", "10.244.0.5", seconds=0)
    assert addresses(store) == {"u": "10.244.0.5"}
    store.take_address("u")
    assert addresses(store) == {"u": None}


def test_a_finished_pod_has_no_address(store: Store) -> None:
    store.update("pods", "ADDED", pod(ip="10.244.0.5", phase="Running"))
    store.give_address("u", "10.244.0.5", seconds=0)
    store.update("pods", "MODIFIED", pod(ip="10.244.0.5", phase="Succeeded"))
    assert addresses(store) == {"u": None}


def test_a_pod_on_the_nodes_network_has_no_address_of_its_own() -> None:
    assert parse_pod(pod(ip="10.250.0.1", hostNetwork=True)).address is None


def test_ports_of_sidecars_count_and_those_of_plain_init_containers_do_not() -> None:
    ports = [{"name": "side", "containerPort": 1}]
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": ports}
    plain = {"name": "i", "ports": [{"name": "plain", "containerPort": 2}]}
    assert parse_pod(pod(initContainers=[sidecar, plain])).ports == (NamedPort("side", "TCP", 1),)


def test_only_relevant_changes_count(store: Store) -> None:
    store.update("pods", "ADDED", pod(ip="10.244.0.5", phase="Running"))
    before, _ = store.snapshot()
    changed = pod(ip="10.244.0.5", phase="Running")
    changed["status"]["message"] = "nothing a rule depends on"
    store.update("pods", "MODIFIED", changed)
    assert store.snapshot()[0] == before
    store.update("pods", "DELETED", changed)
    assert store.snapshot()[0] > before


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "s"
    server = Server(path, store)
    server.start()
    yield path
    server.shutdown()
    server.server_close()


def call(path: Path, **message: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(json.dumps(message).encode() + b"\n")
        return connection.makefile().readline().strip()


def test_a_pod_is_held_until_its_rules_are_applied(store: Store, served: Path) -> None:
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(call(served, command="ADD", uid="u", address="10.244.0.5")))
    caller.start()
    store.update("pods", "ADDED", pod())
    generation = store.snapshot()[0]
    while addresses(store) != {"u": "10.244.0.5"}:
        store.wait_for_change(generation, 10)
    store.applied(generation)  # rules from before the address was known are not enough
    assert answers == []
    store.applied(store.snapshot()[0])
    caller.join(10)
    assert answers == ["ok"]
    assert call(served, command="DEL", uid="u", address="10.244.0.5") == "ok"
    assert addresses(store) == {"u": None}


def test_an_enforcer_that_cannot_apply_holds_the_pod_back(
    store: Store, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "HOLD_SECONDS", 0.05)
    assert call(served, command="ADD", uid="unknown", address="10.244.0.5") == "timeout"
    store.update("pods", "ADDED", pod())
    assert call(served, command="ADD", uid="u", address="10.244.0.5") == "timeout"
