"""What holds for every sequence of messages."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from position_manager.domain import Outcome, Transition, apply_funding, apply_market, rehedge
from position_manager.limits import Limits
from position_manager.messages import Event, FundingContext, MarketData, VenueLeg
from position_manager.state import Leg, Prices, SymbolState, opened

from .strategies import SYMBOL, contexts, legs, markets, prices, quantities, sequences

LIMITS = Limits()
NOW_MS = 1_760_000_000_000
# Decimals are exact to 28 digits, of which an average entry price may lose the last.
TINY = Decimal("1e-12")


def step(state: SymbolState, message: FundingContext | MarketData | str) -> Transition:
    if isinstance(message, FundingContext):
        return apply_funding(state, message, LIMITS)
    if isinstance(message, MarketData):
        return apply_market(state, message, LIMITS)
    return rehedge(state, LIMITS, NOW_MS) or Transition(state)


@given(sequences)
def test_revisions_and_event_ids_never_repeat(messages: list[FundingContext | MarketData | str]) -> None:
    state, ids = SymbolState(SYMBOL), list[str]()
    for message in messages:
        transition = step(state, message)
        changed = transition.state != state
        assert transition.state.revision == state.revision + changed
        assert changed or not transition.events, "nothing is published that was not saved"
        assert {event.revision for event in transition.events} <= {transition.state.revision}
        ids += [event.event_id for event in transition.events]
        state = transition.state
    assert len(ids) == len(set(ids))


@given(sequences)
def test_repeating_a_message_changes_nothing(messages: list[FundingContext | MarketData | str]) -> None:
    state = SymbolState(SYMBOL)
    for message in messages:
        state = step(state, message).state
        again = step(state, message)
        assert (again.state, again.events) == (state, ())


@given(sequences)
def test_an_open_position_is_within_its_limits(messages: list[FundingContext | MarketData | str]) -> None:
    state = SymbolState(SYMBOL)
    for message in messages:
        state = step(state, message).state
        position = state.position
        if position is not None and position.is_open:
            assert abs(position.imbalance) < LIMITS.max_imbalance
            assert abs(state.funding_rate) < LIMITS.extreme_funding_rate
        elif position is not None:
            assert not position.long.quantity
            assert not position.short.quantity


@given(sequences)
def test_a_closed_position_is_never_touched_again(messages: list[FundingContext | MarketData | str]) -> None:
    state = SymbolState(SYMBOL)
    for message in messages:
        before, state = state.position, step(state, message).state
        if before is not None and not before.is_open and state.position is not None:
            assert state.position == before or state.position.position_id != before.position_id


@given(sequences)
def test_state_survives_its_codec(messages: list[FundingContext | MarketData | str]) -> None:
    codec = TypeAdapter(SymbolState)
    state = SymbolState(SYMBOL)
    for message in messages:
        state = step(state, message).state
    assert codec.validate_json(codec.dump_json(state)) == state


@given(contexts(), markets())
def test_topics_may_arrive_in_either_order(context: FundingContext, market: MarketData) -> None:
    assume(context.timestamp_ms < market.timestamp_ms)
    start = SymbolState(SYMBOL)
    context_first = step(step(start, context).state, market).state
    market_first = step(step(start, market).state, context).state
    # An action at the opening prices is not taken when a newer price is known already, and the other way around.
    assume(context_first.position is None or market_first.position is None or _untouched(context_first, market_first))
    assert context_first == market_first


def _untouched(*states: SymbolState) -> bool:
    return all(
        state.position is not None and not state.position.realized and state.position.is_open for state in states
    )


@given(legs(), quantities, quantities, prices, prices)
def test_trading_at_the_market_keeps_the_total(
    at_open: tuple[VenueLeg, VenueLeg], long: Decimal, short: Decimal, long_price: Decimal, short_price: Decimal
) -> None:
    assume(at_open[0].quantity or at_open[1].quantity)
    position = opened("p", *(Leg(leg.quantity, leg.price) for leg in at_open))
    market = Prices(long_price, short_price, 1)
    traded = position.resized(long, short, market)
    scale = max(Decimal(1), abs(position.total(market)), traded.capital)
    assert abs(traded.total(market) - position.total(market)) <= TINY * scale
    assert traded.capital >= position.capital
    assert (traded.long.quantity, traded.short.quantity) == (long, short)


@given(legs())
def test_rehedge_balances_once(at_open: tuple[VenueLeg, VenueLeg]) -> None:
    long, short = (Leg(leg.quantity, leg.price) for leg in at_open)
    assume(long.quantity)
    state = SymbolState(
        SYMBOL, prices=Prices(long.entry_price, short.entry_price, 1), position=opened("p", long, short)
    )
    transition = rehedge(state, LIMITS, NOW_MS)
    assert state.position is not None
    if abs(state.position.imbalance) < LIMITS.rehedge_threshold:
        assert transition is None
    else:
        assert transition is not None
        assert transition.state.position is not None
        assert transition.state.position.imbalance == 0
        assert rehedge(transition.state, LIMITS, NOW_MS) is None


@given(st.integers(1, 10), st.lists(st.integers(-60, 60), min_size=1, max_size=20))
def test_a_stop_never_fires_while_profit_only_rises(quantity: int, moves: list[int]) -> None:
    context = FundingContext.model_validate(
        {
            "symbol": SYMBOL,
            "timestamp_ms": 1,
            "position_id": "p",
            "funding_rate": "0",
            "long": {"quantity": quantity, "price": 1000},
            "short": {"quantity": quantity, "price": 1000},
        }
    )
    state = apply_funding(SymbolState(SYMBOL), context, LIMITS).state
    for at_ms, price in enumerate(sorted(1000 + move for move in moves), start=2):
        market = MarketData(symbol=SYMBOL, timestamp_ms=at_ms, long_price=Decimal(price), short_price=Decimal(1000))
        transition = apply_market(state, market, LIMITS)
        if state.position is not None and state.position.is_open:
            expected = "profit_target" if price >= 1050 else None
            assert _reason(transition.events) == expected
        state = transition.state


def _reason(events: tuple[Event, ...]) -> str | None:
    return next((str(event.reason) for event in events if hasattr(event, "reason")), None)


@pytest.mark.parametrize("outcome", [Outcome.STALE, Outcome.REJECTED])
@given(contexts())
def test_a_refused_message_leaves_the_very_same_state(outcome: Outcome, context: FundingContext) -> None:
    state = SymbolState(SYMBOL)
    if outcome is Outcome.STALE:
        state = replace(state, funding_ms=context.timestamp_ms)
    else:
        leg = Leg(Decimal(1), Decimal(1))
        state = replace(state, prices=Prices(Decimal(1), Decimal(1), 1), position=opened("another", leg, leg))
    transition = apply_funding(state, context, LIMITS)
    assert (transition.outcome, transition.events) == (outcome, ())
    assert transition.state is state
