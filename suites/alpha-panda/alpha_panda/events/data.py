"""What the envelopes carry. Money and prices are decimals, written as strings; quantities are whole units."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, model_validator

from alpha_panda.events.envelope import Timestamp, Uuid7  # noqa: TC001 - pydantic reads them at run time

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
InstrumentToken = Annotated[int, Field(gt=0, lt=1 << 53, description="below 2^53: exact in every JSON reader")]
Quantity = Annotated[int, Field(gt=0, le=1_000_000_000)]
# Plain notation without trailing zeros; adding zero turns a negative zero into zero.
_Plain = PlainSerializer(lambda value: format(value.normalize() + 0, "f"), return_type=str)
Amount = Annotated[Decimal, _Plain]
Price = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=8), _Plain]
Charges = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=8), _Plain]


class Payload(BaseModel):
    """Members that a later minor version adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class OHLCData(Payload):
    """The day so far."""

    open: Price
    high: Price
    low: Price
    close: Price

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            message = f"open {self.open} and close {self.close} must be within low {self.low} and high {self.high}"
            raise ValueError(message)
        return self


class MarketTick(Payload):
    """A price of an instrument."""

    instrument_token: InstrumentToken
    last_price: Price
    timestamp: Timestamp
    volume: Annotated[int, Field(ge=0)] = 0
    ohlc: OHLCData | None = None


class SignalType(StrEnum):
    """What a strategy wants."""

    BUY = "buy"
    SELL = "sell"
    HOLD = "hold"


class TradingSignal(Payload):
    """A strategy's wish, before and after the risk service has looked at it."""

    strategy_id: Name
    instrument_token: InstrumentToken
    signal_type: SignalType
    quantity: Quantity
    price: Price
    timestamp: Timestamp
    confidence: Annotated[Decimal, Field(ge=0, le=1)] = Decimal(1)
    metadata: dict[str, Any] = {}

    @property
    def signed_quantity(self) -> int:
        """Positive to buy, negative to sell, 0 to hold."""
        return {SignalType.BUY: 1, SignalType.SELL: -1, SignalType.HOLD: 0}[self.signal_type] * self.quantity

    @property
    def value(self) -> Decimal:
        return self.quantity * self.price


class RejectedSignal(Payload):
    """A signal that broke a rule."""

    signal: TradingSignal
    rule: str
    reason: str


class Order(Payload):
    """An order, placed or filled."""

    order_id: Uuid7
    strategy_id: Name
    instrument_token: InstrumentToken
    side: SignalType
    quantity: Quantity
    price: Price
    charges: Charges = Decimal(0)

    @property
    def signed_quantity(self) -> int:
        return self.quantity if self.side is SignalType.BUY else -self.quantity


class Position(Payload):
    """What a strategy holds of an instrument; a negative quantity is sold short."""

    quantity: int = 0
    average_price: Amount = Decimal(0)
    realized_pnl: Amount = Decimal(0)


class Portfolio(Payload):
    """What a strategy holds with a broker: the entry of the cache, and the payload of portfolio_updated."""

    strategy_id: Name
    broker: str
    positions: dict[InstrumentToken, Position] = {}
    realized_pnl: Amount = Decimal(0)
    charges: Amount = Decimal(0)
    orders: int = 0
    last_order_id: Uuid7 | None = None


class DeadLetter(Payload):
    """What could not be processed, where it was, and why."""

    topic: str
    partition: int
    offset: int
    record_key: str | None
    value: str
    """As text if it is UTF-8, otherwise as base64."""
    encoding: Literal["utf-8", "base64"]
    truncated: bool = False
    """Only the beginning of the value is here: the whole record is still where it was."""
    error_class: str
    error_type: str
    message: str
    attempts: int
    service: str
