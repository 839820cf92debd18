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
        amounts = (Decimal(entry[name]) for name in ("price", "vol", "cost", "fee"))
        return cls(trade_id, str(entry["ordertxid"]), str(entry["type"]), *amounts, _moment(entry["time"]))


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
            fees = sum((Decimal(fee["qty"]) for fee in data.get("fees", ())), Decimal(0))
            amounts = (Decimal(data[name]) for name in ("last_price", "last_qty", "cost"))
            at = datetime.fromisoformat(data["timestamp"])
            fill = Fill(str(data["exec_id"]), str(data["order_id"]), str(data["side"]), *amounts, fees, at)
        executed = Decimal(data.get("cum_qty", 0))
        return cls(str(data["order_id"]), data.get("cl_ord_id"), status, executed, data.get("reason"), fill)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
