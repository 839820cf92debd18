"""Orders and trades as the service knows them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kraken.settings import Mode

Side = Literal["buy", "sell"]
Kind = Literal["market", "limit", "stop-loss", "take-profit"]
Amount = Annotated[Decimal, Field(gt=0, max_digits=24, decimal_places=10)]
ZERO = Decimal(0)


class Status(StrEnum):
    """The exchange's own words, and those for what it never had."""

    PENDING = "pending"
    """In the journal; what the exchange knows of it is not known yet."""
    OPEN = "open"
    CLOSED = "closed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    NOT_PLACED = "not_placed"
    """It certainly never reached the exchange; asking again with the same id places it."""
    VALIDATED = "validated"

    @property
    def is_final(self) -> bool:
        return self not in {Status.PENDING, Status.OPEN}


class OrderRequest(BaseModel):
    """What callers ask for. The same `id` again is the same order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: uuid.UUID = Field(default_factory=uuid.uuid4)
    pair: str = Field(pattern=r"^[A-Z0-9./]{5,24}$")
    side: Side
    type: Kind = "limit"
    price: Amount | None = None
    volume: Amount
    leverage: int = Field(1, ge=1, le=10)
    mode: Mode = Mode.LIVE
    post_only: bool = False
    stop_loss: Amount | None = None
    take_profit: Amount | None = None

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if (self.price is None) != (self.type == "market"):
            raise ValueError("price: a market order has none, every other type needs one")
        if self.post_only and self.type != "limit":
            raise ValueError("post_only: only limit orders can rest")
        return self


@dataclass(frozen=True, slots=True)
class Order:
    """One row of the journal; `executed`, `cost` and `fee` are the sums of its trades."""

    id: uuid.UUID
    pair: str
    side: Side
    kind: Kind
    price: Decimal | None
    volume: Decimal
    leverage: int
    mode: Mode
    post_only: bool
    stop_loss: Decimal | None
    take_profit: Decimal | None
    created_at: datetime
    status: Status = Status.PENDING
    txid: str | None = None
    reason: str | None = None
    parent: uuid.UUID | None = None
    deadline: datetime | None = None
    executed: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO

    @classmethod
    def admitted(cls, request: OrderRequest, pair: str, mode: Mode) -> Order:
        return cls(
            id=request.id,
            pair=pair,
            side=request.side,
            kind=request.type,
            price=request.price,
            volume=request.volume,
            leverage=request.leverage,
            mode=mode,
            # An order that is cancelled at once must not trade before.
            post_only=request.post_only or mode is Mode.PAPER,
            stop_loss=request.stop_loss,
            take_profit=request.take_profit,
            created_at=datetime.now(UTC),
        )

    def is_the_same_as(self, other: Order) -> bool:
        """Whether both were asked for in the same words, and may do the same."""
        return self._asked() == other._asked()

    def _asked(self) -> tuple[object, ...]:
        what = (self.pair, self.side, self.kind, self.price, self.volume, self.leverage, self.mode, self.post_only)
        return (*what, self.stop_loss, self.take_profit, self.parent)

    def with_(self, **changes: Any) -> Order:
        return replace(self, **changes)

    @property
    def remaining(self) -> Decimal:
        return self.volume - self.executed

    @property
    def average_price(self) -> Decimal | None:
        return self.cost / self.executed if self.executed else None

    def document(self) -> dict[str, Any]:
        """As callers see it: decimals are strings."""
        return {
            "id": str(self.id),
            "txid": self.txid,
            "pair": self.pair,
            "side": self.side,
            "type": self.kind,
            "price": text(self.price),
            "volume": text(self.volume),
            "leverage": self.leverage,
            "mode": self.mode,
            "status": self.status,
            "reason": self.reason,
            "parent": str(self.parent) if self.parent else None,
            "stop_loss": text(self.stop_loss),
            "take_profit": text(self.take_profit),
            "executed": text(self.executed),
            "remaining": text(self.remaining),
            "average_price": text(self.average_price),
            "cost": text(self.cost),
            "fee": text(self.fee),
            "created_at": self.created_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill, by the exchange's id of it."""

    id: str
    order_id: uuid.UUID
    pair: str
    side: Side
    price: Decimal
    volume: Decimal
    cost: Decimal
    fee: Decimal
    at: datetime

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "order": str(self.order_id),
            "pair": self.pair,
            "side": self.side,
            "price": text(self.price),
            "volume": text(self.volume),
            "cost": text(self.cost),
            "fee": text(self.fee),
            "at": self.at.isoformat(),
        }


def text(value: Decimal | None) -> str | None:
    """Plain digits without trailing zeros."""
    if value is None:
        return None
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
