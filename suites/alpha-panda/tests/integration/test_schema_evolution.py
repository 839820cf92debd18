"""Envelopes of other versions: what was written before is read, and what is added later does no harm."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from contract import CHAIN, DeadLetter, Signal, topic
from desk import envelope, new_id

from alpha_panda.events.data import MarketTick, TradingSignal
from alpha_panda.events.evolution import decode
from alpha_panda.streaming.errors import PoisonError

if TYPE_CHECKING:
    from desk import OpenDesk
    from wire import Wire


def first_version(kind: str, payload: dict[str, Any], *, broker: str, key: str) -> dict[str, Any]:
    """As the first version wrote it: no version, no trace, no source, floats."""
    identifier = new_id()
    return {
        "event_id": identifier,
        "event_type": kind,
        "timestamp": "2025-08-24T09:15:00+05:30",
        "broker": broker,
        "key": key,
        "correlation_id": identifier,
        "payload": payload,
    }


def encoded(raw: dict[str, Any]) -> bytes:
    return json.dumps(raw).encode()


class TestBackwardCompatibility:
    async def test_ticks_of_the_first_version_are_traded(self, open_desk: OpenDesk, wire: Wire) -> None:
        desk = await open_desk()
        old = {"instrument_token": desk.instrument, "price": 100.1, "timestamp": desk.now.isoformat()}
        await wire.send(
            topic("market_tick"),
            str(desk.instrument),
            first_version("market_tick", old, broker="shared", key=str(desk.instrument)),
        )
        tick = first_version("market_tick", old | {"price": 102.3}, broker="shared", key=str(desk.instrument))
        await wire.send(topic("market_tick"), str(desk.instrument), tick)
        chain = [await desk.last(kind) for kind in CHAIN]
        assert str(chain[0].causation_id) == tick["event_id"]
        assert {event.trace_id for event in chain} == {uuid.UUID(tick["correlation_id"]).hex}
        assert Signal.model_validate(chain[0].data).price == Decimal("102.3"), "what the float was meant to be"
        assert {event.schema_version for event in chain} == {"2.0"}

    async def test_chain_goes_on_from_the_first_version(self, open_desk: OpenDesk, wire: Wire) -> None:
        """Half of the pipeline is of the new version already: a signal of the old one keeps its correlation."""
        desk = await open_desk()
        payload = desk.signal(action="SELL", price=99.5)
        del payload["signal_type"]
        old = first_version("trading_signal", payload, broker="paper", key=desk.strategy_id)
        await wire.send(topic("trading_signal", "paper"), desk.strategy_id, old)
        validated, filled = await desk.last("signal_validated"), await desk.last("order_filled")
        assert str(validated.causation_id) == old["event_id"]
        assert str(filled.correlation_id) == old["correlation_id"]
        assert (filled.data["side"], filled.data["price"]) == ("sell", "99.5")

    async def test_both_versions_of_an_event_are_one_event(self, open_desk: OpenDesk, wire: Wire) -> None:
        """A producer that is replaced in the middle may write an event again, in the new version."""
        desk = await open_desk()
        payload = desk.signal(action="buy", price=100.5)
        del payload["signal_type"]
        old = first_version("trading_signal", payload, broker="paper", key=desk.strategy_id)
        new = envelope("trading_signal", desk.signal(price="100.5"), broker="paper", key=desk.strategy_id)
        for event in (old, new | {"id": old["event_id"], "correlation_id": old["correlation_id"]}):
            await wire.send(topic("trading_signal", "paper"), desk.strategy_id, event)
        await desk.send("trading_signal", desk.signal(quantity=7))
        assert (await desk.portfolio(2)).positions[desk.instrument].quantity == 17


class TestForwardCompatibility:
    async def test_members_of_a_later_minor_version_are_ignored(self, open_desk: OpenDesk, wire: Wire) -> None:
        desk = await open_desk()
        sent = await desk.send(
            "trading_signal",
            desk.signal(horizon="intraday", legs=[{"strike": 1}]),
            schema_version="2.7",
            tenant="one",
            baggage={"a": [1]},
        )
        validated = await desk.last("signal_validated")
        assert str(validated.causation_id) == sent["id"]
        assert validated.schema_version == "2.0", "what this service writes is of its own version"
        assert (await desk.portfolio(1)).orders == 1
        await wire.settle()
        assert not desk.seen("dead_letter")

    @pytest.mark.parametrize("version", ["3.0", "0.9", "two", ""])
    async def test_version_that_cannot_be_understood_is_kept(self, open_desk: OpenDesk, version: str) -> None:
        """As a dead letter with the whole record: a service that understands it can be given it again."""
        desk = await open_desk()
        await desk.send("trading_signal", desk.signal(), schema_version=version)
        letter = DeadLetter.model_validate((await desk.last("dead_letter")).data)
        assert letter.error_class == "poison"
        assert f"schema version {version}: this service reads 1.x to 2.x" in letter.message
        assert f'"schema_version": "{version}"' in letter.value
        await desk.send("trading_signal", desk.signal())
        assert (await desk.portfolio(1)).orders == 1


class TestMigration:
    """The steps from version to version, by the library."""

    @pytest.mark.parametrize(
        ("written", "meant"), [(0.1, "0.1"), (102.3, "102.3"), (100, "100"), ("99.95", "99.95"), (1e-07, "1e-07")]
    )
    def test_floats_become_what_they_were_meant_to_be(self, written: float | str, meant: str) -> None:
        payload = {"instrument_token": 1, "price": written, "timestamp": "2025-08-24T09:15:00Z"}
        event = decode(encoded(first_version("market_tick", payload, broker="shared", key="1")))
        assert event.payload(MarketTick).last_price == Decimal(meant)

    def test_every_member_finds_its_place(self) -> None:
        payload = {
            "strategy_id": "s",
            "instrument_token": 1,
            "action": "SELL",
            "quantity": 2,
            "price": 10.5,
            "timestamp": "2025-08-24T09:15:00Z",
        }
        old = first_version("trading_signal", payload, broker="zerodha", key="s") | {"source": "old-strategy"}
        event = decode(encoded(old | {"causation_id": old["event_id"]}))
        assert str(event.id) == str(event.causation_id) == old["event_id"]
        assert (event.type, event.broker, event.key, event.source) == ("trading_signal", "zerodha", "s", "old-strategy")
        assert event.ts.isoformat() == old["timestamp"]
        assert event.schema_version == "2.0"
        signal = event.payload(TradingSignal)
        assert (signal.signal_type, signal.price, signal.quantity) == ("sell", Decimal("10.5"), 2)
        assert decode(event.encode()) == event, "once migrated, it is an event as any other"

    @pytest.mark.parametrize("missing", ["event_id", "event_type", "timestamp", "correlation_id", "payload", "key"])
    def test_incomplete_envelope_is_poison(self, missing: str) -> None:
        old = first_version("market_tick", {"price": 1, "instrument_token": 1}, broker="shared", key="1")
        del old[missing]
        with pytest.raises(PoisonError, match=f"version 1.0 that is not complete: KeyError.*{missing}"):
            decode(encoded(old))
