"""What can be done to a position: hedge it, or close all or a part of it.

Every action is booked at once at the latest prices; the legs of the next funding context correct the book.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from position_manager.messages import EmergencyAction, Event, HedgeTrade, ProfitTaking, Trigger
from position_manager.state import ZERO

if TYPE_CHECKING:
    from decimal import Decimal

    from position_manager.events import Held


@dataclass(frozen=True, slots=True)
class Action:
    """The position after an action, and the message that asks others to carry it out."""

    held: Held
    event: Event
    reason: Trigger


def hedge(current: Held, at_ms: int, reason: Trigger) -> Action:
    """Bring the short leg to the size of the long one: the perpetual is the cheaper of the two to trade."""
    position, prices = current.position, current.prices
    delta = position.long.quantity - position.short.quantity
    trade = HedgeTrade(
        **current.header(at_ms),
        reason=reason,
        leg="short",
        side="sell" if delta > 0 else "buy",
        quantity=abs(delta),
        price=prices.short,
        imbalance=position.imbalance,
    )
    hedged = position.resized(position.long.quantity, position.long.quantity, prices)
    return Action(current.with_position(hedged), trade, reason)


def close_in_emergency(current: Held, at_ms: int, reason: Trigger) -> Action:
    closed, members = _close(current, reason, fraction=None)
    event = EmergencyAction(
        **current.header(at_ms),
        **members,
        funding_rate=current.state.funding_rate,
        imbalance=current.position.imbalance,
    )
    return Action(closed, event, reason)


def take_profit(current: Held, at_ms: int, reason: Trigger, fraction: Decimal | None = None) -> Action:
    """Close that fraction of both legs; None closes the position."""
    ratio, peak = current.position.ratio(current.prices), current.position.peak_ratio
    closed, members = _close(current, reason, fraction)
    # The next trailing stop is measured from here, so that one fall does not fire again at every following price.
    closed = closed.with_position(replace(closed.position, peak_ratio=ratio))
    event = ProfitTaking(**current.header(at_ms), **members, ratio=ratio, peak_ratio=peak)
    return Action(closed, event, reason)


class _CloseMembers(TypedDict):
    reason: Trigger
    action: str
    long_quantity: Decimal
    short_quantity: Decimal
    long_price: Decimal
    short_price: Decimal
    realized_pnl: Decimal


def _close(current: Held, reason: Trigger, fraction: Decimal | None) -> tuple[Held, _CloseMembers]:
    position, prices = current.position, current.prices
    remaining = ZERO if fraction is None else 1 - fraction
    after = position.resized(position.long.quantity * remaining, position.short.quantity * remaining, prices)
    if not remaining:
        after = replace(after, closed_by=reason)
    members = _CloseMembers(
        reason=reason,
        action="partial_close" if remaining else "close",
        long_quantity=position.long.quantity - after.long.quantity,
        short_quantity=position.short.quantity - after.short.quantity,
        long_price=prices.long,
        short_price=prices.short,
        realized_pnl=after.realized - position.realized,
    )
    return current.with_position(after), members
