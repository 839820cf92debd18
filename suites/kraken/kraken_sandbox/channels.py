"""What the WebSocket v2 channels ticker, trade, book and executions say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kraken_sandbox.orders import ZERO
from kraken_sandbox.wire import timestamp

if TYPE_CHECKING:
    from decimal import Decimal

    from kraken_sandbox.market import Market
    from kraken_sandbox.orders import Order, Trade

Message = dict[str, Any]
Book = dict[str, list[tuple["Decimal", "Decimal"]]]
STATUS = {"pending_new": "pending_new", "new": "new", "filled": "filled", "canceled": "canceled", "expired": "expired"}


def ticker(market: Market) -> Message:
    def best(which: str) -> tuple[Decimal, Decimal]:
        return next(iter(market.book(which)), (market.last, ZERO))

    (ask, ask_volume), (bid, bid_volume) = best("asks"), best("bids")
    change = market.last - market.anchor
    return {
        "symbol": market.instrument.symbol,
        "bid": bid,
        "bid_qty": bid_volume,
        "ask": ask,
        "ask_qty": ask_volume,
        "last": market.last,
        "volume": market.volume,
        "vwap": market.vwap,
        "low": market.low,
        "high": market.high,
        "change": change,
        "change_pct": round(change / market.anchor * 100, 2),
    }


def printed(market: Market, item: Message) -> Message:
    return {
        "symbol": market.instrument.symbol,
        "side": item["side"],
        "price": item["price"],
        "qty": item["volume"],
        "ord_type": item["kind"] if item["kind"] == "limit" else "market",
        "trade_id": item["id"],
        "timestamp": timestamp(item["at"]),
    }


def book_of(market: Market, depth: int) -> Book:
    return {which: market.book(which)[:depth] for which in ("bids", "asks")}


def book_snapshot(market: Market, book: Book) -> Message:
    return {"symbol": market.instrument.symbol, **_levels(market, book), "checksum": market.checksum()}


def book_update(market: Market, before: Book, after: Book) -> Message | None:
    """The price levels that changed; 0 removes one. None if none did."""
    changed: Book = {}
    for which in ("bids", "asks"):
        old, new = dict(before[which]), dict(after[which])
        gone = [(price, ZERO) for price in old if price not in new]
        changed[which] = gone + [(price, volume) for price, volume in new.items() if old.get(price) != volume]
    if not any(changed.values()):
        return None
    return {"symbol": market.instrument.symbol, **_levels(market, changed), "checksum": market.checksum()}


def _levels(market: Market, book: Book) -> Message:
    lot = market.instrument.lot
    return {which: [{"price": price, "qty": lot(volume)} for price, volume in levels] for which, levels in book.items()}


def execution(kind: str, order: Order, trade: Trade | None, at: float) -> Message:
    """One report about an order; `kind` is its exec_type."""
    report: Message = {
        "exec_type": kind,
        "order_id": order.txid,
        "symbol": order.instrument.symbol,
        "side": order.side,
        "order_type": order.kind,
        "order_qty": order.volume,
        "cum_qty": order.executed,
        "cum_cost": order.cost,
        "avg_price": order.average,
        "fee_usd_equiv": ZERO,
        "order_status": STATUS.get(kind, "partially_filled"),
        "timestamp": timestamp(trade.at if trade else at),
        "time_in_force": "IOC" if order.immediate else "GTC",
        "post_only": order.post_only,
    }
    if order.cl_ord_id:
        report["cl_ord_id"] = order.cl_ord_id
    if order.kind == "limit":
        report["limit_price"] = order.price
    if order.reason:
        report["reason"] = order.reason
    if trade is not None:
        report |= {
            "exec_id": trade.trade_id,
            "trade_id": trade.number,
            "last_price": trade.price,
            "last_qty": trade.volume,
            "cost": trade.cost,
            "liquidity_ind": "m" if trade.maker else "t",
            "fees": [{"asset": order.instrument.symbol.partition("/")[2], "qty": trade.fee}],
        }
    return report
