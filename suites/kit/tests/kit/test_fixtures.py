"""The fixtures where nothing can be reached, and what loading them costs. With real services: suites/kit/tests/live."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import ClassVar

import pytest

from seatrial_kit.kafka import KafkaTestConfig, wait_for_kafka
from seatrial_kit.owners import Owner, owner_in, this_process
from seatrial_kit.services import RealTestConfig
from seatrial_kit.waiting import eventually, eventually_async

CLOSED = "127.0.0.1:1"
SUITE = """
import pytest
from seatrial_kit.missing import required

@pytest.mark.kafka
def test_kafka(kafka_connectivity_check): pass
@pytest.mark.kafka
@pytest.mark.slow
def test_another(kafka_producer): pass
@pytest.mark.integration
@pytest.mark.asyncio
async def test_database(clean_database): pass
@pytest.mark.load
@pytest.mark.asyncio
async def test_cache(real_cache_manager): pass
@pytest.fixture
def feed_url(request): return required(request, "FEED_URL")
def test_feed(feed_url): pass
def test_nothing(): pass
"""


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """pytest with the plugin on a suite whose services are missing."""
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    (folder / "test_suite.py").write_text(SUITE)
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": CLOSED,
        "DATABASE_URL": f"postgresql://tbot:tbot_password@{CLOSED}/tbot_dev",
        "REDIS_URL": f"redis://{CLOSED}",
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-m", "pytest", "--strict-markers", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_missing_service_fails(tmp_path: Path) -> None:
    status, output = run(tmp_path)
    assert status == 1
    assert "1 passed, 5 errors" in output
    assert f"Kafka at {CLOSED}: no answer within 5 s (ConnectionRefusedError" in output
    assert f"PostgreSQL at {CLOSED}: ConnectionRefusedError" in output
    assert f"Redis at {CLOSED}: ConnectionError" in output
    assert "FEED_URL is not set" in output
    assert "KAFKA_BOOTSTRAP_SERVERS or TEST_KAFKA_BOOTSTRAP_SERVERS names another one" in output
    assert "tbot_password" not in output


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_it_is_skipped_only_when_told_so_and_then_counted(tmp_path: Path, workers: tuple[str, ...]) -> None:
    status, output = run(tmp_path, "--skip-missing-services", *workers)
    assert status == 0
    assert "1 passed, 5 skipped" in output
    assert "5 tests were skipped (--skip-missing-services) because a service was missing:" in output
    assert f"    2 x Kafka at {CLOSED}: no answer" in output
    assert f"    1 x Redis at {CLOSED}" in output
    assert "    1 x FEED_URL is not set" in output


def test_the_markers_are_known(tmp_path: Path) -> None:
    status, output = run(tmp_path, "--markers")
    assert status == 0
    for name in ("kafka", "integration", "slow", "load"):
        assert f"@pytest.mark.{name}: " in output


def test_no_client_is_imported_before_a_test_asks_for_one() -> None:
    """Loading the plugin is in front of every first test."""
    heavy = ["kafka", "aiokafka", "asyncpg", "redis", "influxdb_client", "tenacity"]
    script = (
        "import sys, seatrial_kit.plugin as plugin, importlib\n"
        "for name in plugin.pytest_plugins: importlib.import_module(name)\n"
        f"print([name for name in {heavy} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestConfiguration:
    def test_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("TEST_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS", "TEST_SCHEMA_REGISTRY_URL"):
            monkeypatch.delenv(name, raising=False)
        assert KafkaTestConfig.BOOTSTRAP_SERVERS == "localhost:19092"
        assert KafkaTestConfig.SCHEMA_REGISTRY_URL == "http://localhost:18081"
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
        assert KafkaTestConfig.BOOTSTRAP_SERVERS == "kafka:9092"
        monkeypatch.setenv("TEST_KAFKA_BOOTSTRAP_SERVERS", "mine:9092")
        monkeypatch.setenv("TEST_SCHEMA_REGISTRY_URL", "http://mine:8081")
        assert KafkaTestConfig.BOOTSTRAP_SERVERS == "mine:9092"
        assert KafkaTestConfig.SCHEMA_REGISTRY_URL == "http://mine:8081"

    def test_what_the_clients_are_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_KAFKA_BOOTSTRAP_SERVERS", "localhost:19092")
        assert KafkaTestConfig.CONSUMER_GROUP_PREFIX == "archon-intelligence-test"
        assert KafkaTestConfig.DEFAULT_TOPICS["validation_response"] == "omninode.codegen.response.validate.v1"
        assert KafkaTestConfig.get_consumer_config("my-group") == {
            "bootstrap_servers": "localhost:19092",
            "group_id": "archon-intelligence-test-my-group",
            "auto_offset_reset": "earliest",
            "enable_auto_commit": True,
            "max_poll_records": 100,
            "session_timeout_ms": 30_000,
            "heartbeat_interval_ms": 10_000,
        }
        assert KafkaTestConfig.get_producer_config() == {
            "bootstrap_servers": "localhost:19092",
            "acks": "all",
            "retries": 3,
            "max_in_flight_requests_per_connection": 1,
        }

    def test_a_team_has_its_own(self) -> None:
        class Orders(KafkaTestConfig):
            CONSUMER_GROUP_PREFIX = "orders-test"
            DEFAULT_TOPICS: ClassVar = {"orders": "orders.v1"}

        assert Orders.get_consumer_config("x")["group_id"] == "orders-test-x"

    def test_services_by_their_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("DATABASE_URL", "REDIS_URL", "INFLUXDB_URL", "DATABASE_PORT", "REDIS_PORT", "INFLUXDB_PORT"):
            monkeypatch.delenv(name, raising=False)
        for service in ("DATABASE", "REDIS", "INFLUXDB"):
            monkeypatch.setenv(f"{service}_HOST", "elsewhere")
        monkeypatch.setenv("DATABASE_PASSWORD", "p@ss/word")
        monkeypatch.setenv("REDIS_PASSWORD", "s3cret")
        config = RealTestConfig.from_environment()
        assert config.database_url == "postgresql://tbot:p%40ss%2Fword@elsewhere:5432/tbot_dev"
        assert config.redis_url == "redis://:s3cret@elsewhere:6379/1"
        assert (config.influxdb_url, config.influxdb_org) == ("http://elsewhere:8086", "test-org")
        assert "s3cret" not in repr(config)
        assert config.address("postgres") == "elsewhere:5432"


class TestWaiting:
    def test_the_first_good_answer(self) -> None:
        answers = iter([None, False, AssertionError("not yet"), 0])

        def probe() -> int | None:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        assert eventually(probe, "a number") == 0

    def test_the_last_answer_is_shown(self) -> None:
        with pytest.raises(AssertionError, match=r"waited 0 s \(1 try\) for rain; last seen: None"):
            eventually(lambda: None, "rain", seconds=0)

    async def test_the_last_failure_is_shown_on_asyncio_too(self) -> None:
        async def probe() -> bool:
            raise AssertionError("dry")

        with pytest.raises(AssertionError, match=r"for rain; last seen: dry"):
            await eventually_async(probe, "rain", seconds=0)

    def test_another_exception_ends_it(self) -> None:
        with pytest.raises(ZeroDivisionError):
            eventually(lambda: 1 / 0, "a division")

    def test_an_exception_that_may_pass_is_shown_with_its_kind(self) -> None:
        passing = iter([ConnectionResetError("gone"), TimeoutError()])

        def probe() -> bool:
            raise next(passing)

        with pytest.raises(AssertionError, match=r"for an answer; last seen: ConnectionResetError: gone"):
            eventually(probe, "an answer", seconds=0, transient=(OSError,))
        with pytest.raises(TimeoutError):
            eventually(probe, "an answer", transient=(ConnectionError,))

    async def test_what_may_pass_is_waited_for(self) -> None:
        errors = iter([TimeoutError(), ConnectionResetError()])

        async def probe() -> str:
            if (error := next(errors, None)) is not None:
                raise error
            return "here"

        assert await eventually_async(probe, "an answer", transient=(OSError,)) == "here"

    def test_the_delay_grows_by_half(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two, three, four and a half seconds: read off the clock that the loop sleeps on."""
        slept: list[float] = []
        monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
        assert not wait_for_kafka(max_retries=5, delay_seconds=2, verify=lambda _: False)
        assert slept == [2, 3, 4.5, 6.75]
        assert wait_for_kafka(max_retries=1, verify=lambda _: True)


