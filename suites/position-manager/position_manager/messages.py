"""The message of every topic, as JSON with decimals as strings."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, computed_field, model_validator

FUNDING_CONTEXT = "funding_context"
MARKET_DATA = "market_data"

# Bounds keep one absurd message from making every later computation of its symbol fail or lose precision.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")]
Price = Annotated[Decimal, Field(gt=0, max_digits=24, decimal_places=12)]
Quantity = Annotated[Decimal, Field(ge=0, max_digits=24, decimal_places=12)]
Rate = Annotated[Decimal, Field(ge=-1, le=1, max_digits=24, decimal_places=18)]
# The upper bound (year 2100) refuses microseconds and nanoseconds, which would make all later messages look old.
Milliseconds = Annotated[int, Field(gt=0, lt=4_102_444_800_000)]

# Plain notation without trailing zeros; adding zero turns a negative zero into zero.
Amount = Annotated[Decimal, PlainSerializer(lambda value: format(value.normalize() + 0, "f"), return_type=str)]


class Trigger(StrEnum):
    """What changed a position."""

    OPENED = "opened"
    FUNDING_CONTEXT = "funding_context"
    PERIODIC_REHEDGE = "periodic_rehedge"
    POSITION_IMBALANCE = "position_imbalance"
    PROFIT_TARGET = "profit_target"
    TRAILING_STOP = "trailing_stop"
    EXTREME_FUNDING = "extreme_funding"
    CRITICAL_IMBALANCE = "critical_imbalance"
    CLOSED_BY_VENUE = "closed_by_venue"


class Input(BaseModel):
    """What every consumed message has; unknown members are tolerated so that producers can evolve first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    symbol: Name
    timestamp_ms: Milliseconds = Field(
        description="event time, milliseconds since the epoch; orders one topic's messages"
    )


class VenueLeg(BaseModel):
    """One leg as the venue reports it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    quantity: Quantity = Field(description="base units held")
    price: Price = Field(description="the venue's latest price: a change in quantity is booked at it")


class FundingContext(Input):
    """Topic `funding_context`: the funding rate of a symbol and, when known, the legs that the venues hold."""

    position_id: Name
    funding_rate: Rate = Field(description="per interval; positive: the short leg receives")
    funding_interval_hours: Annotated[int, Field(gt=0, le=24)] = 8
    long: VenueLeg | None = None
    short: VenueLeg | None = None

    @model_validator(mode="after")
    def _both_legs_or_none(self) -> Self:
        if (self.long is None) != (self.short is None):
            message = "long and short are given together or not at all"
            raise ValueError(message)
        return self


class MarketData(Input):
    """Topic `market_data`: the prices of both legs."""

    long_price: Price
    short_price: Price
    volume: Quantity = Decimal(0)


class Event(BaseModel):
    """What every published message has. Delivery is at least once: a repeated event has the same `event_id`."""

    model_config = ConfigDict(frozen=True)
    topic: ClassVar[str]

    symbol: str
    position_id: str
    revision: int = Field(description="counts the changes of the symbol's state; orders events across topics")
    timestamp_ms: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def event_id(self) -> str:
        return f"{self.position_id}:{self.revision}:{self.topic}"

    def encode(self) -> bytes:
        return self.model_dump_json().encode()


class LegView(BaseModel):
    """One leg as published."""

    model_config = ConfigDict(frozen=True)

    quantity: Amount
    entry_price: Amount


class PositionState(Event):
    """Topic `position_states`: the whole position after a change."""

    topic = "position_states"

    status: str = Field(description="open or closed")
    trigger: Trigger
    long: LegView
    short: LegView
    capital: Amount = Field(description="half of the gross cost of both legs; the base of every P&L ratio")
    imbalance: Amount = Field(description="(long - short) / larger leg, in base units")
    funding_rate: Amount
    realized_pnl: Amount
    funding_pnl: Amount
    peak_ratio: Amount
    volatility: float | None = Field(description="annualised realised volatility of the long leg's price")


class HedgeTrade(Event):
    """Topic `hedge_trades`: a requested trade on the short leg that makes it as large as the long one."""

    topic = "hedge_trades"

    reason: Trigger
    leg: str
    side: str = Field(description="sell enlarges the short leg, buy reduces it")
    quantity: Amount
    price: Amount
    imbalance: Amount = Field(description="before the trade")


class PnlUpdate(Event):
    """Topic `pnl_updates`: the position at a new price, before any action that this price triggers."""

    topic = "pnl_updates"

    long_price: Amount
    short_price: Amount
    unrealized_pnl: Amount
    realized_pnl: Amount
    funding_pnl: Amount
    total_pnl: Amount
    ratio: Amount = Field(description="total over capital")
    volatility: float | None


class Close(Event):
    """A close of both legs at the latest prices."""

    reason: Trigger
    action: str = Field(description="close or partial_close")
    long_quantity: Amount = Field(description="base units to sell")
    short_quantity: Amount = Field(description="base units to buy back")
    long_price: Amount
    short_price: Amount
    realized_pnl: Amount = Field(description="what this close alone realises")


class ProfitTaking(Close):
    """Topic `profit_taking`: the profit target or the trailing stop was reached."""

    topic = "profit_taking"

    ratio: Amount
    peak_ratio: Amount


class EmergencyAction(Close):
    """Topic `emergency_actions`: a position that must not be held any longer."""

    topic = "emergency_actions"

    funding_rate: Amount
    imbalance: Amount


OUTPUTS: tuple[type[Event], ...] = (PositionState, HedgeTrade, PnlUpdate, ProfitTaking, EmergencyAction)
INPUT_TOPICS = (FUNDING_CONTEXT, MARKET_DATA)
TOPICS = (*INPUT_TOPICS, *(event.topic for event in OUTPUTS))
