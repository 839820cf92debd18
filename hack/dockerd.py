"""A Docker daemon for tests: in name spaces of its own, so that the machine's network and containers are not touched.

    python -m hack.dockerd COMMAND...    runs a command beside a daemon that has the images of `make images`

Needs root. What is not on PATH comes out of Debian's packages `docker.io` and `tini`, which are unpacked and not
installed: their set-up would start a daemon and change the machine's packet filter.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hack import apt, docker_archive
from hack.cluster.layout import cache_directory
from images.settings import from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CACHE = cache_directory() / "docker"
DEBIAN = ("docker.io", "tini")
PROGRAMS = ("dockerd", "docker", "containerd", "runc")
START_SECONDS = 60.0


class DockerError(Exception):
    """There is no daemon, and why."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that answers."""

    environment: Mapping[str, str]
    """With which clients find it, and the client is found."""
    around: tuple[str, ...]
    """Comes before commands that are to have the daemon's network."""

    def docker(self, *arguments: str) -> str:
        """What the client says. Raises DockerError."""
        done = subprocess.run(
            ["docker", *arguments], env=dict(self.environment), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DockerError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def load(self, archive: Path, *tags: str) -> None:
        """Load the archive of an image under the name that it has, and others. Raises DockerError."""
        with subprocess.Popen(
            ["docker", "load", "--quiet"],
            env=dict(self.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as client:
            assert client.stdin is not None  # noqa: S101 - asked for above
            assert client.stdout is not None  # noqa: S101 - asked for above
            name = ""
            with suppress(BrokenPipeError), client.stdin:
                name = docker_archive.write(archive, client.stdin)
            said = client.stdout.read().decode()
        if client.returncode or not name:
            raise DockerError(f"docker load of {archive}: {said}")
        for tag in tags:
            self.docker("tag", name, tag)


def programs() -> str:
    """A PATH with all that is needed. Raises DockerError."""
    own = f"{CACHE}/usr/bin:{CACHE}/usr/sbin"
    path = f"{os.environ.get('PATH', os.defpath)}:{own}"
    if missing(path):
        _unpack()
    if gone := missing(path):
        raise DockerError(
            f"not found: {', '.join(gone)}. Install Docker, or (Debian and Ubuntu, as root): apt-get install containerd"
        )
    return path


def missing(path: str) -> list[str]:
    """What is not there."""
    gone = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    return gone if _init(path) else [*gone, "docker-init"]


def _init(path: str) -> str | None:
    """What is process 1 of containers with --init; on its own, for it is run in all kinds of images."""
    return next((found for name in ("docker-init", "tini-static") if (found := shutil.which(name, path=path))), None)


def _unpack() -> None:
    if shutil.which("apt-get") is None:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        try:
            apt.download(DEBIAN, Path(folder))
        except apt.AptError as error:
            raise DockerError(str(error)) from None
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, CACHE], check=True)


def running() -> Daemon | None:
    """The daemon of this machine, if one answers."""
    found = Daemon(dict(os.environ), ())
    with suppress(DockerError, FileNotFoundError):
        found.docker("version")
        return found
    return None


@contextmanager
def daemon(folder: Path) -> Iterator[Daemon]:
    """A daemon with its data in a folder that is its own, on a file system that overlays can be on.

    Raises DockerError.
    """
    path = programs()
    socket, log = folder / "docker.sock", folder / "dockerd.log"
    environment = {**os.environ, "PATH": path, "DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(folder)}
    (folder / "config.json").write_text("{}")  # other programs than Docker expect that it is there
    group = f"/seatrial-docker-{os.getpid()}"
    command = [
        *("dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"),
        *(f"--host=unix://{socket}", f"--init-path={_init(path)}", f"--cgroup-parent={group}"),
        *("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--bip=172.29.0.1/24"),
    ]
    # Process 1 of its name space: with it all that it has started ends, and so do its mounts and its network.
    room = [
        "setpriv",
        "--pdeathsig=KILL",
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--mount-proc",
        "--fork",
        "--kill-child=SIGKILL",
    ]
    script = 'ip link set lo up; exec "$@"'
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*room, "/bin/sh", "-euc", script, "sh", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        found = Daemon(environment, ())
        _await(process, found, log)
        yield Daemon(environment, ("nsenter", f"--net=/proc/{_child(process.pid)}/ns/net", "--"))
    finally:
        _stop(process)
        _remove_groups(group)


def _await(process: subprocess.Popen[bytes], found: Daemon, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            found.docker("version")
        except DockerError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise DockerError(f"dockerd does not answer: {error}. Its last words:\n{tail}") from None
            time.sleep(0.1)  # between two looks
        else:
            return


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """At once: with process 1 of the name space the kernel ends all that is in it, and nothing of it is kept."""
    try:
        os.kill(_child(process.pid), signal.SIGKILL)
    except (OSError, IndexError):
        process.kill()
    process.wait()


def _remove_groups(group: str) -> None:
    """Control groups are not part of the name spaces."""
    for top in Path("/sys/fs/cgroup").glob(f"*{group}"):
        for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            top.rmdir()


def main(command: Sequence[str]) -> int:
    """Run a command beside a daemon that has the images which were built."""
    with tempfile.TemporaryDirectory(prefix="seatrial-docker-") as folder, daemon(Path(folder)) as found:
        for archive in sorted(from_environment().archives.glob("*.tar")):
            found.load(archive)
        return subprocess.run([*found.around, *command], env=dict(found.environment), check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DockerError as problem:
        sys.exit(f"error: {problem}")
