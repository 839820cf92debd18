from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from kraken.settings import Mode, Settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "c2VjcmV0LXRoYXQtbm9ib2R5LXNlZXM="  # noqa: S105


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_KEY", "key-that-nobody-sees")
    monkeypatch.setenv("KRAKEN_API_SECRET", SECRET)
    monkeypatch.setenv("API_DOMAIN", "http://sandbox:8080")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:password-that-nobody-sees@postgres/test")


def test_the_default_places_nothing() -> None:
    assert Settings().trading_mode is Mode.VALIDATE


def test_secrets_are_not_shown() -> None:
    shown = f"{Settings()!r} {Settings().model_dump_json()}"
    assert "nobody-sees" not in shown
    assert SECRET not in shown


def test_streams_follow_the_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().streams == ("ws://sandbox:8080/v2", "ws://sandbox:8080/v2")
    monkeypatch.setenv("API_DOMAIN", "https://api.kraken.com")
    monkeypatch.setenv("CONTROL_TOKEN", "token")
    assert Settings().streams == ("wss://ws.kraken.com/v2", "wss://ws-auth.kraken.com/v2")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "CONTROL_TOKEN is needed"),
        ({"CONTROL_TOKEN": "t", "ADMIN_FAULTS": "true"}, "are not for"),
        ({"CONTROL_TOKEN": "t", "KRAKEN_BUG": "blind-resend"}, "are not for"),
    ],
)
def test_the_real_exchange_needs_care(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str) -> None:
    monkeypatch.setenv("API_DOMAIN", "https://api.kraken.com/")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=says):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KRAKEN_API_KEY", ""),
        ("KRAKEN_API_SECRET", "not base64!"),
        ("API_DOMAIN", "api.kraken.com"),
        ("TRADING_MODE", "yolo"),
        ("TOTAL_BTC", "0"),
        ("MAX_DAILY_TRADES", "-1"),
        ("ORDER_DEADLINE_SECONDS", "1"),
        ("KRAKEN_BUG", "no-such-bug"),
    ],
)
def test_wrong_values_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()) as error:
        Settings()
    assert SECRET not in str(error.value)


def test_the_process_says_what_is_wrong_and_not_what_it_was(tmp_path: Path) -> None:
    env = {"KRAKEN_API_KEY": "k", "KRAKEN_API_SECRET": "secret that is not base64", "API_DOMAIN": "http://sandbox"}
    done = subprocess.run(
        [sys.executable, "-m", "kraken"], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert set(done.stderr.splitlines()) == {
        "DATABASE_URL: Field required",
        "KRAKEN_API_SECRET: Value error, is not base64: use the private key as the exchange shows it",
    }


def test_no_log_shows_a_secret(tmp_path: Path) -> None:
    """At the most talkative level, up to the end for want of a database."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # taken, and does not listen: connections are refused
        secrets = {
            "KRAKEN_API_KEY": "key-nobody-sees",
            "KRAKEN_API_SECRET": SECRET,
            "CONTROL_TOKEN": "token-nobody-sees",
        }
        url = f"postgresql://user:password-nobody-sees@127.0.0.1:{taken.getsockname()[1]}/test"
        more = {"DATABASE_URL": url, "API_DOMAIN": "http://127.0.0.1:9", "LOG_LEVEL": "DEBUG"}
        done = subprocess.run(
            [sys.executable, "-m", "kraken"],
            env=secrets | more | {"CONNECT_DEADLINE_SECONDS": "0.3"},
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    said = done.stdout + done.stderr
    assert (done.returncode, "no PostgreSQL at DATABASE_URL after 0.3 s" in said) == (1, True), said
    assert "nobody-sees" not in said
    assert SECRET not in said
