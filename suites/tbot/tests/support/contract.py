"""What the service promises over HTTP, written down apart from its code: an unknown or missing member fails."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  (pydantic reads annotations)
from decimal import Decimal  # noqa: TC003
from typing import Literal
from uuid import UUID  # noqa: TC003

from pydantic import BaseModel, ConfigDict

KEY_PREFIX = "idempotency:order:"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Order(Strict):
    """GET /orders/{id}."""

    order_id: UUID
    client_order_id: str
    account: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal
    total: Decimal
    content_hash: str
    created_at: datetime


class Receipt(Strict):
    """POST /orders: 201 when the order is new, 200 when it repeats another one."""

    order: Order
    duplicate: bool
    decided_by: Literal["redis", "postgres"]
    degraded: bool


class Health(Strict):
    """GET /healthz."""

    ready: bool
    degraded: bool
    services: dict[str, str]
