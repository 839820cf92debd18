"""The environment pod's process, as the pod runs it: its input in a variable, its events on stdout."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import seatrial
from seatrial.local.addresses import hold_free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OPERATOR = Path(seatrial.__file__).parents[1]
TERMINAL = ("open", "failed")


def free_port() -> int:
    """A port that was free a moment ago, and that no connection of somebody else is given meanwhile."""
    with hold_free_port() as held:
        port: int = held.getsockname()[1]
        return port


@dataclass
class Agent:
    """A running environment pod."""

    process: subprocess.Popen[str]
    gate_port: int
    said: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def until(self, *kinds: str) -> dict[str, Any]:
        """Read on to the next event of one of these kinds."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            event = json.loads(line)
            self.said.append(event)
            if event["t"] in kinds:
                found: dict[str, Any] = event
                return found
        assert self.process.stderr is not None
        ended = f"it ended with {self.process.wait()} before it said any of {kinds}"
        raise AssertionError(f"{ended}: {self.said}\n{self.process.stderr.read()}")

    def kinds(self) -> list[str]:
        """What was said so far, in short, without waiting."""
        return [" ".join([event["t"], event.get("name", "")]).strip() for event in self.said if event["t"] != "waiting"]

    def ask_gate(self) -> socket.socket:
        """A connection on which GET /gate was sent."""
        client = socket.create_connection(("127.0.0.1", self.gate_port), timeout=60)
        client.sendall(b"GET /gate HTTP/1.1\r\nHost: environment:8377\r\n\r\n")
        return client


def answer(client: socket.socket) -> tuple[int, str]:
    """Status and body; closes the connection."""
    with client, client.makefile("rb") as stream:
        head, _, body = stream.read().partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


@contextmanager
def environment(
    *,
    services: Sequence[Mapping[str, Any]] = (),
    applications: Sequence[Mapping[str, Any]] = (),
    variables: Mapping[str, str] | None = None,
    deadline: float = 60,
) -> Iterator[Agent]:
    """Run it, and end it as the kubelet does."""
    port = free_port()
    content = {"deadlineSeconds": deadline, "gatePort": port, "services": services, "applications": applications}
    with started(content, variables or {}) as process:
        yield Agent(process, port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@contextmanager
def started(content: Any, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The bare process with that input; killed at the latest when the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "seatrial.agent.environment"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(OPERATOR), "PYTHONWARNINGS": "error"}
        | {"SEATRIAL_ENVIRONMENT": json.dumps(content)}
        | dict(variables),
    ) as process:
        try:
            yield process
        finally:
            process.kill()