LOCKS = Path(tempfile.gettempdir()) / f"pytest-seatrial-{os.geteuid()}"


class TestOwners:
    def test_this_process_lives(self) -> None:
        owner = owner_in(f"test.{this_process()}.1.orders")
        assert owner == this_process()
        assert not this_process().gone

    def test_one_that_has_ended_is_gone(self) -> None:
        script = "from seatrial_kit.owners import this_process; print(this_process())"
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        owner = owner_in(said)
        assert owner is not None
        assert owner.host == this_process().host
        assert owner.gone
        assert not (LOCKS / owner.token).exists()

    def test_one_that_was_killed_is_gone(self) -> None:
        script = (
            "import os; from seatrial_kit.owners import this_process; print(this_process(), flush=True); os.abort()"
        )
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False).stdout
        owner = owner_in(said)
        assert owner is not None
        assert (LOCKS / owner.token).exists()
        assert owner.gone
        (LOCKS / owner.token).unlink()

    def test_a_process_that_was_forked_does_not_take_the_lock_with_it(self) -> None:
        script = """
import os, sys
from seatrial_kit.owners import this_process
owner = this_process()
if os.fork() == 0:
    sys.exit()
os.wait()
sys.exit(owner.gone)
"""
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

    def test_one_of_another_machine_is_never_known_to_be_gone(self) -> None:
        assert not Owner("0" * 8, uuid.uuid4().hex[:12]).gone

    def test_one_whose_locks_are_elsewhere_is_never_known_to_be_gone(self, tmp_path: Path) -> None:
        """A run gives each of its suites a TMPDIR of its own, and two of them may use one broker."""
        script = "from seatrial_kit.owners import this_process; print(this_process())"
        said = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        owner = owner_in(said)
        assert owner is not None
        assert not owner.gone

    def test_other_names_have_none(self) -> None:
        assert owner_in("orders.v1") is None
