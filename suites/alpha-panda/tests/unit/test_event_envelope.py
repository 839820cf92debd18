"""The envelope member by member. No server is needed."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import chain
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from alpha_panda.events.data import MarketTick, OHLCData, SignalType, TradingSignal
from alpha_panda.events.envelope import Broker, EventEnvelope, EventType
from alpha_panda.events.evolution import decode
from alpha_panda.events.identifiers import created_at, derived, uuid7
from alpha_panda.streaming.producer import headers_of

REQUIRED = ("id", "type", "ts", "broker", "key", "source", "correlation_id", "trace_id", "span_id", "data")
IST = timezone(timedelta(hours=5, minutes=30))


def tick(**members: object) -> MarketTick:
    return MarketTick.model_validate(
        {"instrument_token": 256265, "last_price": "100.5", "timestamp": "2025-08-24T09:15:00Z"} | members
    )


def event(broker: Broker = Broker.SHARED) -> EventEnvelope:
    return EventEnvelope.root(EventType.MARKET_TICK, tick(), broker=broker, key="256265", source="feed")


class TestRequiredFields:
    @pytest.mark.parametrize("name", REQUIRED)
    def test_required_fields_validation(self, name: str) -> None:
        members = event().model_dump()
        del members[name]
        with pytest.raises(ValidationError, match=name):
            EventEnvelope.model_validate(members)

    @pytest.mark.parametrize("name", ["key", "source"])
    def test_empty_names_are_refused(self, name: str) -> None:
        with pytest.raises(ValidationError, match=name):
            EventEnvelope.model_validate(event().model_dump() | {name: ""})


class TestTraceFields:
    def test_trace_fields_for_observability(self) -> None:
        found = event()
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", found.traceparent), "as W3C Trace Context has it"
        assert found.parent_span_id is None
        assert dict(headers_of(found)) == {
            "event_type": b"market_tick",
            "schema_version": b"2.0",
            "traceparent": found.traceparent.encode(),
        }

    def test_trace_is_inherited_and_spans_are_linked(self) -> None:
        parent = event()
        child = parent.child(EventType.TRADING_SIGNAL, {}, source="strategy", broker=Broker.PAPER)
        assert child.trace_id == parent.trace_id
        assert child.parent_span_id == parent.span_id
        assert child.span_id != parent.span_id


class TestChildEvents:
    def test_child_event_creation_with_inheritance(self) -> None:
        parent = event(Broker.ZERODHA)
        child = parent.child(EventType.ORDER_FILLED, {"order": 1}, source="execution")
        assert (child.broker, child.key, child.correlation_id) == (parent.broker, parent.key, parent.correlation_id)
        assert (child.causation_id, child.source, child.data) == (parent.id, "execution", {"order": 1})
        other = parent.child(EventType.ORDER_FILLED, {}, source="execution", key="other", part="2")
        assert (other.key, other.id != child.id) == ("other", True)

    def test_child_made_again_is_the_same_event(self) -> None:
        parent = event(Broker.PAPER)
        first, again = (parent.child(EventType.ORDER_PLACED, {}, source="execution") for _ in range(2))
        assert again.model_copy(update={"ts": first.ts}) == first
        assert parent.child(EventType.ORDER_FILLED, {}, source="execution").id != first.id

    def test_each_broker_has_a_correlation_of_its_own(self) -> None:
        parent = event()
        paper, zerodha = (
            parent.child(EventType.TRADING_SIGNAL, {}, source="strategy", broker=broker)
            for broker in (Broker.PAPER, Broker.ZERODHA)
        )
        assert len({parent.correlation_id, paper.correlation_id, zerodha.correlation_id}) == 3
        assert paper.causation_id == zerodha.causation_id == parent.id
        assert paper.id != zerodha.id


class TestIdentifiers:
    def test_uuid_v7_generation(self) -> None:
        before = datetime.now(UTC) - timedelta(milliseconds=1)
        made = [uuid7() for _ in range(1000)]
        assert {(identifier.version, identifier.variant) for identifier in made} == {(7, "specified in RFC 4122")}
        assert all(before <= created_at(identifier) <= datetime.now(UTC) + timedelta(seconds=1) for identifier in made)
        assert made == sorted(made), "in the order in which they were made"
        assert derived(made[0], "a").version == 7
        with pytest.raises(ValidationError, match="UUID of version 4, expected version 7"):
            EventEnvelope.model_validate(event().model_dump() | {"id": uuid4()})

    def test_uuid_v7_uniqueness(self) -> None:
        with ThreadPoolExecutor(8) as threads:
            made = list(chain.from_iterable(threads.map(lambda _: [uuid7() for _ in range(2000)], range(8))))
        assert len(set(made)) == 16_000
        assert len({derived(made[0], str(number)) for number in range(10_000)}) == 10_000


class TestModels:
    @pytest.mark.parametrize("broker", ["paper", "zerodha", "shared"])
    def test_broker_field_validation(self, broker: str) -> None:
        assert EventEnvelope.model_validate(event().model_dump() | {"broker": broker}).broker == broker
        for wrong in (broker.upper(), "upstox", "", None):
            with pytest.raises(ValidationError, match="broker"):
                EventEnvelope.model_validate(event().model_dump() | {"broker": wrong})

    def test_trading_signal_data_model_consistency(self) -> None:
        signal = TradingSignal(
            strategy_id="momentum-1",
            instrument_token=256265,
            signal_type=SignalType.SELL,
            quantity=5,
            price=Decimal("100.500"),
            timestamp=datetime.now(UTC),
            metadata={"kind": "momentum"},
        )
        again = TradingSignal.model_validate_json(signal.model_dump_json())
        assert again == signal
        assert json.loads(signal.model_dump_json())["price"] == "100.5", "decimals are strings, in plain notation"
        assert signal.signed_quantity == -5

    def test_market_tick_data_model_consistency(self) -> None:
        day = OHLCData(open=Decimal(100), high=Decimal(102), low=Decimal(99), close=Decimal(101))
        found = tick(ohlc=day, volume=10)
        assert MarketTick.model_validate_json(found.model_dump_json()) == found
        with pytest.raises(ValidationError, match="must be within low 99 and high 100"):
            OHLCData(open=Decimal(100), high=Decimal(100), low=Decimal(99), close=Decimal(101))

    def test_signal_type_and_event_type_enum_completeness(self) -> None:
        assert {kind.value for kind in SignalType} == {"buy", "sell", "hold"}
        assert {kind.value for kind in EventType} == {
            "market_tick",
            "trading_signal",
            "signal_validated",
            "signal_rejected",
            "order_placed",
            "order_filled",
            "portfolio_updated",
            "dead_letter",
        }

    def test_timezone_aware_datetime_handling(self) -> None:
        local = datetime(2025, 8, 24, 9, 15, tzinfo=IST)
        found = EventEnvelope.model_validate(event().model_dump() | {"ts": local})
        again = decode(found.encode())
        assert again.ts == local
        assert json.loads(found.encode())["ts"] == "2025-08-24T03:45:00+00:00"
        with pytest.raises(ValidationError, match="timezone"):
            EventEnvelope.model_validate(event().model_dump() | {"ts": local.replace(tzinfo=None)})


def test_encoding_is_read_back_unchanged() -> None:
    found = event()
    assert decode(found.encode()) == found
    assert all(isinstance(UUID(json.loads(found.encode())[name]), UUID) for name in ("id", "correlation_id"))
