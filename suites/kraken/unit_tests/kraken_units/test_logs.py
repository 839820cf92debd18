"""What a service that works writes down at its most talkative."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from hack.local_run import ROOT, status_of
from kraken.signing import sign

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EXAMPLE = ROOT / "examples" / "kraken.yaml"
RUN_SECONDS = 280
TESTS = (
    "test_account_access_balances",
    "test_connection_retry_logic",
    "test_fee_calculation",
    "test_graceful_degradation",
    "test_halt_goes_on_where_the_exchange_fails",
    "test_an_order_that_was_carried_out_is_found",
    "test_stop_loss_sells_what_was_bought",
)
"""Balances, orders that trade, are refused and are cancelled, an exit, and an exchange that fails in many ways."""
SIGNATURE = re.compile(r"[A-Za-z0-9+/]{86}==")
"""Base64 of 64 bytes, whatever was signed."""


def manifest() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The example with a service that logs everything and those tests alone; and the secrets that it is given."""
    documents = [document for document in yaml.safe_load_all(EXAMPLE.read_text()) if document]
    (secret,) = (document for document in documents if document["kind"] == "Secret")
    (run,) = (document for document in documents if document["kind"] == "TestRun")
    run["metadata"]["name"] = "kraken-logs"
    (service,) = (item for item in run["spec"]["applications"] if item["name"] == "kraken")
    service["env"].append({"name": "LOG_LEVEL", "value": "DEBUG"})
    paths = [path for suite in run["spec"]["suites"] for path in suite["pytest"]["paths"]]
    run["spec"]["suites"] = [run["spec"]["suites"][0] | {"pytest": {"paths": paths, "keyword": " or ".join(TESTS)}}]
    return documents, {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def test_no_log_of_a_working_service_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It trades, is disturbed and goes on; a failure here names what is shown, and shows none of it."""
    documents, secrets = manifest()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    status = status_of(*documents, seconds=RUN_SECONDS)
    assert status["phase"] == "Passed", status["message"]
    assert status["summary"]["passed"] >= len(TESTS)
    (log,) = tmp_path.glob("**/application-kraken.log")
    said = log.read_text()
    levels = {json.loads(line)["level"] for line in said.splitlines() if line.startswith("{")}
    assert levels >= {"DEBUG", "INFO", "WARNING"}

    assert SIGNATURE.search(sign("/0/private/AddOrder", 1, "nonce=1", secrets["api-secret"]))
    decoded = base64.b64decode(secrets["api-secret"]).decode()
    wanted = {name: re.escape(value) for name, value in secrets.items()} | {
        "api-secret, decoded": re.escape(decoded),
        "a signature": SIGNATURE.pattern,
        "the headers of a request": r"(?i)api-sign|api-key",
        "DATABASE_URL": "postgres(ql)?://",
    }
    shown = [name for name, pattern in wanted.items() if re.search(pattern, said)]
    assert shown == []
