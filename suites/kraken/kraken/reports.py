"""What the exchange says of an order, in one form whichever way it comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from kraken.models import Status

_STREAM: Final = {
    "pending_new": Status.OPEN,
    "new": Status.OPEN,
    "trade": Status.OPEN,
    "status": Status.OPEN,
    "amended": Status.OPEN,
    "filled": Status.CLOSED,
    "canceled": Status.CANCELED,
    "expired": Status.EXPIRED,
}
_REST: Final = {
    "pending": Status.OPEN,
    "open": Status.OPEN,
    "closed": Status.CLOSED,
    "canceled": Status.CANCELED,
    "expired": Status.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade as reported."""

    id: str
    txid: str
    side: str
    price: Decimal
    volume: Decimal
    cost: Decimal
    fee: Decimal
    at: datetime

    @classmethod
    def from_rest(cls, trade_id: str, entry: dict[str, Any]) -> Fill:
        """An entry of TradesHistory."""
        price, volume, cost, fee = (Decimal(entry[name]) for name in ("price", "vol", "cost", "fee"))
        txid, side, at = str(entry["ordertxid"]), str(entry["type"]), datetime.fromtimestamp(float(entry["time"]), UTC)
        return cls(trade_id, txid, side, price, volume, cost, fee, at)


@dataclass(frozen=True, slots=True)
class Report:
    """`cl_ord_id` is our id, `executed` what has been filled so far."""

    txid: str
    cl_ord_id: str | None
    status: Status
    executed: Decimal
    reason: str | None = None
    fill: Fill | None = None

    @classmethod
    def from_rest(cls, txid: str, entry: dict[str, Any]) -> Report:
        """An entry of OpenOrders, ClosedOrders or QueryOrders."""
        executed, reason = Decimal(entry["vol_exec"]), entry.get("reason")
        return cls(txid, entry.get("cl_ord_id"), _REST[entry["status"]], executed, reason)

    @classmethod
    def from_stream(cls, data: dict[str, Any]) -> Report | None:
        """A report of the executions channel; None for kinds that say nothing about a state."""
        status = _STREAM.get(data["exec_type"])
        if status is None:
            return None
        fill = None
        if data["exec_type"] == "trade":
            price, volume, cost = (Decimal(data[name]) for name in ("last_price", "last_qty", "cost"))
            fee = sum((Decimal(entry["qty"]) for entry in data.get("fees", ())), Decimal(0))
            txid, side, at = str(data["order_id"]), str(data["side"]), datetime.fromisoformat(data["timestamp"])
            fill = Fill(str(data["exec_id"]), txid, side, price, volume, cost, fee, at)
        executed = Decimal(data.get("cum_qty", 0))
        return cls(str(data["order_id"]), data.get("cl_ord_id"), status, executed, data.get("reason"), fill)
