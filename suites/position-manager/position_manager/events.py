"""From a valued position to the messages about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from position_manager.messages import LegView, PnlUpdate, PositionState, Trigger
from position_manager.volatility import realized_volatility

if TYPE_CHECKING:
    from position_manager.state import Position, Prices, SymbolState


class Header(TypedDict):
    """The members that every event of one transition shares."""

    symbol: str
    position_id: str
    revision: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """An open position with the prices that value it: what every decision needs."""

    state: SymbolState
    position: Position
    prices: Prices

    def with_position(self, position: Position) -> Held:
        return replace(self, state=replace(self.state, position=position), position=position)

    def header(self, at_ms: int) -> Header:
        return Header(
            symbol=self.state.symbol,
            position_id=self.position.position_id,
            revision=self.state.revision,
            timestamp_ms=at_ms,
        )


def held(state: SymbolState) -> Held | None:
    """The symbol's open position, or None."""
    if state.position is None or state.prices is None or not state.position.is_open:
        return None
    return Held(state, state.position, state.prices)


def position_state(current: Held, at_ms: int, trigger: Trigger) -> PositionState:
    position = current.position
    return PositionState(
        **current.header(at_ms),
        status="open" if position.is_open else "closed",
        trigger=trigger,
        long=LegView(quantity=position.long.quantity, entry_price=position.long.entry_price),
        short=LegView(quantity=position.short.quantity, entry_price=position.short.entry_price),
        capital=position.capital,
        imbalance=position.imbalance,
        funding_rate=current.state.funding_rate,
        realized_pnl=position.realized,
        funding_pnl=position.funding,
        peak_ratio=position.peak_ratio,
        volatility=realized_volatility(current.state.window),
    )


def pnl_update(current: Held, at_ms: int) -> PnlUpdate:
    position, prices = current.position, current.prices
    return PnlUpdate(
        **current.header(at_ms),
        long_price=prices.long,
        short_price=prices.short,
        unrealized_pnl=position.unrealized(prices),
        realized_pnl=position.realized,
        funding_pnl=position.funding,
        total_pnl=position.total(prices),
        ratio=position.ratio(prices),
        volatility=realized_volatility(current.state.window),
    )
