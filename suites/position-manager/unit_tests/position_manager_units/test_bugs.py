"""The switch for deliberate bugs: that the suite notices each is shown by mutations.py."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from position_manager.bugs import Bug, as_read, limits_of, rehedged
from position_manager.domain import Outcome, Transition, apply_funding, apply_market, rehedge
from position_manager.limits import Limits
from position_manager.messages import FundingContext, MarketData, VenueLeg
from position_manager.settings import Settings
from position_manager.state import SymbolState

SUITE = Path(__file__).parents[2]
VARIABLE = "POSITION_MANAGER_BUG"
LIMITS = Limits()
# Nothing listens on port 1.
ENVIRONMENT = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "REDIS_URL": "redis://:hidden@127.0.0.1:1/0"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def started(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "position_manager"],
        env=os.environ | {"CONNECT_DEADLINE_SECONDS": "0.01", "HTTP_PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def context(at_ms: int, short: str = "1") -> FundingContext:
    return FundingContext(
        symbol="BTC",
        timestamp_ms=at_ms,
        position_id="first",
        funding_rate=Decimal("0.0008"),
        long=VenueLeg(quantity=Decimal(1), price=Decimal(100)),
        short=VenueLeg(quantity=Decimal(short), price=Decimal(100)),
    )


def price(at_ms: int, long: str) -> MarketData:
    return MarketData(symbol="BTC", timestamp_ms=at_ms, long_price=Decimal(long), short_price=Decimal(100))


def applied(state: SymbolState, message: FundingContext | MarketData, bug: Bug | None) -> Transition:
    state, message = as_read(state, message, bug)
    limits = limits_of(LIMITS, bug)
    if isinstance(message, FundingContext):
        return apply_funding(state, message, limits)
    return apply_market(state, message, limits)


@pytest.fixture
def opened() -> SymbolState:
    return applied(SymbolState("BTC"), context(1000), None).state


def test_no_bug_is_the_default() -> None:
    assert Settings().position_manager_bug is None


@pytest.mark.parametrize("bug", Bug)
def test_each_is_switched_on_by_its_name(monkeypatch: pytest.MonkeyPatch, bug: Bug) -> None:
    monkeypatch.setenv(VARIABLE, bug.value)
    assert Settings().position_manager_bug is bug


@pytest.mark.parametrize("value", ["something-else", "", "FUNDING-SIGN"])
def test_unknown_ones_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ValidationError, match="position_manager_bug"):
        Settings()


def test_the_process_refuses_an_unknown_one_by_name() -> None:
    done = started(POSITION_MANAGER_BUG="something-else")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{VARIABLE}: ")
    assert all(bug in done.stderr for bug in Bug)


@pytest.mark.parametrize("bug", [None, Bug.FUNDING_SIGN])
def test_one_that_is_on_is_warned_of_at_the_start(bug: Bug | None) -> None:
    done = started(**({VARIABLE: bug.value} if bug else {}))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    warned = [(line["level"], line["bug"]) for line in lines if "bug" in line]
    assert done.returncode == 1, done.stderr
    assert warned == ([("WARNING", bug.value)] if bug else [])


def test_each_has_tests_that_are_to_notice_it_and_these_exist() -> None:
    noticed_by: dict[Bug, tuple[str, ...]] = runpy.run_path(str(SUITE / "mutations.py"))["NOTICED_BY"]
    assert set(noticed_by) == set(Bug)
    for test in (test for tests in noticed_by.values() for test in tests):
        file, group, name = test.split("::")
        text = (SUITE / "tests" / file).read_text()
        assert f"class {group}:" in text
        assert f"    async def {name}(" in text


def test_without_a_bug_nothing_is_changed(opened: SymbolState) -> None:
    message = price(2000, "101")
    assert as_read(opened, message, None) == (opened, message)
    assert limits_of(LIMITS, None) is LIMITS
    drifted = applied(opened, context(2000, short="0.9"), None).state
    assert rehedged(drifted, LIMITS, 3000, None) == rehedge(drifted, LIMITS, 3000)


def test_duplicates_counted(opened: SymbolState) -> None:
    bug = Bug.DUPLICATES_COUNTED
    assert applied(opened, context(1000), None).outcome is Outcome.STALE
    assert applied(opened, context(1000), bug).outcome is Outcome.PROCESSED
    priced = applied(opened, price(2000, "101"), None).state
    assert applied(priced, price(2000, "101"), None).outcome is Outcome.STALE
    assert applied(priced, price(2000, "101"), bug).outcome is Outcome.PROCESSED


def test_funding_sign(opened: SymbolState) -> None:
    eight_hours = 8 * 3_600_000
    right, wrong = (
        applied(opened, context(1000 + eight_hours), bug).state.position for bug in (None, Bug.FUNDING_SIGN)
    )
    assert right is not None
    assert wrong is not None
    assert right.funding == -wrong.funding == Decimal("0.08")


def test_exclusive_limits(opened: SymbolState) -> None:
    at_the_limit, beyond = price(2000, "105"), price(2000, "105.000000000001")
    assert len(applied(opened, at_the_limit, None).events) == 3
    assert len(applied(opened, at_the_limit, Bug.EXCLUSIVE_LIMITS).events) == 1
    assert len(applied(opened, beyond, Bug.EXCLUSIVE_LIMITS).events) == 3


def test_float_prices(opened: SymbolState) -> None:
    exact, inexact = (applied(opened, price(2000, "100.2"), bug).state.prices for bug in (None, Bug.FLOAT_PRICES))
    assert exact is not None
    assert inexact is not None
    assert exact.long == Decimal("100.2") != inexact.long == Decimal(100.2)  # noqa: RUF032 - that is the bug


def test_hedge_unbooked(opened: SymbolState) -> None:
    drifted = applied(opened, context(2000, short="0.9"), None).state
    for bug, again in ((None, False), (Bug.HEDGE_UNBOOKED, True)):
        first = rehedged(drifted, LIMITS, 3000, bug)
        assert first is not None
        second = rehedged(first.state, LIMITS, 4000, bug)
        assert (second is not None) is again


def test_closed_reopened(opened: SymbolState) -> None:
    closed = applied(opened, price(2000, "106"), None).state
    assert applied(closed, context(3000), None).outcome is Outcome.REJECTED
    assert applied(closed, context(3000), Bug.CLOSED_REOPENED).outcome is Outcome.PROCESSED
