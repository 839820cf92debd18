from __future__ import annotations

import pytest
from pydantic import ValidationError

from tbot.settings import Settings


def test_defaults_are_a_developers_own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings = Settings()
    assert (settings.database_host, settings.database_port, settings.database_name) == ("localhost", 5432, "tbot_dev")
    assert (settings.redis_host, settings.redis_port) == ("localhost", 6379)
    assert settings.influxdb_url == "http://localhost:8086"
    assert settings.tbot_bug is None


def test_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_HOST", "postgres")
    monkeypatch.setenv("REDIS_PORT", "6380")
    monkeypatch.setenv("TBOT_BUG", "float-total")
    settings = Settings()
    assert (settings.database_host, settings.redis_port, settings.tbot_bug) == ("postgres", 6380, "float-total")


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_PASSWORD", "REDIS_PASSWORD", "INFLUXDB_TOKEN"):
        monkeypatch.setenv(name, "hidden-word")
    assert "hidden-word" not in f"{Settings()!r} {Settings()}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_PORT", "0"),
        ("DATABASE_SCHEMA", 'x"; DROP SCHEMA public; --'),
        ("DATABASE_SCHEMA", "Tbot"),
        ("DATABASE_HOST", ""),
        ("REDIS_DB", "-1"),
        ("IDEMPOTENCY_WINDOW_SECONDS", "0"),
        ("REDIS_TIMEOUT_SECONDS", "0"),
        ("HTTP_PORT", "70000"),
        ("LOG_LEVEL", "LOUD"),
        ("TBOT_BUG", "no-such-bug"),
    ],
)
def test_wrong_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()
