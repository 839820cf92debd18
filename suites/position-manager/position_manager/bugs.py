"""Deliberate bugs, one at a time by POSITION_MANAGER_BUG: the suite must go red for each (mutations.py)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from position_manager.domain import Transition, rehedge
from position_manager.messages import FundingContext, MarketData

if TYPE_CHECKING:
    from position_manager.limits import Limits
    from position_manager.state import SymbolState

INCLUSIVE: Final = (
    "extreme_funding_rate",
    "critical_imbalance",
    "max_imbalance",
    "profit_target",
    "trailing_activation",
    "trailing_stop",
    "rehedge_threshold",
)
HAIR: Final = Decimal("1e-20")
"""Less than what any two inputs can differ by."""


class Bug(StrEnum):
    """What the service does wrong; the values are what POSITION_MANAGER_BUG takes."""

    DUPLICATES_COUNTED = "duplicates-counted"
    """Applies repeated and older messages like new ones."""
    STATE_FORGOTTEN = "state-forgotten"
    """Starts without the states that are in Redis."""
    MEMORY_TRUSTED = "memory-trusted"
    """Does not restore the states of partitions that come back from another replica."""
    FUNDING_SIGN = "funding-sign"
    """Books funding that the short leg receives as paid, and the other way round."""
    EXCLUSIVE_LIMITS = "exclusive-limits"
    """Acts beyond each limit and not at it."""
    FLOAT_PRICES = "float-prices"
    """Market prices go through a float."""
    HEDGE_UNBOOKED = "hedge-unbooked"
    """Asks for a periodic hedge without booking it, and so again at each tick."""
    CLOSED_REOPENED = "closed-reopened"
    """Forgets that a position was closed: its next funding context opens it anew."""


def limits_of(limits: Limits, bug: Bug | None) -> Limits:
    """The limits that decisions are taken by."""
    if bug is not Bug.EXCLUSIVE_LIMITS:
        return limits
    return limits.model_copy(update={name: getattr(limits, name) + HAIR for name in INCLUSIVE})


def as_read(
    state: SymbolState, message: FundingContext | MarketData, bug: Bug | None
) -> tuple[SymbolState, FundingContext | MarketData]:
    """A symbol's state and the message that meets it."""
    match bug, message:
        case Bug.DUPLICATES_COUNTED, _:
            last_ms = state.funding_ms if isinstance(message, FundingContext) else state.market_ms
            return state, message.model_copy(update={"timestamp_ms": max(message.timestamp_ms, last_ms + 1)})
        case Bug.FUNDING_SIGN, FundingContext():  # what is accrued now was earned at the rate in the state
            return replace(state, funding_rate=-state.funding_rate), message
        case Bug.FLOAT_PRICES, MarketData():
            long, short = Decimal(float(message.long_price)), Decimal(float(message.short_price))
            return state, message.model_copy(update={"long_price": long, "short_price": short})
        case Bug.CLOSED_REOPENED, FundingContext() if state.position is not None and not state.position.is_open:
            return replace(state, position=None), message
        case _:
            return state, message


def rehedged(state: SymbolState, limits: Limits, at_ms: int, bug: Bug | None) -> Transition | None:
    """What the periodic rehedge makes of a state."""
    transition = rehedge(state, limits, at_ms)
    if transition is None or bug is not Bug.HEDGE_UNBOOKED:
        return transition
    return replace(transition, state=replace(transition.state, position=state.position))
