"""One file, one verdict: the same manifests on the cluster and on this machine, and their status documents compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.influxd import take_influxd
from tests.plugins import LEAN_ENV
from tests.statuses import differences

from .kubectl import ROOT, kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from .kubectl import Object, Tenant

pytestmark = pytest.mark.e2e

SECONDS = 180
MIXED = """
import os, pytest

def test_passes(): pass
def test_fails(): assert os.environ["SEATRIAL_SUITE"] == "another"
@pytest.mark.skip(reason="later")
def test_is_skipped(): pass
@pytest.mark.xfail(reason="known", strict=True)
def test_fails_as_expected(): assert False
@pytest.fixture
def broken(): raise RuntimeError("no fixture")
def test_errors(broken): pass
"""
FLAKY = """
import pathlib, tempfile

def test_is_flaky():
    tried = pathlib.Path(tempfile.gettempdir(), "tried")
    if not tried.exists():
        tried.touch()
        raise AssertionError("the first time")
"""
EVERYTHING = """
import asyncio, os
import asyncpg, redis
from aiokafka import AIOKafkaProducer

def test_redis(): assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()

def test_postgres():
    async def ask():
        connection = await asyncpg.connect(os.environ["DATABASE_URL"])
        try:
            return await connection.fetchval("SELECT count(*) FROM orders")
        finally:
            await connection.close()
    assert asyncio.run(ask()) == 1

def test_kafka():
    async def send():
        producer = AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"])
        await producer.start()
        try:
            return len(await producer.partitions_for("ticks"))
        finally:
            await producer.stop()
    assert asyncio.run(send()) == 3
"""
SCHEMA = "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1);"
SHARED = "import pytest\n@pytest.mark.parametrize('n', range(7))\ndef test_it(n): pass\n"


def suite(name: str = "it", **more: Any) -> Object:
    return {"name": name, "testsFrom": {"configMapRef": {"name": "tests"}}, "env": LEAN_ENV, **more}


CASES: dict[str, tuple[str, Object]] = {
    "passes": ("def test_it(): pass\n", {}),
    "mixed": (MIXED, {}),
    "flaky": (FLAKY, {"suites": [suite(retries=1)]}),
    "everything": (
        EVERYTHING,
        {
            "services": {
                "kafka": {"topics": [{"name": "ticks", "partitions": 3}]},
                "redis": {},
                "postgres": {"initSQL": {"configMapRef": {"name": "schema"}}},
            }
        },
    ),
    "shards": (SHARED, {"suites": [suite(shards=3)]}),
    "two-suites": ("def test_it(): pass\n", {"suites": [suite("one"), suite("two")], "parallelism": 2}),
    "no-tests": ("x = 1\n", {}),
    "collection-error": ("import does_not_exist\n", {}),
    "usage-error": ("def test_it(): pass\n", {"suites": [suite(pytest={"args": ["--no-such-option"]})]}),
    "ends-early": ("import os\ndef test_it(): os._exit(0)\n", {}),
    # Long enough for pytest to start on a busy machine: the timeout counts from the gate.
    "timeout": ("import time\ndef test_it(): time.sleep(600)\n", {"suites": [suite(timeout="15s")]}),
    "wrong-sql": (
        "def test_it(): pass\n",
        {"services": {"postgres": {"initSQL": {"configMapRef": {"name": "no-schema"}}}}},
    ),
}
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with the one server that no package brings."""
    folder = tmp_path_factory.mktemp("bin")
    take_influxd(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_both_engines_say_the_same(name: str, tenant: Tenant, tmp_path: Path) -> None:
    source, more = CASES[name]
    spec = {"suites": [suite()], "retention": {"onFailure": "0s"}, **more}
    maps = [
        _config_map("tests", {"test_it.py": source}),
        _config_map("schema", {"1.sql": SCHEMA}),
        _config_map("no-schema", {"1.sql": "CREATE TABEL orders ();"}),
    ]
    run = {"apiVersion": "seatrial.dev/v1alpha1", "kind": "TestRun", "metadata": {"name": name}, "spec": spec}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump_all([*maps, run]))
    _compare(file, name, tenant, {"XDG_STATE_HOME": str(tmp_path)})


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_they_say_the_same_of_every_example(file: Path, tenant: Tenant, influxd: Path, tmp_path: Path) -> None:
    path = f"{influxd}{os.pathsep}{os.environ['PATH']}"
    _compare(file, file.stem, tenant, {"XDG_STATE_HOME": str(tmp_path), "PATH": path})


def _compare(file: Path, name: str, tenant: Tenant, env: dict[str, str]) -> None:
    kubectl("apply", "-n", tenant.namespace, "-f", str(file))
    here, code = _run_locally(file, env)
    there = tenant.finished(name, SECONDS)["status"]
    expected = {"Passed": 0, "Failed": 1}.get(there["phase"], 2)
    assert (here["phase"], here["reason"], code) == (there["phase"], there["reason"], expected), here["message"]
    found = differences(here, there)
    assert not found, f"this machine, the cluster:\n{yaml.safe_dump(found, width=200)}"


def _config_map(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _run_locally(file: Path, env: dict[str, str]) -> tuple[Object, int]:
    """Status and exit code."""
    command = [sys.executable, "-m", "seatrial.cli", "run", file.name, "-o", "json"]
    done = subprocess.run(
        command, cwd=file.parent, env=os.environ | env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout)["status"]), done.returncode
