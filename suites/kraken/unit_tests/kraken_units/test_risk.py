from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken.exits import reached
from kraken.limits import Limits, Tightening
from kraken.models import ZERO, Order, OrderRequest, Trade, text
from kraken.pairs import Pair
from kraken.positions import Position, fold
from kraken.requests import add_order_params
from kraken.risk import Quote, Situation, assess, size, slippage
from kraken.settings import Mode

PAIR = Pair(
    "XBTEUR", "XXBTZEUR", "BTC/EUR", "XXBT", "ZEUR", 1, 8,
    Decimal("0.00005"), Decimal("0.45"), Decimal("0.004"), Decimal("0.0025"),
)  # fmt: skip
LIMITS = Limits(total_btc=Decimal(1), max_order_eur=Decimal(1000), max_daily_trades=5)
QUOTE = Quote(Decimal("99.9"), Decimal("100.1"), Decimal(100))
FREE = Situation(QUOTE, ZERO, ZERO, 0)
prices = st.decimals("0.1", "100000", places=1)
volumes = st.decimals("0.00005", "10", places=8)


def order(mode: Mode = Mode.LIVE, **changes: Any) -> Order:
    asked = {"pair": "XBTEUR", "side": "buy", "type": "limit", "price": "100.0", "volume": "0.5"} | changes
    return Order.admitted(OrderRequest.model_validate(asked), "XBTEUR", mode)


def test_an_ordinary_order_is_allowed() -> None:
    assert assess(order(), PAIR, LIMITS, FREE) == {}


@pytest.mark.parametrize(
    ("changes", "situation", "rules"),
    [
        ({"volume": "0.00004"}, FREE, {"minimum_volume", "minimum_value"}),
        ({"volume": "0.04"}, FREE, {"minimum_value"}),
        ({"volume": "1.1"}, FREE, {"allocation"}),
        ({"volume": "0.5"}, replace(FREE, highest=Decimal("0.6")), {"allocation"}),
        ({"side": "sell", "volume": "0.5"}, replace(FREE, lowest=Decimal("-0.6")), {"allocation"}),
        ({"side": "sell", "volume": "0.5"}, replace(FREE, highest=Decimal(1), lowest=Decimal(1)), set()),
        ({"price": "103.0"}, FREE, {"price"}),
        ({"side": "sell", "price": "97.0"}, FREE, {"price"}),
        ({"side": "buy", "price": "50.0"}, FREE, set()),
        ({"price": "100.05"}, FREE, {"price_precision"}),
        ({"leverage": 2}, FREE, {"leverage"}),
        ({}, replace(FREE, trades_today=5), {"daily_trades"}),
        ({}, replace(FREE, halted="why"), {"halted"}),
        ({}, replace(FREE, quote=None), {"market_data"}),
        ({}, replace(FREE, quote=replace(QUOTE, is_fresh=False)), {"market_data"}),
        ({"post_only": True}, replace(FREE, quote=None), set()),
        ({"stop_loss": "101.0"}, FREE, {"stop_loss"}),
        ({"take_profit": "99.0"}, FREE, {"take_profit"}),
        ({"side": "sell", "stop_loss": "101.0", "take_profit": "99.0"}, FREE, set()),
    ],
)
def test_rules(changes: dict[str, Any], situation: Situation, rules: set[str]) -> None:
    assert assess(order(**changes), PAIR, LIMITS, situation).keys() == rules


def test_an_order_that_is_too_dear() -> None:
    assert assess(order(), PAIR, LIMITS.model_copy(update={"max_order_eur": Decimal(49)}), FREE).keys() == {
        "order_value"
    }


@pytest.mark.parametrize(("leverage", "sent"), [(1, None), (2, "2:1"), (3, "3:1")])
def test_leverage_up_to_the_limit_is_asked_for(leverage: int, sent: str | None) -> None:
    asked = order(leverage=leverage)
    assert assess(asked, PAIR, LIMITS.model_copy(update={"max_leverage": 3}), FREE) == {}
    assert add_order_params(asked).get("leverage") == sent


def test_validated_orders_are_no_trades() -> None:
    assert assess(order(Mode.VALIDATE), PAIR, LIMITS, replace(FREE, trades_today=5)) == {}


def test_a_paper_order_must_be_able_to_rest() -> None:
    asked = {"type": "market", "price": None}
    assert assess(order(Mode.PAPER, **asked), PAIR, LIMITS, FREE).keys() == {"paper"}
    assert order(Mode.PAPER).post_only


