"""A suite pod made of processes: the supervisor around a real pytest, the relay beside it, and a gate."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import seatrial
from seatrial.agent.inpod import supervisor
from seatrial.lines import decode
from seatrial.records import Attempt, Collected, End, Finish, Record
from tests.plugins import LEAN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

R = TypeVar("R", bound=tuple[object, ...])

SUITE_PYTHON = os.environ.get("SEATRIAL_SUITE_PYTHON", sys.executable)
"""The interpreter of the suite's image: another one shows that the in-pod files run on it."""
OPERATOR = Path(seatrial.__file__).parents[1]
SUPERVISOR = Path(supervisor.__file__)


def plugin_source() -> Path:
    """The plugin as it is installed, which is where the operator takes it from, too."""
    spec = importlib.util.find_spec("pytest_seatrial")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def catches_sigterm(pid: int) -> bool:
    """Whether a process is ready for SIGTERM, which before would kill it (or, as PID 1, go unnoticed)."""
    found = re.search(r"^SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) & 1 << signal.SIGTERM - 1)


class GateServer:
    """Answers like the environment pod: holds ``GET /gate`` until opened or failed."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._answer = b""
        self._decided = threading.Event()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/gate"
        self._threads: list[threading.Thread] = []

    def listen(self) -> GateServer:
        """Before this connections are refused."""
        self._socket.listen()
        self._start(self._accept)
        return self

    def decide(self, status: int = 200, body: str = "open") -> GateServer:
        data = body.encode()
        self._answer = b"HTTP/1.1 %d Answer\r\nContent-Length: %d\r\n\r\n%s" % (status, len(data), data)
        self._decided.set()
        return self

    def close(self) -> None:
        self._decided.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            request = connection.recv(4096)
            if not request:
                return  # it ended between connecting and asking
            assert request.startswith(b"GET /gate HTTP/1.1\r\nHost: 127.0.0.1:"), request
            self.asked.set()
            self._decided.wait()
            connection.sendall(self._answer)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args))
        self._threads[-1].start()


@dataclass(frozen=True)
class Ended:
    """What is left of a suite pod."""

    records: list[Record]
    exit_status: int
    output: str
    relayed: bytes

    def all(self, cls: type[R]) -> list[R]:
        return [record for record in self.records if isinstance(record, cls)]

    def one(self, cls: type[R]) -> R:
        found = self.all(cls)
        assert len(found) == 1, (cls, self.records[-5:], self.output[-2000:])
        return found[0]

    @property
    def end(self) -> End:
        assert isinstance(self.records[-1], End), (self.records[-3:], self.output[-2000:])
        return self.one(End)

    @property
    def collected(self) -> Collected:
        return self.one(Collected)

    @property
    def finished(self) -> bool:
        return bool(self.all(Finish))

    def outcomes(self) -> list[tuple[str, str]]:
        """(name of the test without its file, outcome) of the final attempts."""
        return [(test.id.rpartition("::")[2], test.outcome) for test in self.all(Attempt) if test.final]


class SuitePod:
    """One container with the supervisor and one with the relay."""

    def __init__(self, folder: Path) -> None:
        self.suite, self.inpod, self.records = (folder / name for name in ("suite", "inpod", "records"))
        for path in (self.suite, self.inpod, self.records):
            path.mkdir(parents=True)
        shutil.copy(SUPERVISOR, self.inpod / "supervisor.py")
        shutil.copy(plugin_source(), self.inpod / "pytest_seatrial.py")
        self.log, self.relay_log = folder / "suite.log", folder / "relay.log"
        self.processes: list[subprocess.Popen[bytes]] = []

    def write(self, source: str, name: str = "test_suite.py") -> SuitePod:
        (self.suite / name).write_text(source, encoding="utf-8")
        return self

    def start(self, *args: str, flags: tuple[str, ...] = (), **variables: object) -> SuitePod:
        """Start both containers; variables are given without their prefix ``SEATRIAL_`` unless they have lower case."""
        environment = {
            "PATH": os.environ["PATH"],
            **LEAN,
            "SEATRIAL_RECORDS": str(self.records),
            "SEATRIAL_PYTEST_ARGS": json.dumps(args),
            **{f"SEATRIAL_{name.upper()}" if name.islower() else name: str(value) for name, value in variables.items()},
        }
        relay = {"PATH": os.environ["PATH"], "PYTHONPATH": str(OPERATOR), "SEATRIAL_RECORDS": str(self.records)}
        self.relay = self._spawn([sys.executable, "-m", "seatrial.agent.relay"], relay, self.relay_log)
        command = [SUITE_PYTHON, *flags, str(self.inpod / "supervisor.py")]
        self.supervisor = self._spawn(command, environment, self.log, cwd=self.suite)
        return self

    def wait(self, seconds: float = 120) -> Ended:
        """Until the supervisor ended; then end the relay as the kubelet does, and read what it printed."""
        status = self.supervisor.wait(seconds)
        until(lambda: catches_sigterm(self.relay.pid), "the relay waits for SIGTERM")
        self.relay.terminate()
        assert self.relay.wait(seconds) == 0, self.relay_log.read_text()
        return Ended(self.relayed(), status, self.log.read_text(errors="replace"), self.relay_log.read_bytes())

    def run(self, *args: str, seconds: float = 120, flags: tuple[str, ...] = (), **variables: object) -> Ended:
        return self.start(*args, flags=flags, **variables).wait(seconds)

    def relayed(self) -> list[Record]:
        """The records in the relay's complete lines, whose numbers must have no gap."""
        records: list[Record] = []
        for line in self.relay_log.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                batch = decode(line)
                assert batch.first == len(records) + 1
                records += batch.records
        return records

    def appeared(self, name: str) -> Path:
        """Wait for a file that a test makes."""
        path = self.suite / name
        until(path.exists, f"{name} in the suite's folder; the log says {self.log.read_text(errors='replace')}")
        return path

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _spawn(
        self, command: list[str], environment: dict[str, str], log: Path, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        with log.open("wb") as file:
            process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=cwd)
        self.processes.append(process)
        return process


def pods(folder: Path) -> Iterator[Callable[[], SuitePod]]:
    """Body of a fixture: makes suite pods and removes them."""
    made: list[SuitePod] = []

    def make() -> SuitePod:
        made.append(SuitePod(folder / f"pod{len(made)}"))
        return made[-1]

    yield make
    for pod in made:
        pod.close()
