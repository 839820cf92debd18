"""One file, one verdict: the same manifests on the cluster and on this machine, and their status documents compared."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from .kubectl import Object, Tenant

pytestmark = pytest.mark.e2e

SECONDS = 180
OTHERWISE = {"image", "namespace", "duration", "durationSeconds", "readyAfterSeconds", "lastTransitionTime"}
"""Members that no two runs have in common, or that are those of the engine."""
_ADDRESS = re.compile(r"\b[a-z0-9.-]+:\d{4,5}\b")
_POD = re.compile(r"\bsuite-[a-z]+-\d+(-[a-z0-9]{5})?\b")
_NUMBER = re.compile(r"\b\d+(\\.\d+)? s\b")

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
    return {"name": name, "testsFrom": {"configMapRef": {"name": "tests"}}, **more}


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
    "timeout": ("import time\ndef test_it(): time.sleep(600)\n", {"suites": [suite(timeout="2s")]}),
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
    tenant.apply(*maps, run)
    here, code = _run_locally([*maps, run], tmp_path)
    there = tenant.cleaned(name, SECONDS)["status"]
    expected = {"Passed": 0, "Failed": 1}.get(there["phase"], 2)
    assert (here["phase"], here["reason"], code) == (there["phase"], there["reason"], expected), here["message"]
    assert _plain(here, "status") == _plain(there, "status")


def _config_map(name: str, data: dict[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _run_locally(documents: list[Object], folder: Path) -> tuple[Object, int]:
    """Status and exit code."""
    (folder / "run.yaml").write_text(yaml.safe_dump_all(documents))
    command = [sys.executable, "-m", "seatrial.cli", "run", "run.yaml", "-o", "json"]
    env = os.environ | {"XDG_STATE_HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout)["status"]), done.returncode


def _plain(value: Any, key: str = "") -> Any:
    """A status without what differs from run to run: times, addresses, drawn names."""
    if isinstance(value, dict):
        if key == "timings":
            return sorted(value)
        conditions = {name: _plain(item, name) for name, item in value.items() if name not in OTHERWISE}
        if key == "status":  # the verdict is compared, and not how far the clean-up has come
            conditions["conditions"] = [
                item for item in conditions["conditions"] if item["type"] != "EnvironmentCleaned"
            ]
        return conditions
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return _NUMBER.sub("<time>", _POD.sub("<pod>", _ADDRESS.sub("<address>", value)))
    return value
