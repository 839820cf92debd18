"""What to do about a message or a tick.

Pure: no clock, no I/O; the same state and message always give the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from position_manager import actions
from position_manager.events import Held, held, pnl_update, position_state
from position_manager.messages import Event, FundingContext, MarketData, Trigger
from position_manager.state import Leg, PricePoint, Prices, SymbolState, opened

if TYPE_CHECKING:
    from position_manager.limits import Limits


class Outcome(StrEnum):
    """What became of a message."""

    PROCESSED = "processed"
    STALE = "stale"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Transition:
    """The state after a message, and what is to be published because of it, in order."""

    state: SymbolState
    events: tuple[Event, ...] = ()
    outcome: Outcome = Outcome.PROCESSED
    detail: str = ""


def apply_funding(state: SymbolState, context: FundingContext, limits: Limits) -> Transition:
    """Open, correct or close the symbol's position after a funding context."""
    at_ms, position = context.timestamp_ms, state.position
    if at_ms <= state.funding_ms:
        return Transition(state, outcome=Outcome.STALE)
    if position is not None and position.is_open != (position.position_id == context.position_id):
        status = f"closed by {position.closed_by}" if position.closed_by else "still open"
        detail = f"context for {context.position_id}, but {position.position_id} is {status}"
        return Transition(state, outcome=Outcome.REJECTED, detail=detail)
    updated = replace(
        state.accrued(at_ms),
        revision=state.revision + 1,
        funding_ms=at_ms,
        funding_rate=context.funding_rate,
        funding_interval_hours=context.funding_interval_hours,
    )
    updated = _reconciled(updated, context)
    current = held(updated)
    if current is None:
        return Transition(updated)
    if not current.position.long.quantity and not current.position.short.quantity:
        flat = current.with_position(replace(current.position, closed_by=Trigger.CLOSED_BY_VENUE))
        return Transition(flat.state, (position_state(flat, at_ms, Trigger.CLOSED_BY_VENUE),))
    action = _decide(current, limits, at_ms)
    if action is not None:
        return Transition(action.held.state, (action.event, position_state(action.held, at_ms, action.reason)))
    trigger = Trigger.FUNDING_CONTEXT if position is not None and position.is_open else Trigger.OPENED
    current = _with_peak(current)
    return Transition(current.state, (position_state(current, at_ms, trigger),))


def apply_market(state: SymbolState, market: MarketData, limits: Limits) -> Transition:
    """Value the symbol's position at new prices, and take profit when that is due."""
    at_ms = market.timestamp_ms
    if at_ms <= state.market_ms:
        return Transition(state, outcome=Outcome.STALE)
    updated = replace(
        state.priced(Prices(market.long_price, market.short_price, at_ms)),
        revision=state.revision + 1,
        market_ms=at_ms,
        window=(*state.window, PricePoint(at_ms, float(market.long_price)))[-limits.volatility_window :],
    )
    current = held(updated)
    # A price from before the position was opened or last corrected says nothing about its worth now.
    if current is None or current.prices.at_ms != at_ms:
        return Transition(updated)
    valued = pnl_update(current, at_ms)
    action = _decide(current, limits, at_ms)
    if action is not None:
        return Transition(action.held.state, (valued, action.event, position_state(action.held, at_ms, action.reason)))
    return Transition(_with_peak(current).state, (valued,))


def rehedge(state: SymbolState, limits: Limits, at_ms: int) -> Transition | None:
    """The periodic rehedge: None unless the legs have drifted apart."""
    current = held(replace(state, revision=state.revision + 1))
    if current is None or abs(current.position.imbalance) < limits.rehedge_threshold:
        return None
    action = actions.hedge(current, at_ms, Trigger.PERIODIC_REHEDGE)
    return Transition(action.held.state, (action.event, position_state(action.held, at_ms, action.reason)))


def _reconciled(state: SymbolState, context: FundingContext) -> SymbolState:
    """Make the legs what the venues report: they know better than what was requested from them."""
    if context.long is None or context.short is None:
        return state
    reported = Prices(context.long.price, context.short.price, context.timestamp_ms)
    long, short = context.long.quantity, context.short.quantity
    priced, current = state.priced(reported), held(state)
    if current is not None:
        return replace(priced, position=current.position.resized(long, short, reported))
    if not long and not short:
        return priced
    position = opened(context.position_id, Leg(long, reported.long), Leg(short, reported.short))
    return replace(priced, position=position)


def _with_peak(current: Held) -> Held:
    peak = max(current.position.peak_ratio, current.position.ratio(current.prices))
    return current.with_position(replace(current.position, peak_ratio=peak))


def _decide(current: Held, limits: Limits, at_ms: int) -> actions.Action | None:
    """The most urgent action that is due: danger first, then balance, then profit."""
    current = _with_peak(current)
    position = current.position
    ratio, imbalance = position.ratio(current.prices), abs(position.imbalance)
    if abs(current.state.funding_rate) >= limits.extreme_funding_rate:
        return actions.close_in_emergency(current, at_ms, Trigger.EXTREME_FUNDING)
    if imbalance >= limits.critical_imbalance:
        return actions.close_in_emergency(current, at_ms, Trigger.CRITICAL_IMBALANCE)
    if imbalance >= limits.max_imbalance:
        return actions.hedge(current, at_ms, Trigger.POSITION_IMBALANCE)
    if ratio >= limits.profit_target:
        return actions.take_profit(current, at_ms, Trigger.PROFIT_TARGET)
    if position.peak_ratio >= limits.trailing_activation and position.peak_ratio - ratio >= limits.trailing_stop:
        return actions.take_profit(current, at_ms, Trigger.TRAILING_STOP, limits.partial_close_fraction)
    return None
