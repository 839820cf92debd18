from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from alpha_panda.events.envelope import Broker
from alpha_panda.settings import Settings

REQUIRED = {
    "SERVICE": "risk",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "REDIS_URL": "redis://:secret@redis:6379/0",
    "DATABASE_URL": "postgresql://user:secret@postgres:5432/db",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


def test_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().served == (Broker.PAPER, Broker.ZERODHA)
    monkeypatch.setenv("BROKERS", "zerodha, zerodha")
    assert Settings().served == (Broker.ZERODHA,)


def test_passwords_are_not_shown() -> None:
    assert "secret@" not in repr(Settings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVICE", "bakery"),
        ("BROKERS", "paper,upstox"),
        ("BROKERS", ""),
        ("NAMESPACE", "no.dots"),
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("REDIS_URL", "http://redis"),
        ("DATABASE_URL", "mysql://db"),
        ("HTTP_PORT", "70000"),
        ("BATCH_SIZE", "0"),
    ],
)
def test_wrong_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"SERVICE": "bakery"}, "SERVICE: Input should be"), ({"ALPHA_PANDA_BUG": "typo"}, "ALPHA_PANDA_BUG: 'typo'")],
)
def test_process_says_what_is_wrong(changed: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alpha_panda"], env=REQUIRED | changed, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(says)
    assert "Traceback" not in done.stderr
