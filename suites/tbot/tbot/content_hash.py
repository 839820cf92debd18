"""What makes two orders the same one: a hash of what they ask for, whatever ids they carry."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from tbot.bugs import Bug
from tbot.money import canonical

if TYPE_CHECKING:
    from tbot.orders import OrderRequest

# Part of the hashed text: when the content's form changes, old hashes must not meet new ones.
FORM: Final = "tbot/order/1"


def content_hash(request: OrderRequest, bug: Bug | None = None) -> str:
    """SHA-256, in hex, of account, symbol, side, quantity and price in their canonical form."""
    content = {
        "form": FORM,
        "account": request.account,
        "symbol": request.symbol,
        "side": request.side.value,
        "quantity": canonical(request.quantity),
        "price": canonical(request.price),
    }
    if bug is Bug.HASH_WITH_CLIENT_ID:
        content["client_order_id"] = request.client_order_id
    if bug is Bug.HASH_WITHOUT_PRICE:
        del content["price"]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
