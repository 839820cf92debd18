"""Events: the envelope, its chain, and the signal that it carries. No server is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from alpha_panda.events.data import SignalType, TradingSignal
from alpha_panda.events.envelope import Broker, EventEnvelope, EventType

SIGNAL = {
    "strategy_id": "momentum-1",
    "instrument_token": 256265,
    "signal_type": "buy",
    "quantity": 10,
    "price": "101.25",
    "timestamp": "2025-08-24T09:15:00+05:30",
}


class TestEventSchemas:
    def test_event_envelope_creation(self) -> None:
        signal = TradingSignal.model_validate(SIGNAL)
        event = EventEnvelope.root(
            EventType.TRADING_SIGNAL, signal, broker=Broker.PAPER, key="momentum-1", source="strategy"
        )
        assert (event.type, event.broker, event.key, event.source) == (
            EventType.TRADING_SIGNAL,
            Broker.PAPER,
            "momentum-1",
            "strategy",
        )
        assert event.correlation_id == event.id, "an event that nothing led to names the chain"
        assert event.causation_id is None
        assert event.payload(TradingSignal) == signal
        assert event.schema_version == "2.0"

    def test_correlation_and_causation_propagation(self) -> None:
        first = EventEnvelope.root(EventType.TRADING_SIGNAL, SIGNAL, broker=Broker.PAPER, key="k", source="strategy")
        second = first.child(EventType.SIGNAL_VALIDATED, SIGNAL, source="risk")
        third = second.child(EventType.ORDER_PLACED, {}, source="execution")
        assert [event.causation_id for event in (first, second, third)] == [None, first.id, second.id]
        assert {event.correlation_id for event in (first, second, third)} == {first.id}
        assert len({first.id, second.id, third.id}) == 3

    @pytest.mark.parametrize(
        "change",
        [
            {"signal_type": "short"},
            {"quantity": 0},
            {"quantity": 1.5},
            {"price": "0"},
            {"price": "NaN"},
            {"price": "1e30"},
            {"instrument_token": 0},
            {"strategy_id": "with a space"},
            {"confidence": "1.1"},
            {"timestamp": "2025-08-24T09:15:00"},
        ],
        ids=str,
    )
    def test_trading_signal_validation(self, change: dict[str, object]) -> None:
        signal = TradingSignal.model_validate(SIGNAL)
        assert (signal.signal_type, signal.price, signal.value) == (
            SignalType.BUY,
            Decimal("101.25"),
            Decimal("1012.5"),
        )
        assert signal.timestamp == datetime(2025, 8, 24, 3, 45, tzinfo=UTC)
        with pytest.raises(ValidationError, match=next(iter(change))):
            TradingSignal.model_validate(SIGNAL | change)
