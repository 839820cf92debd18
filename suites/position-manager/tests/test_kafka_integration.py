"""The full flow: normal operation, emergencies, profit taking, and sequences of messages through the real broker."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from contract import (
    CRITICAL_IMBALANCE,
    EXTREME_FUNDING_RATE,
    MAX_IMBALANCE,
    PARTIAL_CLOSE_FRACTION,
    PROFIT_TARGET,
    REHEDGE_THRESHOLD,
    TRAILING_ACTIVATION,
    TRAILING_STOP,
    EmergencyAction,
    Event,
    HedgeTrade,
    PnlUpdate,
    PositionState,
    ProfitTaking,
    decimals,
)
from stored import stored_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from flow import Flow
    from manager import Manager
    from redis.asyncio import Redis
    from wire import Wire

pytestmark = pytest.mark.asyncio
HOUR_MS = 3_600_000
JUST = Decimal("0.000001")


def balanced(quantity: str, long_price: str, short_price: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (quantity, long_price), (quantity, short_price)


async def two_ticks_later(flow: Flow) -> None:
    """Return once two more periodic rehedges have run to their end, seen by what they do to this other symbol."""
    await flow.open()
    for quantity in ("1.05", "1.1"):
        await flow.funding("0.0001", ((quantity, "100"), ("1", "100")))
        await flow.next(HedgeTrade, "a periodic rehedge (REHEDGE_INTERVAL_SECONDS must be far below the deadline)")
    await flow.wire.settle()


class TestNormalOperation:
    """Funding context -> state; market data -> P&L; periodic rehedge -> hedge trade."""

    async def test_full_message_flow(self, flow: Flow) -> None:
        opened = await flow.open("1", "100")
        pnl = await flow.valued("100.5", "100.2")
        await flow.funding("0.0002", (("1", "100.5"), ("0.95", "100.2")))
        updated = await flow.next(PositionState, "the corrected legs", lambda s: s.trigger == "funding_context")
        trade = await flow.next(HedgeTrade, "the periodic rehedge")
        hedged = await flow.next(PositionState, "the hedged position", lambda s: s.trigger == "periodic_rehedge")
        assert pnl.total_pnl == Decimal("0.3")
        assert updated.quantities == decimals(1, "0.95")
        assert trade.quantity == Decimal("0.05")
        assert hedged.quantities == decimals(1, 1)
        revisions = [event.revision for event in (opened, pnl, updated, trade)]
        assert revisions == [1, 2, 3, 4]
        assert hedged.revision == trade.revision, "a trade and the state after it belong together"

    @pytest.mark.parametrize(("short", "side"), [("0.9", "sell"), ("1.1", "buy")])
    async def test_periodic_rehedge_trades_the_drift(self, flow: Flow, short: str, side: str) -> None:
        await flow.funding("0.0001", (("1", "100"), (short, "99")))
        drifted = await flow.next(PositionState, "the drifted position")
        trade = await flow.next(HedgeTrade, "the periodic rehedge")
        hedged = await flow.next(PositionState, "the hedged position")
        assert (trade.reason, trade.side, trade.quantity) == ("periodic_rehedge", side, Decimal("0.1"))
        assert (trade.price, trade.imbalance) == (Decimal(99), drifted.imbalance)
        assert (hedged.trigger, hedged.quantities) == ("periodic_rehedge", decimals(1, 1))
        assert hedged.imbalance == 0

    async def test_small_drift_is_left_alone(self, flow: Flow, another: Callable[[], Flow]) -> None:
        short = 1 - REHEDGE_THRESHOLD + JUST
        await flow.funding("0.0001", (("1", "100"), (str(short), "100")))
        await flow.next(PositionState, "the opened position")
        await two_ticks_later(another())
        assert flow.seen(HedgeTrade) == []

    async def test_drift_is_hedged_once(self, flow: Flow, another: Callable[[], Flow]) -> None:
        await flow.funding("0.0001", (("1", "100"), ("0.9", "100")))
        await flow.next(HedgeTrade, "the periodic rehedge")
        await two_ticks_later(another())
        assert len(flow.seen(HedgeTrade)) == 1


class TestPositionStates:
    """What a funding context makes of a position."""

    async def test_growth_averages_the_entry_price(self, flow: Flow) -> None:
        await flow.open("1", "100")
        await flow.funding("0.0001", balanced("3", "106", "103"))
        state = await flow.next(PositionState, "the larger position")
        assert (state.trigger, state.quantities) == ("funding_context", decimals(3, 3))
        assert state.entry_prices == decimals(104, 102)  # (1 * 100 + 2 * price) / 3
        assert (state.capital, state.realized_pnl) == decimals(309, 0)

    async def test_shrinkage_realises(self, flow: Flow) -> None:
        await flow.open("2", "100")
        await flow.funding("0.0001", balanced("1.5", "103", "101"))
        state = await flow.next(PositionState, "the smaller position")
        assert state.quantities == decimals("1.5", "1.5")
        assert state.realized_pnl == 1  # half a unit at +3 on the long leg and -1 on the short one
        assert state.entry_prices == decimals(100, 100)

    async def test_context_without_legs_updates_the_rate_only(self, flow: Flow) -> None:
        opened = await flow.open()
        await flow.funding("-0.0004")
        state = await flow.next(PositionState, "the new rate")
        assert (state.trigger, state.funding_rate) == ("funding_context", Decimal("-0.0004"))
        assert (state.long, state.short) == (opened.long, opened.short)

    async def test_position_gone_at_the_venue_is_closed(self, flow: Flow) -> None:
        await flow.open()
        await flow.funding("0.0001", balanced("0", "101", "100"))
        state = await flow.next(PositionState, "the closed position")
        assert (state.status, state.trigger, state.quantities) == ("closed", "closed_by_venue", decimals(0, 0))
        assert state.realized_pnl == 1

    async def test_context_of_another_position_is_rejected_while_one_is_open(
        self, flow: Flow, manager: Manager
    ) -> None:
        await flow.open()
        before = await manager.metric("position_manager_messages_total", outcome="rejected")
        await flow.funding("0.0001", balanced("5", "100", "100"), position_id=f"{flow.position_id}-other")
        await manager.wait_metric(before + 1, "position_manager_messages_total", outcome="rejected")
        await flow.funding("0.0002")
        state = await flow.next(PositionState, "the state after it")
        assert (state.position_id, state.revision, state.quantities) == (flow.position_id, 2, decimals(1, 1))


class TestPnl:
    """P&L of both legs, funding, and what stays realised."""

    @pytest.mark.parametrize(
        ("long_price", "short_price", "total"),
        [
            ("101", "100", "3"),
            ("100", "101", "-3"),
            ("95", "95", "0"),
            ("104.5", "104.1", "1.2"),
            ("99.9", "99.5", "1.2"),
        ],
    )
    async def test_only_the_basis_counts(self, flow: Flow, long_price: str, short_price: str, total: str) -> None:
        await flow.open("3", "100")
        pnl = await flow.valued(long_price, short_price)
        assert (pnl.total_pnl, pnl.unrealized_pnl) == (Decimal(total), Decimal(total))
        assert pnl.ratio == Decimal(total) / 300

    @pytest.mark.parametrize(("rate", "earned"), [("0.0008", "0.16"), ("-0.0008", "-0.16")])
    async def test_funding_accrues_until_the_next_context(self, flow: Flow, rate: str, earned: str) -> None:
        """A quarter of an 8 h interval, 8 units at 100: a positive rate pays the short leg, a negative one costs it."""
        await flow.open("8", "100", rate)
        flow.tick(2 * HOUR_MS - 1000)
        await flow.funding("0")
        state = await flow.next(PositionState, "the accrued funding")
        pnl = await flow.valued("100", "100")
        assert state.funding_pnl == Decimal(earned)
        assert (pnl.funding_pnl, pnl.total_pnl) == (Decimal(earned), Decimal(earned))

    async def test_total_is_continuous_across_a_hedge(self, flow: Flow) -> None:
        await flow.open("1", "100")
        before = await flow.valued("102", "101")
        await flow.funding("0", (("1", "102"), ("0.75", "101")))
        await flow.next(HedgeTrade, "the hedge")
        state = await flow.next(PositionState, "the hedged position", lambda s: s.trigger == "position_imbalance")
        after = await flow.valued("102", "101")
        funding = state.funding_pnl
        assert state.quantities == decimals(1, 1)
        assert after.total_pnl == before.total_pnl + funding
        assert after.realized_pnl == Decimal("-0.25")  # a quarter of the short leg was lost at 101, entered at 100


class TestEmergency:
    """Extreme funding or a critical imbalance closes; a large imbalance is hedged at once."""

    @pytest.mark.parametrize("sign", ["", "-"])
    async def test_extreme_funding_closes_the_position(self, flow: Flow, sign: str) -> None:
        await flow.open("2", "100")
        await flow.valued("101", "100.5")
        await flow.funding(f"{sign}{EXTREME_FUNDING_RATE}")
        action = await flow.next(EmergencyAction, "the emergency close")
        state = await flow.next(PositionState, "the closed position", lambda s: s.status == "closed")
        assert (action.reason, action.action) == ("extreme_funding", "close")
        assert action.quantities == decimals(2, 2)
        assert (action.long_price, action.short_price, action.realized_pnl) == decimals(101, "100.5", 1)
        assert (state.trigger, state.quantities) == ("extreme_funding", decimals(0, 0))
        assert state.realized_pnl == 1
        assert state.revision == action.revision

    async def test_rate_just_below_extreme_does_not(self, flow: Flow) -> None:
        await flow.open()
        await flow.funding(str(EXTREME_FUNDING_RATE - JUST))
        state = await flow.next(PositionState, "the new rate")
        await flow.wire.settle()
        assert (state.status, state.trigger) == ("open", "funding_context")
        assert flow.seen(EmergencyAction) == []

    async def test_critical_imbalance_closes_the_position(self, flow: Flow) -> None:
        await flow.open()
        await flow.funding("0.0001", (("1", "100"), (str(1 - CRITICAL_IMBALANCE), "100")))
        action = await flow.next(EmergencyAction, "the emergency close")
        state = await flow.next(PositionState, "the closed position")
        assert (action.reason, action.imbalance) == ("critical_imbalance", CRITICAL_IMBALANCE)
        assert action.quantities == decimals(1, "0.5")
        assert (state.status, state.quantities) == ("closed", decimals(0, 0))

    @pytest.mark.parametrize(("short", "side"), [("0.8", "sell"), ("1.25", "buy")])
    async def test_imbalance_is_hedged_at_once(self, flow: Flow, short: str, side: str) -> None:
        await flow.open()
        await flow.funding("0.0001", (("1", "100"), (short, "100")))
        trade = await flow.next(HedgeTrade, "the hedge")
        state = await flow.next(PositionState, "the hedged position")
        assert (trade.reason, trade.side) == ("position_imbalance", side)
        assert abs(trade.imbalance) == MAX_IMBALANCE
        assert trade.quantity == abs(1 - Decimal(short))
        assert (state.trigger, state.quantities, state.status) == ("position_imbalance", decimals(1, 1), "open")

    async def test_closed_position_stays_closed_and_another_may_follow(self, flow: Flow, manager: Manager) -> None:
        await flow.funding(str(EXTREME_FUNDING_RATE), balanced("1", "100", "100"))
        await flow.next(PositionState, "the closed position", lambda s: s.status == "closed")
        before = await manager.metric("position_manager_messages_total", outcome="rejected")
        await flow.funding("0.0001", balanced("1", "100", "100"))
        await manager.wait_metric(before + 1, "position_manager_messages_total", outcome="rejected")
        flow.position_id = f"{flow.position_id}-next"
        state = await flow.open("4", "100")
        assert (state.position_id, state.quantities) == (flow.position_id, decimals(4, 4))
        assert [s.trigger for s in flow.seen(PositionState)] == ["extreme_funding", "opened"]


class TestProfitTaking:
    """The target closes everything, the trailing stop a part."""

    async def test_profit_target_closes_the_position(self, flow: Flow) -> None:
        await flow.open("2", "100")
        await flow.market(str(100 * (1 + PROFIT_TARGET)))
        taken = await flow.next(ProfitTaking, "the profit")
        state = await flow.next(PositionState, "the closed position", lambda s: s.status == "closed")
        pnl = await flow.next(PnlUpdate, "the P&L at that price")
        assert (taken.reason, taken.action, taken.ratio) == ("profit_target", "close", PROFIT_TARGET)
        assert (taken.quantities, taken.realized_pnl) == (decimals(2, 2), Decimal(10))
        assert (state.trigger, state.quantities, state.realized_pnl) == ("profit_target", decimals(0, 0), Decimal(10))
        assert pnl.revision == taken.revision == state.revision
        await flow.market("120")
        await flow.wire.settle()
        assert len(flow.seen(ProfitTaking)) == 1

    async def test_just_below_the_target_is_kept(self, flow: Flow) -> None:
        await flow.open()
        pnl = await flow.valued(str(100 * (1 + PROFIT_TARGET - JUST)))
        await flow.wire.settle()
        assert pnl.ratio == PROFIT_TARGET - JUST
        assert flow.seen(ProfitTaking) == []

    async def test_trailing_stop_closes_a_part(self, flow: Flow, redis: Redis) -> None:
        await flow.open("4", "100")
        await flow.valued("104")
        await flow.market("103")
        taken = await flow.next(ProfitTaking, "the trailing stop")
        state = await flow.next(PositionState, "the smaller position", lambda s: s.trigger == "trailing_stop")
        stored = await stored_state(redis, flow.symbol, lambda s: s["revision"] == state.revision)
        part = 4 * PARTIAL_CLOSE_FRACTION
        assert (taken.reason, taken.action) == ("trailing_stop", "partial_close")
        assert (taken.peak_ratio, taken.peak_ratio - taken.ratio) == (Decimal("0.04"), TRAILING_STOP)
        assert (taken.quantities, taken.realized_pnl) == (decimals(part, part), part * 3)
        assert (state.status, state.quantities, state.realized_pnl) == ("open", decimals(4 - part, 4 - part), part * 3)
        assert Decimal(stored["position"]["long"]["quantity"]) == 4 - part

    async def test_trailing_stop_is_armed_by_its_activation(self, flow: Flow) -> None:
        await flow.open()
        await flow.valued(str(100 * (1 + TRAILING_ACTIVATION - JUST)))
        await flow.valued("95")
        await flow.wire.settle()
        assert flow.seen(ProfitTaking) == []

    async def test_next_stop_is_measured_from_the_last(self, flow: Flow) -> None:
        await flow.open("4", "100")
        for price in ("104", "103", "101.01", "101"):
            await flow.valued(price)
        await flow.next(PositionState, "the second stop", lambda s: s.quantities == decimals(1, 1))
        await flow.wire.settle()
        assert [str(taken.long_price) for taken in flow.seen(ProfitTaking)] == ["103", "101"]
        assert [taken.long_quantity for taken in flow.seen(ProfitTaking)] == [2, 1]

    async def test_target_after_a_partial_close(self, flow: Flow) -> None:
        """The ratio counts what was realised already: 2 * 3 + 2 * 7 on a capital of 400."""
        await flow.open("4", "100")
        for price in ("104", "103", "107"):
            await flow.valued(price)
        await flow.next(ProfitTaking, "the trailing stop")
        taken = await flow.next(ProfitTaking, "the profit target")
        state = await flow.next(PositionState, "the closed position", lambda s: s.status == "closed")
        assert (taken.reason, taken.ratio, taken.long_quantity) == ("profit_target", PROFIT_TARGET, Decimal(2))
        assert state.realized_pnl == 20


class TestMessageSequencing:
    """Order, duplicates and late messages."""

    async def test_prices_are_processed_in_order(self, flow: Flow) -> None:
        await flow.open()
        sent = [await flow.market(f"100.{number:02}") for number in range(50)]
        await flow.valued_at(flow.now_ms)
        updates = flow.seen(PnlUpdate)
        assert [update.timestamp_ms for update in updates] == [message["timestamp_ms"] for message in sent]
        assert [update.revision for update in updates] == list(range(2, 52))

    async def test_symbols_do_not_mix(self, another: Callable[[], Flow]) -> None:
        flows = [another() for _ in range(5)]
        for number, flow in enumerate(flows, start=1):
            await flow.open(str(number), "100")
        for cents in range(10):
            for flow in flows:
                await flow.market(f"100.{cents}")
        for number, flow in enumerate(flows, start=1):
            last = await flow.next(PnlUpdate, "the last P&L", lambda p: p.long_price == Decimal("100.9"))
            assert last.total_pnl == number * Decimal("0.9")
            assert [update.revision for update in flow.seen(PnlUpdate)] == list(range(2, 12))

    async def test_duplicates_change_nothing(self, flow: Flow, manager: Manager) -> None:
        context = flow.funding_message("0.0001", balanced("1", "100", "100"))
        market = flow.market_message("101")
        before = await manager.metric("position_manager_messages_total", outcome="stale")
        for _ in range(3):
            await flow.wire.send("funding_context", flow.symbol, context)
        await flow.next(PositionState, "the opened position")
        for _ in range(3):
            await flow.wire.send("market_data", flow.symbol, market)
        await manager.wait_metric(before + 4, "position_manager_messages_total", outcome="stale")
        await flow.valued("102")
        await flow.wire.settle()
        assert [state.revision for state in flow.seen(PositionState)] == [1]
        assert [update.revision for update in flow.seen(PnlUpdate)] == [2, 3]

    async def test_older_messages_are_ignored(self, flow: Flow, manager: Manager) -> None:
        opened = await flow.open()
        latest = await flow.valued("101")
        before = await manager.metric("position_manager_messages_total", outcome="stale")
        await flow.funding(str(EXTREME_FUNDING_RATE), timestamp_ms=opened.timestamp_ms - 1)
        await flow.market("150", timestamp_ms=latest.timestamp_ms - 1)
        await manager.wait_metric(before + 2, "position_manager_messages_total", outcome="stale")
        await flow.wire.settle()
        assert flow.seen(EmergencyAction) == []
        assert flow.seen(ProfitTaking) == []
        assert flow.seen(PnlUpdate) == [latest]

    async def test_either_order_of_topics_ends_in_the_same_state(
        self, another: Callable[[], Flow], redis: Redis
    ) -> None:
        """Kafka keeps no order between topics, so an opening context and a newer price may arrive either way."""
        ends = []
        for order in (("funding_context", "market_data"), ("market_data", "funding_context")):
            flow = another()
            messages = {
                "funding_context": flow.funding_message("0.0001", balanced("2", "100", "100"), position_id="position"),
                "market_data": flow.market_message("101"),
            }
            await flow.wire.send(order[0], flow.symbol, messages[order[0]])
            await stored_state(redis, flow.symbol, lambda s: s["revision"] == 1)
            await flow.wire.send(order[1], flow.symbol, messages[order[1]])
            stored = await stored_state(redis, flow.symbol, lambda s: s["revision"] == 2)
            ends.append({key: value for key, value in stored.items() if key not in ("symbol", "partition")})
        assert ends[0] == ends[1]

    async def test_whole_life_of_a_position(self, flow: Flow) -> None:
        """Every topic in one sequence; what was published tells one consistent story."""
        await flow.open("4", "100")
        await flow.valued("101")
        await flow.funding("0", (("4", "101"), ("3", "100")))
        await flow.next(PositionState, "the hedge", lambda s: s.trigger == "position_imbalance")
        for price in ("104.5", "103"):
            await flow.valued(price)
        await flow.next(PositionState, "the trailing stop", lambda s: s.trigger == "trailing_stop")
        await flow.funding(str(EXTREME_FUNDING_RATE))
        closed = await flow.next(PositionState, "the end", lambda s: s.status == "closed")
        await flow.wire.settle()
        kinds: tuple[type[Event], ...] = (HedgeTrade, ProfitTaking, EmergencyAction)
        assert [len(flow.seen(kind)) for kind in kinds] == [1, 1, 1]
        assert [state.trigger for state in flow.seen(PositionState)] == [
            "opened", "position_imbalance", "trailing_stop", "extreme_funding",
        ]  # fmt: skip
        assert closed.realized_pnl == 12  # 3 a unit on the long leg; the short one was always traded at 100
        revisions = [state.revision for state in flow.seen(PositionState)]
        assert revisions == sorted(set(revisions))

    async def test_outputs_of_a_symbol_share_one_partition_per_topic(self, flow: Flow, wire: Wire) -> None:
        """Order per symbol holds for whoever consumes the outputs too."""
        await flow.open()
        for cents in range(5):
            await flow.valued(f"100.{cents}")
        assert len(flow.seen(PnlUpdate)) == 5
        assert len(wire.partitions[flow.symbol, PnlUpdate.topic]) == 1
