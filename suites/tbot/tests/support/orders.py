"""Orders to send, and where they come from: each test has an account of its own."""

from __future__ import annotations

import itertools
import uuid
from decimal import Decimal
from typing import TypeAlias

Payload: TypeAlias = dict[str, str]


class Account:
    """Makes orders of one account; each has another content unless told otherwise."""

    def __init__(self) -> None:
        self.name = f"account-{uuid.uuid4().hex[:16]}"
        self._numbers = itertools.count(1)

    def client_order_id(self) -> str:
        return f"order-{uuid.uuid4().hex[:16]}"

    def order(self, **members: str) -> Payload:
        """A purchase of 0.5 BTC at a price that no other order of the account has."""
        number = next(self._numbers)
        return {
            "client_order_id": self.client_order_id(),
            "account": self.name,
            "symbol": "BTC-USD",
            "side": "buy",
            "quantity": "0.5",
            "price": str(Decimal(45_000) + Decimal(number) / 100),
        } | members

    def orders(self, count: int) -> list[Payload]:
        return [self.order() for _ in range(count)]

    def repeated(self, payload: Payload) -> Payload:
        """The same content under another id, as a client sends it that has forgotten what it sent."""
        return payload | {"client_order_id": self.client_order_id()}
