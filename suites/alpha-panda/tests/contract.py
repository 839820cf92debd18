"""What the services promise about their topics, apart from their code: an unknown or missing member fails."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

PARTITIONS = 3
BROKERS = ("paper", "zerodha")
TOPICS = {
    "market_tick": "market.ticks",
    "trading_signal": "{broker}.signals.raw",
    "signal_validated": "{broker}.signals.validated",
    "signal_rejected": "{broker}.signals.rejected",
    "order_placed": "{broker}.orders.placed",
    "order_filled": "{broker}.orders.filled",
    "portfolio_updated": "{broker}.portfolio.updates",
    "dead_letter": "{broker}.dlq",
}
CHAIN = ("trading_signal", "signal_validated", "order_placed", "order_filled", "portfolio_updated")
"""What follows from a tick, each from the one before."""
SERVICES = ("feed", "strategy", "risk", "execution", "portfolio")
STAGES = SERVICES[1:]


def topic(kind: str, broker: str = "", namespace: str = "") -> str:
    name = TOPICS[kind].format(broker=broker)
    return f"{namespace}.{name}" if namespace else name


def all_topics(namespace: str = "", brokers: Sequence[str] = BROKERS) -> list[str]:
    return [topic("market_tick", namespace=namespace), *topics_of(brokers, namespace)]


def topics_of(brokers: Sequence[str], namespace: str = "") -> list[str]:
    """Their own, without what they share."""
    return [topic(kind, broker, namespace) for broker in brokers for kind in TOPICS if kind != "market_tick"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Event(Strict):
    """The envelope."""

    id: UUID
    type: str
    ts: AwareDatetime
    broker: Literal["shared", "paper", "zerodha"]
    key: str
    source: str
    correlation_id: UUID
    causation_id: UUID | None
    trace_id: str
    span_id: str
    parent_span_id: str | None
    schema_version: Literal["2.0"]
    data: dict[str, Any]

    @property
    def strategy_id(self) -> str | None:
        """Whichever event it is: dead letters and rejections hold the signal within."""
        inner = self.data.get("signal", self.data)
        return inner.get("strategy_id")


class Signal(Strict):
    strategy_id: str
    instrument_token: int
    signal_type: Literal["buy", "sell", "hold"]
    quantity: int
    price: Decimal
    timestamp: datetime
    confidence: Decimal
    metadata: dict[str, str]


class Rejected(Strict):
    signal: Signal
    rule: str
    reason: str


class Order(Strict):
    order_id: UUID
    strategy_id: str
    instrument_token: int
    side: Literal["buy", "sell"]
    quantity: int
    price: Decimal
    charges: Decimal


class Position(Strict):
    quantity: int
    average_price: Decimal
    realized_pnl: Decimal


class Portfolio(Strict):
    strategy_id: str
    broker: str
    positions: dict[int, Position]
    realized_pnl: Decimal
    charges: Decimal
    orders: int
    last_order_id: UUID


class DeadLetter(Strict):
    topic: str
    partition: int
    offset: int
    record_key: str | None
    value: str
    encoding: Literal["utf-8", "base64"]
    truncated: bool
    error_class: Literal["transient", "poison", "business"]
    error_type: str
    message: str
    attempts: int
    service: str


class OHLC(Strict):
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class Tick(Strict):
    instrument_token: int
    last_price: Decimal
    timestamp: datetime
    volume: int
    ohlc: OHLC | None


PAYLOADS: dict[str, type[Strict]] = {
    "market_tick": Tick,
    "trading_signal": Signal,
    "signal_validated": Signal,
    "signal_rejected": Rejected,
    "order_placed": Order,
    "order_filled": Order,
    "portfolio_updated": Portfolio,
    "dead_letter": DeadLetter,
}
