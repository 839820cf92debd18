"""The environment pod's process: its input, its end, its gate and its silence about credentials."""

from __future__ import annotations

import json
import signal
import socket
from typing import Any

import pytest

from .agent_process import TERMINAL, answer, environment, free_port, started

REDIS = {"kind": "redis", "name": "redis"}


def redis_at(port: int) -> dict[str, str]:
    password = "hunter2-secret"
    return {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(port),
        "REDIS_PASSWORD": password,
        "REDIS_URL": f"redis://:{password}@127.0.0.1:{port}/0",
    }


def test_an_environment_of_nothing_opens_at_once() -> None:
    with environment() as agent:
        agent.until("open")
        assert agent.kinds() == ["started", "servicesReady", "open"]
        assert agent.said[0]["version"]
        assert [event["at"] for event in agent.said] == sorted(event["at"] for event in agent.said)
        assert answer(agent.ask_gate()) == (200, "open")


def test_the_gate_is_held_until_every_application_is_ready() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        application = {"name": "127.0.0.1", "ready": {"tcp": {"port": bound.getsockname()[1]}}}
        resolves = {"name": "localhost", "ready": {"resolves": {}}}
        with environment(applications=[application, resolves]) as agent:
            agent.until("waiting")
            held = agent.ask_gate()
            bound.listen()
            agent.until("open")
            assert answer(held) == (200, "open")
    assert sorted(agent.kinds()) == ["open", "ready 127.0.0.1", "ready localhost", "servicesReady", "started"]
    assert agent.kinds()[-1] == "open"
    assert all(event["kind"] == "application" for event in agent.said if event["t"] in {"ready", "waiting"})


def test_the_deadline_names_everything_that_is_missing() -> None:
    port = free_port()
    variables = redis_at(port) | {
        "DATABASE_HOST": "postgres.invalid",
        "DATABASE_PORT": "5432",
        "DATABASE_NAME": "test",
        "DATABASE_USER": "test",
        "DATABASE_PASSWORD": "pg-secret",
    }
    services: list[dict[str, Any]] = [{"kind": "postgres", "name": "postgres", "initSQL": []}, REDIS]
    with environment(services=services, variables=variables, deadline=2) as agent:
        agent.until("started")
        agent.until("waiting")  # the gate listens before the first check
        held = agent.ask_gate()
        failed = agent.until(*TERMINAL)
        message = failed["message"]
        assert answer(held) == (503, message)
        assert answer(agent.ask_gate()) == (503, message)
    assert (failed["t"], failed["kind"], failed["reason"]) == ("failed", "service", "ServiceNotReady")
    postgres, redis = sorted(message.split("\n"))
    assert postgres.startswith(
        "postgres is not ready: expected an answer to SELECT 1 in the database test as test at postgres.invalid:5432; "
        "gave up after 2 s; last seen: the name postgres.invalid does not resolve yet ("
    )
    assert redis == (
        f"redis is not ready: expected PONG to an authenticated PING at 127.0.0.1:{port}; "
        f"gave up after 2 s; last seen: 127.0.0.1:{port} refuses connections: nothing listens there yet"
    )


def test_an_application_that_never_is_ready() -> None:
    with environment(applications=[{"name": "app.invalid", "ready": {"resolves": {}}}], deadline=1) as agent:
        failed = agent.until(*TERMINAL)
    assert (failed["kind"], failed["name"], failed["reason"]) == ("application", "app.invalid", "ApplicationNotReady")
    assert "last seen: the name app.invalid does not resolve yet" in failed["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_asked_to_while_it_waits(number: signal.Signals) -> None:
    with environment(services=[REDIS], variables=redis_at(free_port())) as agent:
        agent.until("waiting")
        with agent.ask_gate():
            agent.process.send_signal(number)
            assert agent.process.wait(30) == 0


def give_up(content: Any, variables: dict[str, str]) -> dict[str, Any]:
    with started(content, variables) as process:
        stdout, stderr = process.communicate(timeout=60)
    events = [json.loads(line) for line in stdout.splitlines()]
    assert process.returncode == 1
    assert "Traceback" not in stderr
    assert [event["t"] for event in events] == ["started", "failed"]
    failed: dict[str, Any] = events[1]
    assert (failed["kind"], failed["name"], failed["reason"]) == ("environment", "environment", "InternalError")
    return failed


def test_input_that_cannot_be_used_is_said_and_ends_it() -> None:
    message = give_up(None, {"SEATRIAL_ENVIRONMENT": "{"})["message"]
    assert message.startswith("the variable SEATRIAL_ENVIRONMENT is not JSON: ")
    assert "member deadlineSeconds is missing" in give_up({}, {})["message"]
    content = {"deadlineSeconds": 60, "gatePort": free_port(), "applications": []}
    unknown = {**content, "services": [{"kind": "mongodb", "name": "mongodb"}]}
    assert "unknown kind mongodb" in give_up(unknown, {})["message"]
    assert give_up({**content, "services": [REDIS]}, {})["message"] == "the variable REDIS_HOST is not set"


def test_a_defect_is_said_without_credentials_and_ends_it() -> None:
    """A port that is no number is a defect of the operator; Python's message about it quotes the value."""
    content = {"deadlineSeconds": 60, "gatePort": free_port(), "services": [REDIS], "applications": []}
    with started(content, redis_at(1) | {"REDIS_PORT": "hunter2-secret"}) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    failed = json.loads(stdout.splitlines()[-1])
    assert failed["reason"] == "InternalError"
    assert failed["message"] == "ValueError: invalid literal for int() with base 10: '[redacted]'"
    assert "Traceback" in stderr
    assert "hunter2" not in stdout + stderr


def test_a_gate_port_that_is_taken_is_said() -> None:
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with started({"deadlineSeconds": 1, "gatePort": port, "services": [], "applications": []}, {}) as process:
            stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Address already in use" in json.loads(stdout.splitlines()[-1])["message"]
