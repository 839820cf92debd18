"""Orders, as they are asked for and as they are accepted."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  (pydantic reads annotations)
from decimal import Decimal  # noqa: TC003
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tbot.money import Amount, total

Identifier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]
Symbol = Annotated[str, Field(max_length=32, pattern=r"^[A-Z0-9]+-[A-Z0-9]+$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Side(StrEnum):
    """Of a trade."""

    BUY = "buy"
    SELL = "sell"


class OrderRequest(BaseModel):
    """A limit order as a client sends it. The client's id is a label: what makes two orders one is their content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_order_id: Identifier
    account: Identifier
    symbol: Symbol
    side: Side
    quantity: Amount
    price: Amount

    @model_validator(mode="after")
    def _has_a_total(self) -> Self:
        total(self.quantity, self.price)
        return self

    @property
    def pays_in(self) -> str:
        """The asset that the account gives: the quote currency for a purchase, the base currency for a sale."""
        base, quote = self.symbol.split("-")
        return quote if self.side is Side.BUY else base


class Order(OrderRequest):
    """An accepted order."""

    order_id: UUID
    total: Decimal
    content_hash: Digest
    created_at: datetime

    @property
    def pays(self) -> Decimal:
        """How much of `pays_in` the order reserves."""
        return self.total if self.side is Side.BUY else self.quantity
