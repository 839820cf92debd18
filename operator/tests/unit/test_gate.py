"""The gate as an init container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .suite_pod import OPERATOR, GateServer, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def gate() -> Iterator[GateServer]:
    server = GateServer()
    yield server
    server.close()


def start(**variables: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(OPERATOR), **variables}
    command = [sys.executable, "-m", "seatrial.agent.gate"]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait(**variables: str) -> tuple[int, str, str]:
    with start(**variables) as process:
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors


def test_an_open_gate(gate: GateServer) -> None:
    gate.listen().decide()
    status, output, errors = wait(SEATRIAL_GATE=gate.url, SEATRIAL_GATE_SECONDS="60")
    assert (status, errors) == (0, "")
    assert output.startswith("the gate opened after ")


def test_a_failed_environment(gate: GateServer) -> None:
    gate.listen().decide(503, "redis: no answer")
    status, _, errors = wait(SEATRIAL_GATE=gate.url, SEATRIAL_GATE_SECONDS="60")
    assert (status, errors) == (1, "the environment failed: redis: no answer\n")


def test_a_gate_that_stays_closed(gate: GateServer) -> None:
    gate.listen()
    status, _, errors = wait(SEATRIAL_GATE=gate.url, SEATRIAL_GATE_SECONDS="0.5")
    assert status == 1
    assert errors.startswith(f"the gate {gate.url} did not open within 0.5 s; last attempt: ")


def test_being_stopped(gate: GateServer) -> None:
    gate.listen()
    with start(SEATRIAL_GATE=gate.url, SEATRIAL_GATE_SECONDS="60") as process:
        until(gate.asked.is_set, "the gate is asked")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "the variable SEATRIAL_GATE is not set"),
        ({"SEATRIAL_GATE": "http://gate:1/"}, "the variable SEATRIAL_GATE_SECONDS is not set"),
        ({"SEATRIAL_GATE": "gate", "SEATRIAL_GATE_SECONDS": "1"}, "expected http://host:port/path"),
        ({"SEATRIAL_GATE": "http://gate:1/", "SEATRIAL_GATE_SECONDS": "soon"}, "could not convert string to float"),
    ],
)
def test_wrong_variables(variables: dict[str, str], message: str) -> None:
    status, _, errors = wait(**variables)
    assert status == 1
    assert message in errors
    assert "Traceback" not in errors
