"""Each service of the pipeline, from the events that it reads to those that it publishes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from contract import PARTITIONS, STAGES, DeadLetter, Order, Portfolio, Rejected, Signal, all_topics, topic

if TYPE_CHECKING:
    import asyncpg
    from desk import OpenDesk
    from services import ServiceClient
    from wire import Wire


class TestEnvironment:
    async def test_topics_and_services_are_there(self, wire: Wire, services: dict[str, ServiceClient]) -> None:
        for name in all_topics():
            partitions = await wire.producer.partitions_for(name)
            assert len(partitions) == (1 if name.endswith("dlq") else PARTITIONS), name
        for name in STAGES:
            assert await services[name].metric("alpha_panda_sessions_total") >= 2, "a session for each broker"


class TestFeed:
    async def test_ticks_are_published_by_instrument(
        self, open_desk: OpenDesk, services: dict[str, ServiceClient], wire: Wire
    ) -> None:
        desk = await open_desk()
        answer = await services["feed"].post("/ticks", [desk.price(str(100 + number)) for number in range(5)])
        ids = answer.json()["ids"]
        found = await wire.expect(str(desk.instrument), "market_tick", "shared", 5)
        assert [str(event.id) for event in found] == ids
        assert all(event.correlation_id == event.id and event.causation_id is None for event in found)
        assert [event.data["last_price"] for event in found] == ["100", "101", "102", "103", "104"]

    @pytest.mark.parametrize(
        ("body", "problem"),
        [
            ({}, "body: Input should be a valid array"),
            ([{"instrument_token": 1}], "0.last_price: Field required"),
            ([{"instrument_token": 1, "last_price": "-1", "timestamp": "2025-08-24T09:15:00Z"}], "0.last_price"),
            ([{"instrument_token": 1, "last_price": "1", "timestamp": "2025-08-24T09:15:00"}], "0.timestamp"),
        ],
    )
    async def test_what_is_no_tick_is_refused(
        self, services: dict[str, ServiceClient], body: Any, problem: str
    ) -> None:
        answer = await services["feed"].post("/ticks", body)
        assert answer.status_code == 400
        assert problem in answer.json()["error"]


class TestStrategy:
    async def test_momentum_follows_a_move(self, open_desk: OpenDesk, wire: Wire) -> None:
        """Moves are measured from the price of the last signal; smaller ones than the threshold are nothing."""
        desk = await open_desk(threshold="0.01", quantity=3)
        for price in ("100", "100.9", "101", "101.5", "99.9", "99.99"):
            await desk.tick(price)
        signals = [Signal.model_validate(event.data) for event in await desk.expect("trading_signal", count=2)]
        await wire.settle()
        assert [(signal.signal_type, signal.price) for signal in signals] == [("buy", 101), ("sell", Decimal("99.9"))]
        assert len(desk.seen("trading_signal")) == 2
        assert {signal.quantity for signal in signals} == {3}

    async def test_mean_reversion_bets_against_it(self, open_desk: OpenDesk) -> None:
        desk = await open_desk(kind="mean_reversion", threshold="0.01")
        for price in ("100", "101", "99"):
            await desk.tick(price)
        found = [
            Signal.model_validate(event.data).signal_type for event in await desk.expect("trading_signal", count=2)
        ]
        assert found == ["sell", "buy"]

    async def test_inactive_strategy_is_silent(
        self, open_desk: OpenDesk, database: asyncpg.Connection, services: dict[str, ServiceClient], wire: Wire
    ) -> None:
        desk, other = await open_desk(), await open_desk()
        await database.execute("UPDATE strategies SET active = false WHERE strategy_id = $1", desk.strategy_id)
        await database.execute(
            "UPDATE strategies SET instrument_tokens = $1 WHERE strategy_id = $2",
            [other.instrument, desk.instrument],
            other.strategy_id,
        )
        later = await open_desk()  # what the services know of, they know of all that was changed before
        assert later.strategy_id in (await services["strategy"].get("/configuration"))["strategies"]["paper"]
        await desk.tick("100")
        await desk.tick("102")
        await other.expect("trading_signal")
        await wire.settle()
        assert not desk.seen("trading_signal")


class TestRisk:
    @pytest.mark.parametrize(
        ("limits", "signal", "rule", "reason"),
        [
            ((9, 10_000, 100), {}, "max_order_quantity", "10 units, at most 9 are allowed"),
            ((10, 999, 100), {}, "max_order_value", "worth 1000, at most 999 is allowed"),
            ((10, 1000, 9), {}, "max_position", "0 would become 10, at most 9 is allowed"),
            ((10, 1000, 9), {"signal_type": "sell"}, "max_position", "0 would become -10, at most 9 is allowed"),
        ],
    )
    async def test_broken_rule_is_named(
        self, open_desk: OpenDesk, limits: tuple[int, int, int], signal: dict[str, Any], rule: str, reason: str
    ) -> None:
        desk = await open_desk(limits=limits)
        sent = await desk.send("trading_signal", desk.signal(**signal))
        rejection = await desk.last("signal_rejected")
        rejected = Rejected.model_validate(rejection.data)
        assert (rejected.rule, rejected.reason) == (rule, reason)
        assert str(rejection.causation_id) == sent["id"]
        letter = DeadLetter.model_validate((await desk.last("dead_letter")).data)
        assert (letter.error_class, letter.message) == ("business", f"{rule}: {reason}")

    async def test_position_is_what_was_validated(self, open_desk: OpenDesk, wire: Wire) -> None:
        """Rejected signals do not count, and what makes a position smaller is always allowed."""
        desk = await open_desk(limits=(20, 1_000_000, 20))
        for kind, quantity in (("buy", 15), ("buy", 10), ("hold", 20), ("sell", 20), ("buy", 20), ("sell", 20)):
            await desk.send("trading_signal", desk.signal(signal_type=kind, quantity=quantity))
        await desk.expect("signal_validated", count=4)
        await wire.settle()
        validated = [Signal.model_validate(event.data) for event in desk.seen("signal_validated")]
        assert [(one.signal_type, one.quantity) for one in validated] == [
            ("buy", 15),
            ("sell", 20),
            ("buy", 20),
            ("sell", 20),
        ]
        assert len(desk.seen("signal_rejected")) == 1

    async def test_brokers_have_limits_of_their_own(self, open_desk: OpenDesk) -> None:
        """Those of strategy `*`: zerodha allows a tenth of what paper does."""
        desk = await open_desk(("paper", "zerodha"))
        for broker in desk.brokers:
            await desk.send("trading_signal", desk.signal(quantity=101), broker)
        await desk.last("signal_validated", "paper")
        rejected = Rejected.model_validate((await desk.last("signal_rejected", "zerodha")).data)
        assert rejected.rule == "max_order_quantity"


class TestExecution:
    async def test_order_is_placed_and_filled(self, open_desk: OpenDesk) -> None:
        desk = await open_desk(("paper", "zerodha"))
        for broker in desk.brokers:
            await desk.send("signal_validated", desk.signal(quantity=1000, price="123.45"), broker)
        for broker, charges in (("paper", 0), ("zerodha", 20)):
            placed, filled = await desk.last("order_placed", broker), await desk.last("order_filled", broker)
            assert filled.causation_id == placed.id
            order = Order.model_validate(filled.data)
            assert order == Order.model_validate(placed.data).model_copy(update={"charges": Decimal(charges)})
            assert (order.side, order.quantity, order.price) == ("buy", 1000, Decimal("123.45"))


class TestPortfolio:
    async def test_orders_add_up(self, open_desk: OpenDesk) -> None:
        """Grow, shrink, cross zero, close: to the last paisa."""
        desk = await open_desk()
        trades = [("buy", 10, "100"), ("buy", 30, "104"), ("sell", 20, "110"), ("sell", 30, "90"), ("buy", 10, "95.05")]
        for side, quantity, price in trades:
            await desk.send("signal_validated", desk.signal(signal_type=side, quantity=quantity, price=price))
        updates = [
            Portfolio.model_validate(event.data) for event in await desk.expect("portfolio_updated", count=len(trades))
        ]
        seen = [
            (position.quantity, position.average_price, position.realized_pnl)
            for position in (update.positions[desk.instrument] for update in updates)
        ]
        assert seen == [
            (10, 100, 0),
            (40, 103, 0),
            (20, 103, 140),
            (-10, 90, -120),
            (0, 0, Decimal("-170.5")),
        ]
        assert await desk.portfolio(len(trades)) == updates[-1]

    async def test_instruments_are_apart(self, open_desk: OpenDesk) -> None:
        desk, other = await open_desk(), await open_desk()
        await desk.send("signal_validated", desk.signal())
        await desk.send("signal_validated", desk.signal(instrument_token=other.instrument, signal_type="sell"))
        portfolio = await desk.portfolio(2)
        assert {token: position.quantity for token, position in portfolio.positions.items()} == {
            desk.instrument: 10,
            other.instrument: -10,
        }


async def test_dead_letters_are_on_one_partition(wire: Wire) -> None:
    """They are read by people, in the order in which they arose."""
    for broker in ("paper", "zerodha"):
        assert await wire.producer.partitions_for(topic("dead_letter", broker)) == {0}
