"""What the service promises about its topics, written down apart from its code: an unknown or missing member fails."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

INPUT_TOPICS = ("funding_context", "market_data")

# The service's documented defaults, which the suite relies on.
PROFIT_TARGET = Decimal("0.05")
TRAILING_ACTIVATION = Decimal("0.02")
TRAILING_STOP = Decimal("0.01")
PARTIAL_CLOSE_FRACTION = Decimal("0.5")
EXTREME_FUNDING_RATE = Decimal("0.01")
REHEDGE_THRESHOLD = Decimal("0.02")
MAX_IMBALANCE = Decimal("0.2")
CRITICAL_IMBALANCE = Decimal("0.5")
GROUP_ID = "position-manager"
STATE_PREFIX = "position-manager:state:"


def decimals(*values: str | int | Decimal) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) for value in values)


class Event(BaseModel):
    """The members of every published message."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    topic: ClassVar[str]

    event_id: str
    symbol: str
    position_id: str
    revision: int
    timestamp_ms: int


class Leg(BaseModel):
    """One leg of a published position."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: Decimal
    entry_price: Decimal


class PositionState(Event):
    """Topic position_states."""

    topic = "position_states"

    status: Literal["open", "closed"]
    trigger: str
    long: Leg
    short: Leg
    capital: Decimal
    imbalance: Decimal
    funding_rate: Decimal
    realized_pnl: Decimal
    funding_pnl: Decimal
    peak_ratio: Decimal
    volatility: float | None

    @property
    def quantities(self) -> tuple[Decimal, ...]:
        return self.long.quantity, self.short.quantity

    @property
    def entry_prices(self) -> tuple[Decimal, ...]:
        return self.long.entry_price, self.short.entry_price


class HedgeTrade(Event):
    """Topic hedge_trades."""

    topic = "hedge_trades"

    reason: Literal["periodic_rehedge", "position_imbalance"]
    leg: Literal["short"]
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal
    imbalance: Decimal


class PnlUpdate(Event):
    """Topic pnl_updates."""

    topic = "pnl_updates"

    long_price: Decimal
    short_price: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    funding_pnl: Decimal
    total_pnl: Decimal
    ratio: Decimal
    volatility: float | None


class Close(Event):
    """What both kinds of close have."""

    action: Literal["close", "partial_close"]
    long_quantity: Decimal
    short_quantity: Decimal
    long_price: Decimal
    short_price: Decimal
    realized_pnl: Decimal

    @property
    def quantities(self) -> tuple[Decimal, ...]:
        return self.long_quantity, self.short_quantity


class ProfitTaking(Close):
    """Topic profit_taking."""

    topic = "profit_taking"

    reason: Literal["profit_target", "trailing_stop"]
    ratio: Decimal
    peak_ratio: Decimal


class EmergencyAction(Close):
    """Topic emergency_actions."""

    topic = "emergency_actions"

    reason: Literal["extreme_funding", "critical_imbalance"]
    funding_rate: Decimal
    imbalance: Decimal


OUTPUTS: dict[str, type[Event]] = {
    model.topic: model for model in (PositionState, HedgeTrade, PnlUpdate, ProfitTaking, EmergencyAction)
}
TOPICS = (*INPUT_TOPICS, *OUTPUTS)
