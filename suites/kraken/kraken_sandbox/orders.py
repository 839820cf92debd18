"""Orders and the trades that fill them, and how the REST API shows both."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from kraken_sandbox.instrument import Instrument

Side = Literal["buy", "sell"]
Kind = Literal["market", "limit", "stop-loss", "take-profit"]
Status = Literal["pending", "open", "closed", "canceled", "expired"]
ZERO = Decimal(0)


@dataclass
class Trade:
    """One fill."""

    trade_id: str
    number: int
    order: Order
    price: Decimal
    volume: Decimal
    cost: Decimal
    fee: Decimal
    maker: bool
    at: float

    def document(self) -> dict[str, Any]:
        order = self.order
        return {
            "ordertxid": order.txid,
            "postxid": "TKH2SE-M7IF5-CFI7LT",
            "pair": order.instrument.name,
            "time": self.at,
            "type": order.side,
            "ordertype": order.kind,
            "price": f"{self.price:f}",
            "cost": f"{self.cost:f}",
            "fee": f"{self.fee:f}",
            "vol": f"{self.volume:f}",
            "margin": "0.00000",
            "leverage": "0",
            "misc": "",
            "trade_id": self.number,
            "maker": self.maker,
        }


@dataclass
class Order:
    """`price` is what a stop-loss or take-profit order waits for; `post_only` never takes liquidity."""

    txid: str
    instrument: Instrument
    side: Side
    kind: Kind
    volume: Decimal
    price: Decimal | None
    opened_at: float
    cl_ord_id: str | None = None
    userref: int = 0
    post_only: bool = False
    immediate: bool = False
    status: Status = "open"
    executed: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    reason: str | None = None
    closed_at: float = 0
    trades: list[Trade] = field(default_factory=list)

    @property
    def remaining(self) -> Decimal:
        return self.volume - self.executed

    @property
    def is_open(self) -> bool:
        return self.status in {"pending", "open"}

    @property
    def average(self) -> Decimal:
        return self.instrument.price(self.cost / self.executed) if self.executed else ZERO

    def describe(self) -> dict[str, Any]:
        price = f"{self.price:f}" if self.price is not None else "0"
        what = "market" if self.kind == "market" else f"{self.kind} {price}"
        pair = self.instrument.altname
        return {
            "pair": pair,
            "type": self.side,
            "ordertype": self.kind,
            "price": price,
            "price2": "0",
            "leverage": "none",
            "order": f"{self.side} {self.volume:f} {pair} @ {what}",
            "close": "",
        }

    def document(self, *, with_trades: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "refid": None,
            "userref": self.userref,
            "cl_ord_id": self.cl_ord_id,
            "status": self.status,
            "opentm": self.opened_at,
            "starttm": 0,
            "expiretm": 0,
            "descr": self.describe(),
            "vol": f"{self.volume:f}",
            "vol_exec": f"{self.executed:f}",
            "cost": f"{self.cost:f}",
            "fee": f"{self.fee:f}",
            "price": f"{self.average:f}",
            "stopprice": "0.00000",
            "limitprice": "0.00000",
            "misc": "",
            "oflags": "fciq,post" if self.post_only else "fciq",
        }
        if not self.is_open:
            shown |= {"closetm": self.closed_at, "reason": self.reason}
        if with_trades:
            shown["trades"] = [trade.trade_id for trade in self.trades]
        return shown
