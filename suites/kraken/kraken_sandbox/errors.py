"""What the exchange answers instead of a result, in its own words (its guide "Spot Error Messages")."""

from __future__ import annotations


class ExchangeError(Exception):
    """One error string of the envelope's `error` array."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


INVALID_KEY = "EAPI:Invalid key"
INVALID_SIGNATURE = "EAPI:Invalid signature"
INVALID_NONCE = "EAPI:Invalid nonce"
RATE_LIMIT = "EAPI:Rate limit exceeded"
ORDER_RATE_LIMIT = "EOrder:Rate limit exceeded"
ORDERS_LIMIT = "EOrder:Orders limit exceeded"
INVALID_ARGUMENTS = "EGeneral:Invalid arguments"
UNKNOWN_METHOD = "EGeneral:Unknown method"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
UNKNOWN_ORDER = "EOrder:Unknown order"
INSUFFICIENT_FUNDS = "EOrder:Insufficient funds"
ORDER_MINIMUM = "EOrder:Order minimum not met"
COST_MINIMUM = "EOrder:Cost minimum not met"
TICK_SIZE = "EOrder:Tick size check failed"
POST_ONLY = "EOrder:Post only order"
NO_MARGIN = "EOrder:Cannot open position"
INVALID_PRICE = "EOrder:Invalid price"
DUPLICATE = "EOrder:Invalid order"
DEADLINE = "EService:Deadline elapsed"
CANCEL_ONLY = "EService:Market in cancel_only mode"
