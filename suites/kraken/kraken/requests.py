"""An order in the words of the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kraken.settings import Mode

if TYPE_CHECKING:
    from kraken.models import Order


def add_order_params(order: Order) -> dict[str, str]:
    """Parameters of AddOrder."""
    params = {
        "pair": order.pair,
        "type": order.side,
        "ordertype": order.kind,
        "volume": f"{order.volume:f}",
        "cl_ord_id": str(order.id),
    }
    if order.price is not None:
        params["price"] = f"{order.price:f}"
    if order.leverage > 1:
        params["leverage"] = f"{order.leverage}:1"
    if order.post_only:
        params["oflags"] = "post"
    if order.mode is Mode.VALIDATE:
        params["validate"] = "true"
    return params
