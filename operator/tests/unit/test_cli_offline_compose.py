"""Compose files as projects have them: what the TestRun has, what is told, and that it passes `lint`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial.cli.compose import convert, read_compose
from seatrial.cli.compose.interpolate import Interpolator, parse_env
from seatrial.cli.compose.parts import Published, Ready, memory, ports, ready, resources
from seatrial.cli.compose.suites import pytest_of
from seatrial.cli.dump import dump_documents
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.lint import lint
from seatrial.cli.manifest import load_manifests

if TYPE_CHECKING:
    from pathlib import Path


class Result:
    """An imported file: its spec, its ConfigMaps by name, and what was told."""

    def __init__(self, folder: Path, text: str, environment: dict[str, str] | None = None, name: str = "shop") -> None:
        path = folder / "docker-compose.yml"
        path.write_text(text, encoding="utf-8")
        imported = convert(read_compose(path, environment or {}), name)
        manifest = folder / "testrun.yaml"
        manifest.write_text(dump_documents(imported.documents), encoding="utf-8")
        assert lint(load_manifests(manifest)) == [], "the result passes lint"
        assert list(yaml.safe_load_all(manifest.read_text(encoding="utf-8"))) == imported.documents
        self.notes = [str(note) for note in imported.notes]
        self.spec: dict[str, Any] = imported.documents[-1]["spec"]
        self.config_maps = {item["metadata"]["name"]: item["data"] for item in imported.documents[:-1]}

    def applications(self) -> dict[str, dict[str, Any]]:
        return {item["name"]: item for item in self.spec.get("applications", ())}

    def env(self, application: str) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.applications()[application].get("env", ())}

    def told(self, *parts: str) -> bool:
        return any(all(part in note for part in parts) for note in self.notes)


CONFLUENT = """\
version: '3.8'
services:
  zookeeper:
    image: confluentinc/cp-zookeeper:7.5.0
    environment: {ZOOKEEPER_CLIENT_PORT: 2181}
  broker:
    image: confluentinc/cp-kafka:${CP_VERSION:-7.5.0}
    hostname: broker
    depends_on: [zookeeper]
    ports: ["9092:9092", "9101:9101"]
    environment:
      KAFKA_BROKER_ID: 1
      KAFKA_ADVERTISED_LISTENERS: PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false"
  schema-registry:
    image: confluentinc/cp-schema-registry:7.5.0
    depends_on: [broker]
    ports: ["8081:8081"]
    environment:
      SCHEMA_REGISTRY_HOST_NAME: schema-registry
      SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS: 'broker:29092'
  control-center:
    image: confluentinc/cp-enterprise-control-center:7.5.0
    ports: ["9021:9021"]
  init-kafka:
    image: confluentinc/cp-kafka:7.5.0
    depends_on: [broker]
    entrypoint: ['/bin/sh', '-c']
    command: |
      "
      kafka-topics --bootstrap-server broker:29092 --list
      kafka-topics --bootstrap-server broker:29092 --create --if-not-exists --topic orders --partitions 3
      kafka-topics --bootstrap-server broker:29092 --create --topic trades --config cleanup.policy=compact
      "
  api:
    build: ./api
    ports: ["${API_PORT:-8080}:8000"]
    environment:
      KAFKA_BROKERS: broker:29092
      REGISTRY: http://schema-registry:8081
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost:8000/health?full=1"], interval: 5s}
    restart: always
  tests:
    build: {context: ., dockerfile: Dockerfile.tests}
    command: sh -c "wait-for-it api:8000 && pytest -v -m 'not slow' -k fills --maxfail 1 tests/integration"
    environment: [API=http://api:8000]
"""


def test_confluent_with_zookeeper_and_a_topic_helper(tmp_path: Path) -> None:
    result = Result(tmp_path, CONFLUENT)
    assert result.spec["services"] == {
        "kafka": {
            "autoCreateTopics": False,
            "topics": [
                {"name": "orders", "partitions": 3},
                {"name": "trades", "config": {"cleanup.policy": "compact"}},
            ],
        },
    }
    applications = result.applications()
    assert list(applications) == ["schema-registry", "api"]
    assert applications["api"]["image"] == "shop/api:dev"
    assert applications["api"]["ports"] == [{"name": "http", "port": 8000}]
    assert applications["api"]["ready"] == {"http": {"path": "/health?full=1", "port": "http"}}
    assert result.env("api") == {"KAFKA_BROKERS": "kafka:9092", "REGISTRY": "http://schema-registry:8081"}
    assert result.env("schema-registry")["SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS"] == "kafka:9092"
    (suite,) = result.spec["suites"]
    assert suite["pytest"] == {
        "paths": ["tests/integration"], "markers": "not slow", "keyword": "fills", "args": ["-v", "--maxfail", "1"],
    }  # fmt: skip
    assert suite["env"] == [{"name": "API", "value": "http://api:8000"}]
    for told in (
        ("zookeeper: not needed",),
        ("broker: the run's own settings take the place of ports, KAFKA_BROKER_ID, KAFKA_ADVERTISED_LISTENERS",),
        ("control-center: left out",),
        ("broker: is kafka in a run",),
        ("api.environment: KAFKA_BROKERS: the addresses in it are those of a run, such as kafka:9092",),
        ("api.ports: is reached as api:8000; 8080 is a port of the host",),
        ("api.restart",),
        ("api.build: build ./api as shop/api:dev",),
        ("tests.command: `wait-for-it api:8000 &&` is left out",),
    ):
        assert result.told(*told), told


BITNAMI = """\
services:
  kafka-0:
    image: docker.io/bitnami/kafka:3.6
    volumes: ["kafka_0_data:/bitnami/kafka"]
    environment: [KAFKA_CFG_NODE_ID=0, KAFKA_CFG_AUTO_CREATE_TOPICS_ENABLE=true]
  kafka-1:
    image: docker.io/bitnami/kafka:3.6
    environment: [KAFKA_CFG_NODE_ID=1]
  cache:
    image: bitnami/redis:7.2
    environment: [ALLOW_EMPTY_PASSWORD=yes]
  worker:
    image: registry.example.com/team/worker:1.2
    environment:
      - BROKERS=kafka-0:9092,kafka-1:9092
      - CACHE_HOST=cache
      - CACHE=redis://:secret@cache:6379/0
      - HOME_DIR
    command: ["worker", "--broker", "kafka-0:9092"]
    user: "1001:1001"
    deploy: {replicas: 2, resources: {limits: {cpus: '0.50', memory: 512M}, reservations: {memory: 64m}}}
volumes: {kafka_0_data: {}}
"""


def test_bitnami_with_two_brokers(tmp_path: Path) -> None:
    result = Result(tmp_path, BITNAMI)
    assert result.spec["services"] == {"kafka": {}, "redis": {}}
    (worker,) = result.spec["applications"]
    assert worker["args"] == ["worker", "--broker", "kafka:9092"]
    assert worker["runAsUser"] == 1001
    assert worker["resources"] == {"limits": {"cpu": "0.50", "memory": "512Mi"}, "requests": {"memory": "64Mi"}}
    assert result.env("worker") == {
        "BROKERS": "kafka:9092,kafka:9092", "CACHE_HOST": "redis", "CACHE": "redis://:secret@redis:6379/0",
    }  # fmt: skip
    assert result.told("kafka-1: left out: a run has one broker")
    assert result.told("worker.environment: HOME_DIR takes its value from the shell")
    assert result.told("worker.environment: CACHE names redis: its password is drawn for each run: read REDIS_URL")
    assert result.told("worker.deploy")
    assert not any("secret" in note for note in result.notes), "no password is told"
    assert result.told("suites: no service runs pytest")


WURSTMEISTER = """\
version: '2'
services:
  zookeeper:
    image: wurstmeister/zookeeper
  kafka:
    image: wurstmeister/kafka:2.13-2.8.1
    ports: ["9092"]
    environment:
      KAFKA_ADVERTISED_HOST_NAME: 192.168.99.100
      KAFKA_CREATE_TOPICS: "Topic1:1:3,Topic2:1:1:compact,no good:0:1"
      KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181
    volumes: ["/var/run/docker.sock:/var/run/docker.sock"]
  app:
    image: app:1
    environment: {KAFKA_BOOTSTRAP_SERVERS: "kafka:9092", ZOO: "zookeeper:2181"}
    links: [kafka]
"""


def test_wurstmeister_with_topics_in_a_variable(tmp_path: Path) -> None:
    result = Result(tmp_path, WURSTMEISTER)
    assert result.spec["services"]["kafka"]["topics"][:2] == [
        {"name": "Topic1"}, {"name": "Topic2", "config": {"cleanup.policy": "compact"}},
    ]  # fmt: skip
    assert result.env("app") == {"ZOO": "zookeeper:2181"}, "what the run sets itself is left to it"
    assert result.told("app.environment: KAFKA_BOOTSTRAP_SERVERS is left out: the run sets it")
    assert result.told("kafka.topics: good:0 is no topic")


REDPANDA = """\
name: redpanda-quickstart
services:
  redpanda-0:
    image: docker.redpanda.com/redpandadata/redpanda:v23.3.5
    container_name: redpanda-0
    command:
      - redpanda
      - start
      - --schema-registry-addr internal://0.0.0.0:8081,external://0.0.0.0:18081
      - --smp 1
    ports: [18081:18081, 18082:18082, 19092:19092, 19644:9644]
  console:
    image: docker.redpanda.com/redpandadata/console:v2.4.3
    entrypoint: /bin/sh
    ports: [8080:8080]
  topics:
    image: docker.redpanda.com/redpandadata/redpanda:v23.3.5
    command: topic create ignored
    entrypoint: ["sh", "-c", "rpk topic create orders trades -p 3 --brokers redpanda-0:9092"]
  consumer:
    image: ghcr.io/example/consumer:2
    environment: {BROKER: "redpanda-0:9092", REGISTRY: "http://redpanda-0:8081", PROXY: "http://proxy:3128"}
    expose: [9000]
    healthcheck: {test: "nc -z localhost 9000 || exit 1"}
"""


def test_redpanda_with_its_console(tmp_path: Path) -> None:
    result = Result(tmp_path, REDPANDA, name="")
    assert result.spec["services"]["redpanda"]["schemaRegistry"] is True
    assert {topic["name"]: topic["partitions"] for topic in result.spec["services"]["redpanda"]["topics"]}[
        "orders"
    ] == 3
    assert result.env("consumer") == {
        "BROKER": "redpanda:9092", "REGISTRY": "http://redpanda:8081", "PROXY": "http://proxy:3128",
    }  # fmt: skip
    assert result.applications()["consumer"]["ready"] == {"tcp": {"port": "port-9000"}}
    assert result.told("console: left out")


TIMESCALE = """\
x-common: &common
  restart: unless-stopped
  environment: &env
    LOG_LEVEL: ${LOG_LEVEL:-info}
    TZ: UTC
services:
  timescaledb:
    image: timescale/timescaledb:latest-pg15
    environment:
      POSTGRES_DB: ${DB_NAME}
      POSTGRES_USER: trader
      POSTGRES_PASSWORD: ${DB_PASSWORD:?set it in .env}
    volumes:
      - ./sql:/docker-entrypoint-initdb.d:ro
      - data:/var/lib/postgresql/data
  influx:
    image: influxdb:2.7
    environment:
      {DOCKER_INFLUXDB_INIT_ORG: desk, DOCKER_INFLUXDB_INIT_BUCKET: ticks, DOCKER_INFLUXDB_INIT_ADMIN_TOKEN: t}
  Order_Service:
    <<: *common
    image: orders:3
    environment:
      <<: *env
      DSN: postgresql://trader:pw@timescaledb:5432/market
      INFLUX: http://influx:8086
      DEBUG: true
      WORKERS: 4
    healthcheck:
      test: ["CMD-SHELL", "pg_isready || python -c 'import app'"]
      retries: 5
  tests:
    extends: Order_Service
    command: ["python", "-m", "pytest", "-q", "tests", "--junitxml", "out.xml"]
    profiles: [test]
secrets: {key: {file: ./key}}
"""


def test_timescale_with_sql_anchors_and_variables(tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "001.sql").write_text("CREATE TABLE a (id int);\n")
    (tmp_path / "sql" / "002.sh").write_text("exit\n")
    (tmp_path / ".env").write_text("DB_NAME=market # the database\nDB_PASSWORD='pw'\n")
    result = Result(tmp_path, TIMESCALE)
    assert result.spec["services"] == {
        "postgres": {"database": "market", "initSQL": {"configMapRef": {"name": "shop-sql"}}},
        "influxdb": {"org": "desk", "bucket": "ticks"},
    }
    assert result.config_maps["shop-sql"] == {"001.sql": "CREATE TABLE a (id int);\n"}
    assert list(result.applications()) == ["order-service"]
    assert result.env("order-service") == {
        "LOG_LEVEL": "info", "TZ": "UTC", "DSN": "postgresql://trader:pw@postgres:5432/market",
        "INFLUX": "http://influxdb:8086", "DEBUG": "true", "WORKERS": "4",
    }  # fmt: skip
    assert result.applications()["order-service"]["ready"]["exec"]["command"][:2] == ["sh", "-c"]
    (suite,) = result.spec["suites"]
    assert (suite["image"], suite["pytest"]) == (
        "orders:3",
        {"paths": ["tests"], "args": ["-q", "--junitxml", "out.xml"]},
    )
    assert {item["name"] for item in suite["env"]} >= {"DSN", "LOG_LEVEL"}
    for told in (
        "the extension timescaledb is not there",
        "002.sh: only .sql",
        "Order_Service: is order-service",
        "tests.profiles",
        "secrets: ",
    ):
        assert result.told(told), told


def test_a_variable_that_must_be_set(tmp_path: Path) -> None:
    with pytest.raises(
        CliError, match=r"docker-compose\.yml: the variable DB_PASSWORD is not set: set it in \.env"
    ) as caught:
        Result(tmp_path, TIMESCALE)
    assert caught.value.exit is Exit.USAGE


def test_a_first_suite_connects_to_everything(tmp_path: Path) -> None:
    result = Result(tmp_path, "services: {db: {image: postgres}, web: {image: 'web:1', ports: ['80']}}")
    (suite,) = result.spec["suites"]
    text = result.config_maps[suite["testsFrom"]["configMapRef"]["name"]]["test_environment.py"]
    ast.parse(text)
    assert '("web", 80),' in text
    assert 'int(os.environ["DATABASE_PORT"])' in text


def test_names_that_a_run_has_already(tmp_path: Path) -> None:
    result = Result(
        tmp_path,
        "services: {environment: {image: 'a:1'}, 1st: {image: 'b:1'}, a_b: {image: 'c:1'}, a-b: {image: 'd:1', "
        "environment: {X: 'http://environment:1/'}}}",
    )
    assert list(result.applications()) == ["environment-app", "app-1st", "a-b", "a-b-2"]
    assert result.env("a-b-2") == {"X": "http://environment-app:1/"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no compose file"),
        ("- a", "is no compose file"),
        ("services: {}", "docker-compose.yml:1: services: expected a mapping with at least one service"),
        ("version: '3'\nservices:\n  a: text\n", "docker-compose.yml:3: services.a: must be a mapping"),
        ("services: {a: {image: x}, a: {image: y}}", "services.a is there twice"),
        ("services:\n\ta: 1", "docker-compose.yml:2:1: a tab stands here"),
        ("services: {a: {extends: b}, b: {extends: a}}", "leads back to"),
        ("services: {a: {image: '${1}'}}", "${1} is no variable"),
    ],
)
def test_what_is_no_compose_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CliError) as caught:
        Result(tmp_path, text)
    assert message in caught.value.message


def test_a_compose_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"none\.yml cannot be read: No such file or directory"):
        read_compose(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A-${A}", "1-1"),
        ("${A:-x}${B:-y}${E:-z}", "1yz"),
        ("${A-x}${B-y}${E-z}", "1y"),
        ("${B:-${A:-x}}", "1"),
        ("${A:+x}${B:+y}", "x"),
        ("$$A $ 5$", "$A $ 5$"),
        ("${B}", ""),
        ("${A:?no}", "1"),
    ],
)
def test_variables(tmp_path: Path, text: str, expected: str) -> None:
    assert Interpolator({"A": "1", "E": ""}, tmp_path).text(text) == expected


@given(st.text(alphabet="${}AB:-+?x "))
def test_any_text_is_interpolated_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    try:
        Interpolator({"A": "1"}, tmp_path_factory.getbasetemp()).text(text)
    except CliError as error:
        assert error.exit is Exit.USAGE  # noqa: PT017  (either outcome is right)


def test_env_files() -> None:
    text = "# c\nA=1\nexport B='two words'\nC=x # comment\nD=\nnot a line\n1E=2\nF=\"q\"\n"
    assert parse_env(text) == {"A": "1", "B": "two words", "C": "x", "D": "", "F": "q"}


@pytest.mark.parametrize(
    ("given_ports", "expected"),
    [
        (["8080:80"], [Published(80, "8080")]),
        (["127.0.0.1:8080:80/tcp"], [Published(80, "8080")]),
        ([80], [Published(80, "")]),
        ([{"target": 80, "published": 8080}], [Published(80, "8080")]),
        (["[::1]:8080:80"], [Published(80, "8080")]),
        (["53:53/udp", "3000-3005", "x", "0"], []),
    ],
)
def test_ports(given_ports: list[Any], expected: list[Published]) -> None:
    told: list[str] = []
    assert ports({"ports": given_ports}, lambda _key, reason: told.append(reason)) == expected
    assert len(told) == (0 if expected else len(given_ports))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (["CMD", "curl", "-f", "http://localhost:8080/h"], Ready(path="/h", port=8080)),
        ("curl --fail http://127.0.0.1/ || exit 1", Ready(path="/", port=80)),
        (["CMD-SHELL", "wget --spider -q localhost:9000/ping || exit 1"], Ready(path="/ping", port=9000)),
        (["CMD", "nc", "-z", "localhost", "5672"], Ready(port=5672)),
        (["CMD", "curl", "-k", "https://localhost/h"], Ready(command=("curl", "-k", "https://localhost/h"))),
        (
            "curl http://localhost/a && curl http://localhost/b",
            Ready(command=("sh", "-c", "curl http://localhost/a && curl http://localhost/b")),
        ),
        (["CMD", "curl", "http://other/h"], Ready(command=("curl", "http://other/h"))),
        (["NONE"], None),
    ],
)
def test_health_checks(test: Any, expected: Ready | None) -> None:
    assert ready({"healthcheck": {"test": test}}, "app") == expected


def test_resources() -> None:
    assert [memory(item) for item in ("512m", "1.5GB", "64kb", "100", "1t")] == ["512Mi", "1.5Gi", "64Ki", "100", None]
    assert resources({"mem_limit": "1g", "cpus": 0.5}) == {"limits": {"cpu": "0.5", "memory": "1Gi"}}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"command": "pytest"}, {}),
        ({"entrypoint": ["pytest"], "command": ["-x", "tests"]}, {"paths": ["tests"], "args": ["-x"]}),
        ({"command": "bash -lc 'sleep 5; pytest tests; exit 0'"}, {"paths": ["tests"]}),
        (
            {"command": "/venv/bin/pytest -p no:cacheprovider -m 'a and b'"},
            {"markers": "a and b", "args": ["-p", "no:cacheprovider"]},
        ),
        ({"command": "python app.py"}, None),
        ({}, None),
    ],
)
def test_calls_of_pytest(service: dict[str, Any], expected: dict[str, Any] | None) -> None:
    found = pytest_of(service, lambda _key, _reason: None)
    assert (found.as_spec() if found else None) == expected


def test_what_no_run_can_have(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"spec\.applications\[0\]\.image: should match pattern .*, not 'é'"):
        Result(tmp_path, "services: {a: {image: é}}")


SERVICE = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["kafka", "bitnami/redis:7", "postgres", "a:1", "é", "", "x" * 600]),
        "build": st.sampled_from([".", {"context": "x"}, {}]),
        "command": st.sampled_from(["pytest tests", "run 'x", ["a", 1], None, 3, "x" * 5000]),
        "environment": st.dictionaries(st.text(max_size=3), st.none() | st.text() | st.integers() | st.booleans())
        | st.lists(st.text()) | st.text(),
        "ports": st.lists(st.text(max_size=6) | st.integers() | st.just({"target": 80})),
        "healthcheck": st.sampled_from([{}, {"test": "curl"}, {"test": []}, {"test": ["CMD"]}, None, "x"]),
        "user": st.text(max_size=4),
        "deploy": st.sampled_from([{}, None, {"resources": {"limits": {"memory": "x"}}}]),
        "volumes": st.lists(
            st.sampled_from(["a:/docker-entrypoint-initdb.d", "./no.sql:/docker-entrypoint-initdb.d/x.sql", {}])
        ),
    },
)  # fmt: skip


@given(st.dictionaries(st.text(min_size=1, max_size=8), SERVICE, min_size=1, max_size=5), st.text())
def test_any_compose_file_becomes_a_valid_run(
    tmp_path_factory: pytest.TempPathFactory, services: dict[str, Any], name: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / "any.yml"
    path.write_text(yaml.safe_dump({"services": services}), encoding="utf-8")
    try:
        imported = convert(read_compose(path, {}), name)
    except CliError as error:
        assert error.exit is Exit.USAGE  # noqa: PT017  (either outcome is right)
        return
    manifest = folder / "any-run.yaml"
    manifest.write_text(dump_documents(imported.documents), encoding="utf-8")
    assert [problem for problem in lint(load_manifests(manifest)) if problem.severity == "error"] == []
