"""A service or an application that fails ends the run with its own last words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from .ends import End, error, expect
from .kubectl import kubectl

if TYPE_CHECKING:
    from .kubectl import Tenant

pytestmark = pytest.mark.e2e

ONE = "def test_one(): pass\n"
WAIT = "import time\ntime.sleep(600)\n"
IMAGE = "localhost/seatrial/suite:dev"
HANGS_UP = """\
import os, socket
socket.create_server(("", 8080)).accept()
print("the exchange has hung up", flush=True)
os._exit(3)
"""


class Case(NamedTuple):
    """What a run has, and how it ends."""

    end: End
    services: dict[str, Any] = {}  # noqa: RUF012  (not changed)
    sql: str = ""
    source: str = ONE
    more: dict[str, Any] = {}  # noqa: RUF012


WITH_SQL = {"postgres": {"initSQL": {"configMapRef": {"name": "sql"}}}}

SERVICES = {
    "of-an-unknown-version": Case(
        error("UnknownVersion", "redis", "2.6", "it has: 7", passed=""),
        {"redis": {"version": "2.6"}},
    ),
    "with-wrong-sql": Case(
        error("SeedFailed", "001.sql", "line 2", "CREATE TABEL", 'syntax error at or near "TABEL"'),
        WITH_SQL,
        "CREATE TABLE a (id int);\nCREATE TABEL b (id int);\n",
    ),
    "with-sql-that-never-ends": Case(
        error("SeedFailed", "postgres is ready but not seeded", "5 s", "001.sql was still running"),
        WITH_SQL,
        "SELECT pg_sleep(600);\n",
        more={"timeouts": {"provision": "5s"}},
    ),
    "with-a-topic-that-is-refused": Case(
        error("SeedFailed", "kafka", "orders", "retention.ms"),
        {"kafka": {"topics": [{"name": "orders", "config": {"retention.ms": "soon"}}]}},
    ),
    "that-ends-in-the-middle": Case(
        error("ServiceFailed", "redis", "Completed, exit code 0", "User requested shutdown", passed="1/2"),
        {"redis": {}},
        source="import os, redis, time\n"
        "def test_one(): pass\n"
        "def test_two():\n"
        "    redis.Redis.from_url(os.environ['REDIS_URL']).shutdown(nosave=True)\n"
        "    time.sleep(600)\n",
    ),
    "that-needs-too-much-memory": Case(
        error("ServiceFailed", "redis", "OOMKilled", "exit code 137", passed="1/2"),
        {"redis": {}},
        source="import os, redis, time\n"
        "def test_one(): pass\n"
        "def test_two():\n"
        "    client = redis.Redis.from_url(os.environ['REDIS_URL'])\n"
        "    try:\n"
        "        for number in range(1000): client.set(str(number), os.urandom(4 << 20))\n"
        "    except redis.ConnectionError:\n"
        "        time.sleep(600)\n",
    ),
}

APPLICATIONS = {
    "that-crashes-at-its-start": Case(
        error("ApplicationFailed", "app", "exit code 1", "no exchange key is configured"),
        more={"command": ["python3", "-c", "raise SystemExit('no exchange key is configured')"]},
    ),
    "that-crashes-in-the-middle": Case(
        error("ApplicationFailed", "app", "exit code 3", "the exchange has hung up", passed="1/2"),
        source="import socket, time\n"
        "def test_one(): pass\n"
        "def test_two():\n"
        "    socket.create_connection(('app', 8080)).close()\n"
        "    time.sleep(600)\n",
        more={
            "command": [
                "python3",
                "-c",
                HANGS_UP,
            ],
            "ports": [{"name": "http", "port": 8080}],
        },
    ),
    "that-ends-with-code-0": Case(
        error("ApplicationFailed", "app", "Completed, exit code 0", "nothing to do"),
        more={"command": ["python3", "-c", "print('nothing to do')"]},
    ),
    "that-needs-too-much-memory": Case(
        error("ApplicationFailed", "app", "OOMKilled"),
        more={
            "command": ["python3", "-c", "bytearray(b'x') * (1 << 30)"],
            "resources": {"limits": {"memory": "64Mi"}},
        },
    ),
    "that-lacks-a-key-of-its-configuration": Case(
        error("ContainerRefused", "application app", "couldn't find key exchange"),
        more={
            "command": ["python3", "-c", WAIT],
            "env": [{"name": "EXCHANGE", "valueFrom": {"configMapKeyRef": {"name": "tests", "key": "exchange"}}}],
        },
    ),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service(name: str, tenant: Tenant) -> None:
    case = SERVICES[name]
    tenant.tests("service", case.source)
    if case.sql:
        tenant.config_map("sql", **{"001_sql": case.sql})
    tenant.run("service", services=case.services, **case.more)
    expect(tenant, "service", case.end)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application(name: str, tenant: Tenant) -> None:
    case = APPLICATIONS[name]
    tenant.tests("tests", case.source)
    suite = {"name": "it", "testsFrom": {"configMapRef": {"name": "tests"}}}
    tenant.run("application", suites=[suite], applications=[{"name": "app", "image": IMAGE, **case.more}])
    expect(tenant, "application", case.end)


def test_an_application_that_is_never_ready(tenant: Tenant) -> None:
    tenant.tests("never", ONE)
    app = {
        "name": "app",
        "image": IMAGE,
        "command": ["python3", "-m", "http.server", "8080"],
        "ports": [{"name": "http", "port": 8080}],
        "ready": {"http": {"path": "/healthz", "port": "http"}},
    }
    tenant.run("never", timeouts={"provision": "6s"}, applications=[app])
    expect(tenant, "never", error("ApplicationNotReady", "app", "/healthz", "404"))


def test_the_pod_of_a_service_deleted_by_hand(tenant: Tenant) -> None:
    tenant.tests("service", "import time\ndef test_one(): pass\ndef test_two(): time.sleep(600)\n")
    tenant.run("service", services={"redis": {}})
    namespace = tenant.in_phase("service", "Running")["status"]["namespace"]
    kubectl("delete", "pod", "redis", "-n", namespace, "--wait=false")
    tenant.finished("service")
    status = tenant.get("service")["status"]
    assert (status["phase"], status["reason"]) == ("Error", "ServiceFailed"), status
    assert "redis" in status["message"]


def test_a_config_map_that_is_not_there(tenant: Tenant) -> None:
    tenant.run("missing")
    expect(tenant, "missing", error("ConfigMapNotFound", f"{tenant.namespace}/missing", "does not exist"))
