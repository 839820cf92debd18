from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from position_manager.messages import TOPICS, FundingContext, HedgeTrade, MarketData, Trigger

CONTEXT: dict[str, Any] = {
    "symbol": "BTC-PERP",
    "timestamp_ms": 1_750_000_000_000,
    "position_id": "p1",
    "funding_rate": "0.0001",
    "long": {"quantity": "1", "price": "100"},
    "short": {"quantity": "1", "price": "100"},
}
MARKET: dict[str, Any] = {
    "symbol": "BTC-PERP",
    "timestamp_ms": 1_750_000_000_000,
    "long_price": "100.1",
    "short_price": 100.2,
}


def test_topics_are_the_documented_ones() -> None:
    assert sorted(TOPICS) == [
        "emergency_actions",
        "funding_context",
        "hedge_trades",
        "market_data",
        "pnl_updates",
        "position_states",
        "profit_taking",
    ]


def test_decimals_are_read_exactly_from_strings_and_numbers() -> None:
    market = MarketData.model_validate_json(json.dumps(MARKET))
    assert (market.long_price, market.short_price) == (Decimal("100.1"), Decimal("100.2"))


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ""},
        {"symbol": "a b"},
        {"symbol": "x" * 65},
        {"timestamp_ms": 0},
        {"timestamp_ms": 1_750_000_000_000_000},
        {"long_price": "0"},
        {"long_price": "-1"},
        {"long_price": "NaN"},
        {"long_price": "1e30"},
        {"long_price": "0.0000000000001"},
        {"volume": "-1"},
    ],
)
def test_impossible_market_data_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        MarketData.model_validate_json(json.dumps(MARKET | change))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"short": None}, "together or not at all"),
        ({"funding_rate": "1.01"}, "funding_rate"),
        ({"funding_interval_hours": 25}, "funding_interval_hours"),
        ({"long": {"quantity": "-1", "price": "1"}}, r"long\.quantity"),
        ({"position_id": None}, "position_id"),
    ],
)
def test_impossible_contexts_are_refused(change: dict[str, object], names: str) -> None:
    with pytest.raises(ValidationError, match=names):
        FundingContext.model_validate_json(json.dumps(CONTEXT | change))


def test_events_are_written_in_plain_decimals() -> None:
    trade = HedgeTrade(
        symbol="BTC",
        position_id="p1",
        revision=7,
        timestamp_ms=1,
        reason=Trigger.PERIODIC_REHEDGE,
        leg="short",
        side="sell",
        quantity=Decimal("0.0500"),
        price=Decimal("1E+5"),
        imbalance=Decimal("-0.00"),
    )
    assert json.loads(trade.encode()) == {
        "symbol": "BTC",
        "position_id": "p1",
        "revision": 7,
        "timestamp_ms": 1,
        "reason": "periodic_rehedge",
        "leg": "short",
        "side": "sell",
        "quantity": "0.05",
        "price": "100000",
        "imbalance": "0",
        "event_id": "p1:7:hedge_trades",
    }
