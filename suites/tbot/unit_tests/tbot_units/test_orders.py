from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from tbot.orders import OrderRequest

ORDER: dict[str, Any] = {
    "client_order_id": "one",
    "account": "a",
    "symbol": "BTC-USD",
    "side": "buy",
    "quantity": "2",
    "price": "10.5",
}


@pytest.mark.parametrize(("side", "asset"), [("buy", "USD"), ("sell", "BTC")])
def test_what_is_paid_depends_on_the_side(side: str, asset: str) -> None:
    assert OrderRequest.model_validate(ORDER | {"side": side}).pays_in == asset


def test_amounts_are_decimals() -> None:
    order = OrderRequest.model_validate(ORDER)
    assert (order.quantity, order.price) == (Decimal(2), Decimal("10.5"))


@pytest.mark.parametrize(
    "change",
    [
        {"client_order_id": ""},
        {"client_order_id": "x" * 65},
        {"account": "a b"},
        {"symbol": "BTC"},
        {"symbol": "btc-usd"},
        {"symbol": "BTC-USD-EUR"},
        {"side": "hold"},
        {"unknown": "member"},
        {"quantity": "0.00000001", "price": "0.00000001"},
        {"quantity": "99999999999999999999", "price": "99999999999999999999"},
    ],
    ids=str,
)
def test_impossible_orders_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OrderRequest.model_validate(ORDER | change)


@pytest.mark.parametrize("missing", sorted(ORDER))
def test_every_member_is_needed(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        OrderRequest.model_validate({name: value for name, value in ORDER.items() if name != missing})
