"""One file, one verdict: what can become of a run becomes of it on the cluster and on this machine alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.plugins import LEAN_ENV

from .engines import same_on_both

if TYPE_CHECKING:
    from pathlib import Path

    from .kubectl import Object, Tenant

pytestmark = pytest.mark.e2e

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
    same_on_both(file, name, tenant, {"XDG_STATE_HOME": str(tmp_path)})


def _config_map(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
