"""The process where Kafka cannot be reached, and its supervisor. With Kafka it is tested by the suite."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from seatrial.local.addresses import hold_free_port
from seatrial_kit.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 30
COMMAND = [sys.executable, "-m", "intelligence_service"]


def free_port() -> int:
    with hold_free_port() as held:
        return int(held.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the service with these variables only."""
    started: list[subprocess.Popen[str]] = []

    def make(**variables: object) -> subprocess.Popen[str]:
        env = {"PATH": os.environ["PATH"], **{name: str(value) for name, value in variables.items()}}
        process = subprocess.Popen(COMMAND, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate(timeout=SECONDS)


def worker_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(eventually(lambda: children.read_text().split() or None, "a worker", seconds=SECONDS)[0])


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        ({}, 2, "KAFKA_BOOTSTRAP_SERVERS: Field required"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "x:1", "HTTP_PORT": "x"}, 2, "HTTP_PORT: Input should be a valid integer"),
        (
            {"KAFKA_BOOTSTRAP_SERVERS": "x:1", "INTELLIGENCE_BUG": "many"},
            2,
            "INTELLIGENCE_BUG: Input should be 'wrong-",
        ),
        (
            {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "HTTP_PORT": 0, "CONNECT_DEADLINE_SECONDS": "0.2"},
            1,
            "not connected after 0.2 s to Kafka at 127.0.0.1:1",
        ),
    ],
)
def test_what_cannot_work_ends_with_a_reason(
    start: Callable[..., subprocess.Popen[str]], variables: dict[str, object], status: int, said: str
) -> None:
    process = start(**variables)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == status
    assert said in output
    assert "Traceback" not in output


def test_a_port_that_is_taken(start: Callable[..., subprocess.Popen[str]]) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", HTTP_PORT=port)
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert f"cannot listen on HTTP_PORT {port}" in output


def test_without_kafka_it_is_not_ready_and_stops_at_once(start: Callable[..., subprocess.Popen[str]]) -> None:
    port = free_port()
    process = start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", HTTP_PORT=port)

    url = f"http://127.0.0.1:{port}/healthz"
    response = eventually(
        lambda: httpx.get(url, trust_env=False), "an answer", seconds=SECONDS, transient=(httpx.TransportError,)
    )
    assert (response.status_code, response.json()["kafka"]) == (503, "connecting")
    assert httpx.post(f"http://127.0.0.1:{port}/admin/kill", json={"at": "now"}, trust_env=False).status_code == 404
    assert "intelligence_sessions_total 0.0" in httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    worker = worker_of(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert not alive(worker)


def test_a_worker_that_is_killed_is_followed_by_another(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", HTTP_PORT=free_port())
    first = worker_of(process)
    os.kill(first, signal.SIGKILL)
    second = eventually(
        lambda: worker if (worker := worker_of(process)) != first else None, "another worker", seconds=SECONDS
    )
    assert alive(second)


def test_the_next_worker_knows_where_the_one_before_was_killed(start: Callable[..., subprocess.Popen[str]]) -> None:
    port = free_port()
    process = start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", HTTP_PORT=port, INTELLIGENCE_FAULTS="true")
    url = f"http://127.0.0.1:{port}"

    def health(after: object) -> dict[str, object]:
        def look() -> dict[str, object] | None:
            found: dict[str, object] = httpx.get(f"{url}/healthz", trust_env=False).json()
            return found if found["worker"] != after else None

        return eventually(look, "another worker's answer", seconds=SECONDS, transient=(httpx.TransportError,))

    first = health(after=None)
    assert first["last_kill"] == ""
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{url}/admin/kill", json={"at": "now"}, trust_env=False)
    assert health(after=first["worker"])["last_kill"] == f"{first['worker']} now"
    process.kill()


def test_a_worker_does_not_outlive_its_supervisor(start: Callable[..., subprocess.Popen[str]]) -> None:
    process = start(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", HTTP_PORT=free_port(), CONNECT_DEADLINE_SECONDS=3600)
    worker = worker_of(process)
    process.kill()
    eventually(lambda: not alive(worker), "the end of the worker", seconds=SECONDS)
