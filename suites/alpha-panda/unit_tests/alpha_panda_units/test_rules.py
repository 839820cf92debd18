from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_panda.configuration import Configuration, Limits, Strategy
from alpha_panda.events.data import SignalType, TradingSignal
from alpha_panda.events.envelope import Broker
from alpha_panda.stages.execution import charges
from alpha_panda.stages.risk import broken_rule
from alpha_panda.stages.strategy import wanted

LIMITS = Limits(max_order_quantity=100, max_order_value=Decimal(5000), max_position=150)


def signal(kind: SignalType, quantity: int, price: str = "10") -> TradingSignal:
    return TradingSignal(
        strategy_id="s",
        instrument_token=1,
        signal_type=kind,
        quantity=quantity,
        price=Decimal(price),
        timestamp=datetime.now(UTC),
    )


@given(st.lists(st.tuples(st.sampled_from([SignalType.BUY, SignalType.SELL]), st.integers(1, 200))))
def test_no_sequence_of_signals_gets_past_the_limits(wishes: list[tuple[SignalType, int]]) -> None:
    position = 0
    for kind, quantity in wishes:
        wish = signal(kind, quantity)
        if broken_rule(wish, position, LIMITS) is None:
            assert quantity <= LIMITS.max_order_quantity
            position += wish.signed_quantity
    assert abs(position) <= LIMITS.max_position


def test_lowered_limit_still_lets_a_position_shrink() -> None:
    assert broken_rule(signal(SignalType.SELL, 100), 1000, LIMITS) is None
    assert broken_rule(signal(SignalType.BUY, 1), 1000, LIMITS) is not None


@pytest.mark.parametrize(
    ("kind", "price", "expected"),
    [
        ("momentum", "100.99", SignalType.HOLD),
        ("momentum", "101", SignalType.BUY),
        ("momentum", "99", SignalType.SELL),
        ("mean_reversion", "101", SignalType.SELL),
        ("mean_reversion", "99", SignalType.BUY),
    ],
)
def test_threshold_is_part_of_a_move(kind: str, price: str, expected: SignalType) -> None:
    strategy = Strategy("s", kind, Decimal("0.01"), 1)
    assert wanted(strategy, Decimal(100), Decimal(price)) is expected
    assert wanted(strategy, None, Decimal(price)) is SignalType.HOLD


@pytest.mark.parametrize(("value", "expected"), [("1000", "0.30"), ("66666", "20.00"), ("10000000", "20.00")])
def test_charges_have_a_ceiling(value: str, expected: str) -> None:
    assert charges(Broker.ZERODHA, Decimal(value)) == Decimal(expected)
    assert charges(Broker.PAPER, Decimal(value)) == 0


def test_own_limits_come_before_everyones() -> None:
    everyone, own = Limits(1, Decimal(1), 1), Limits(2, Decimal(2), 2)
    found = Configuration(limits={(Broker.PAPER, "*"): everyone, (Broker.PAPER, "s"): own})
    assert found.limits_for(Broker.PAPER, "s") is own
    assert found.limits_for(Broker.PAPER, "t") is everyone
    assert found.limits_for(Broker.ZERODHA, "s") is None
