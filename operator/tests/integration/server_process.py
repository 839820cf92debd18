"""A server started as its Launch says, and asked by the check of the environment pod."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.agent.environment.attempts import until_success
from seatrial.agent.environment.checks import load
from seatrial.agent.environment.input import Service, Topic
from seatrial.local.servers import EXTRA_PORTS, Launch, Search, Wanted, find_server
from seatrial.plan import Address
from tests.integration.agent_process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 120
TOPICS = (Topic("orders", 2, {"cleanup.policy": "compact"}),)


class PrepareFailedError(Exception):
    """A command of `prepare` did not end with 0; what it said."""


@dataclass
class Running:
    """A server that was started."""

    launch: Launch
    process: subprocess.Popen[bytes]
    log: Path

    def end(self) -> tuple[int, str]:
        """Wait until it has ended by itself: status and all that it said."""
        return self.process.wait(SECONDS), self.said

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Bench:
    """Where servers of a test are started."""

    root: Path
    search: Search
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(100)))

    def wanted(self, service: str, version: str | None = None, port: int | None = None) -> Wanted:
        folder = self.root / f"{service} {next(self.numbers)}"  # a path with a space in it
        folder.mkdir()
        address = Address("127.0.0.1", port or free_port())
        extra = {name: free_port() for name in EXTRA_PORTS.get(service, ())}
        return Wanted(service, version, address, folder, variables(service, address), extra_ports=extra)

    def launch(self, service: str, version: str | None = None, port: int | None = None) -> Launch:
        return find_server(self.wanted(service, version, port), self.search)

    @contextmanager
    def running(self, launch: Launch) -> Iterator[Running]:
        """As the engine does it: files, prepare, then the command in a process group of its own."""
        prepare(launch)
        log = self.root / f"{launch.folder.name}.log"
        others: tuple[int, ...] | None = None if launch.user is None else ()
        with (
            log.open("wb") as output,
            subprocess.Popen(
                launch.command,
                cwd=launch.folder,
                env=dict(launch.env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=launch.user,
                group=launch.group,
                extra_groups=others,
            ) as process,
        ):
            try:
                yield Running(launch, process, log)
            finally:
                process.send_signal(launch.stop)
                try:
                    process.wait(SECONDS)
                finally:
                    end_group(process.pid)


def end_group(group: int) -> None:
    """Nothing of it is left afterwards."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def prepare(launch: Launch) -> None:
    """Raises PrepareFailedError."""
    for name, content in launch.files.items():
        file = launch.folder / name
        file.touch(0o600)
        file.write_text(content)
    for command in launch.prepare:
        done = subprocess.run(
            command, cwd=launch.folder, env=dict(launch.env), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PrepareFailedError(done.stderr)


def variables(service: str, address: Address) -> dict[str, str]:
    """What the plan gives a run, with secrets drawn."""
    host, port, secret = address.host, str(address.port), secrets.token_hex(16)
    of = {
        "redis": {"REDIS_HOST": host, "REDIS_PORT": port, "REDIS_PASSWORD": secret},
        "postgres": {
            "DATABASE_HOST": host,
            "DATABASE_PORT": port,
            "DATABASE_NAME": "test",
            "DATABASE_USER": "test",
            "DATABASE_PASSWORD": secret,
        },
        "kafka": {"KAFKA_BOOTSTRAP_SERVERS": f"{host}:{port}"},
        "influxdb": {
            "INFLUXDB_URL": f"http://{host}:{port}",
            "INFLUXDB_ORG": "seatrial",
            "INFLUXDB_BUCKET": "test",
            "INFLUXDB_TOKEN": secret,
            "INFLUXDB_PASSWORD": secret,
        },
    }
    return of[service]


async def ready(running: Running, wanted: Wanted) -> None:
    """Until the server is ready and seeded, as the environment pod sees it; what it said is the message if it ends."""
    topics = TOPICS if wanted.service == "kafka" else ()
    service = Service(wanted.service, wanted.service, topics=topics)
    check = await asyncio.to_thread(load, service, wanted.variables)
    deadline = asyncio.get_running_loop().time() + SECONDS

    def waiting(seen: str) -> None:
        assert running.process.poll() is None, f"{running.launch.provider} has ended ({seen}):\n{running.said}"

    try:
        await until_success(check.attempt, deadline=deadline, on_waiting=waiting)
        await until_success(check.seed, deadline=deadline, on_waiting=waiting)
    finally:
        await check.close()


@contextmanager
def bench(search: Search) -> Iterator[Bench]:
    """In memory where there is some. Not pytest's folder: root has somebody else run PostgreSQL, who must reach it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="seatrial-", dir=memory if os.access(memory, os.W_OK) else None) as folder:
        Path(folder).chmod(0o711)
        yield Bench(Path(folder), search)