@given(st.sampled_from(Mode), st.sampled_from(Mode))
def test_a_mode_is_never_less_careful_than_either(one: Mode, other: Mode) -> None:
    order_ = list(Mode)
    assert one.at_most(other) == order_[min(order_.index(one), order_.index(other))] == other.at_most(one)


@given(st.decimals("0.00000001", "100", places=8), st.integers(0, 1000))
def test_limits_can_only_be_tightened(total: Decimal, trades: int) -> None:
    tight = Tightening(total_btc=total, max_daily_trades=trades).apply(LIMITS)
    assert tight.total_btc <= LIMITS.total_btc
    assert tight.max_daily_trades <= LIMITS.max_daily_trades
    assert tight.max_order_eur == LIMITS.max_order_eur


@given(prices, prices, st.decimals("10", "10000", places=2), st.none() | st.decimals("0.01", "5", places=3))
def test_a_size_never_risks_more_than_allowed(
    entry: Decimal, stop: Decimal, capital: Decimal, volatility: Decimal | None
) -> None:
    volume = size(capital=capital, entry=entry, stop=stop, volatility=volatility, pair=PAIR, limits=LIMITS)
    assert 0 <= volume <= LIMITS.total_btc
    assert volume * abs(entry - stop) <= capital * LIMITS.risk_per_trade
    assert volume * entry <= LIMITS.max_order_eur
    assert not volume or volume * entry >= LIMITS.min_eur_for_trade


def test_slippage_is_that_of_the_average_price() -> None:
    levels = [(Decimal(100), Decimal(1)), (Decimal(102), Decimal(1))]
    assert slippage(levels, Decimal(1)) == 0
    assert slippage(levels, Decimal(2)) == Decimal("0.01")
    assert slippage(levels, Decimal(3)) is None
    assert slippage([], Decimal(1)) is None


def trade(side: str, volume: Decimal, price: Decimal, number: int = 0) -> Trade:
    at = datetime.fromtimestamp(number, UTC)
    fee = volume * price * Decimal("0.004")
    return Trade(f"T{number}", uuid.UUID(int=0), "XBTEUR", side, price, volume, volume * price, fee, at)  # type: ignore[arg-type]


trades = st.lists(st.builds(trade, st.sampled_from(["buy", "sell"]), volumes, prices), max_size=20)


@given(trades, prices)
def test_profit_is_what_was_got_less_what_was_paid(done: list[Trade], last: Decimal) -> None:
    """However the trades are paired: realised plus unrealised is the cash flow plus what is held."""
    position = fold(done)
    cash = sum((t.cost if t.side == "sell" else -t.cost for t in done), ZERO)
    held = sum((t.volume if t.side == "buy" else -t.volume for t in done), ZERO)
    assert position.volume == held
    assert position.fees == sum((t.fee for t in done), ZERO)
    total = position.realized + position.unrealized(last)
    scale = max(Decimal(1), abs(cash), abs(held * last), sum((t.cost for t in done), ZERO))
    assert abs(total - (cash + held * last)) <= scale * Decimal("1e-20")


def test_crossing_zero_opens_at_the_new_price() -> None:
    position = fold([trade("buy", Decimal(1), Decimal(100)), trade("sell", Decimal(3), Decimal(110))])
    assert (position.volume, position.entry_price, position.realized) == (-2, 110, 10)
    assert fold([]) == Position()


@pytest.mark.parametrize(
    ("side", "last", "reason"),
    [
        ("buy", "95.0", "stop_loss"),
        ("buy", "95.1", None),
        ("buy", "110.0", "take_profit"),
        ("sell", "95.0", "take_profit"),
        ("sell", "110.0", "stop_loss"),
        ("sell", "100.0", None),
    ],
)
def test_exits(side: str, last: str, reason: str | None) -> None:
    low, high = Decimal(95), Decimal(110)
    stop, profit = (low, high) if side == "buy" else (high, low)
    assert reached(order(side=side, stop_loss=stop, take_profit=profit), Decimal(last)) == reason


@pytest.mark.parametrize(("value", "shown"), [("1.500", "1.5"), ("1E+3", "1000"), ("0E-8", "0"), ("100", "100")])
def test_numbers_are_shown_plainly(value: str, shown: str) -> None:
    assert text(Decimal(value)) == shown
