from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from position_manager.settings import Settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("REDIS_URL", "redis://:secret@redis:6379/0")


def test_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFIT_TARGET", "0.125")
    monkeypatch.setenv("REHEDGE_INTERVAL_SECONDS", "0.5")
    settings = Settings()
    assert (settings.profit_target, settings.rehedge_interval_seconds) == (Decimal("0.125"), 0.5)
    assert settings.kafka_bootstrap_servers == "kafka:9092"


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Settings()).replace("SecretStr", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", ""),
        ("REDIS_URL", "http://redis"),
        ("PROFIT_TARGET", "0"),
        ("REHEDGE_INTERVAL_SECONDS", "-1"),
        ("HTTP_PORT", "70000"),
        ("LOG_LEVEL", "LOUD"),
        ("VOLATILITY_WINDOW", "1"),
    ],
)
def test_wrong_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_thresholds_must_be_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMBALANCE", "0.6")
    with pytest.raises(ValidationError, match=r"MAX_IMBALANCE \(0.6\), and that below CRITICAL_IMBALANCE \(0.5\)"):
        Settings()


@pytest.mark.parametrize(
    ("symbols", "managed"),
    [("*", {"BTC", "ETH", "BT"}), ("BTC, ETH", {"BTC", "ETH"}), ("BTC", {"BTC"}), ("", set())],
)
def test_managed_symbols(monkeypatch: pytest.MonkeyPatch, symbols: str, managed: set[str]) -> None:
    monkeypatch.setenv("SYMBOLS", symbols)
    settings = Settings()
    assert {symbol for symbol in ("BTC", "ETH", "BT") if settings.manages(symbol)} == managed
