"""The REST API's private methods: NAME -> (function(exchange, parameters) -> result, cost in the call counter)."""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from kraken_sandbox import errors
from kraken_sandbox.account import TOKEN_SECONDS, check_deadline
from kraken_sandbox.engine import identifier
from kraken_sandbox.errors import ExchangeError
from kraken_sandbox.orders import Kind, Order, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kraken_sandbox.exchange import Exchange

Params = dict[str, str]
PAGE: Final = 50


def balance(exchange: Exchange, _params: Params) -> Any:
    return {asset: f"{amount:.10f}" for asset, amount in exchange.account.balances.items()}


def balance_ex(exchange: Exchange, _params: Params) -> Any:
    held = exchange.account.held
    return {
        asset: {"balance": f"{amount:.10f}", "hold_trade": f"{held.get(asset, Decimal(0)):.10f}"}
        for asset, amount in exchange.account.balances.items()
    }


def open_orders(exchange: Exchange, params: Params) -> Any:
    found = _selected(exchange.engine.open.values(), params)
    return {"open": {order.txid: order.document(with_trades=_flag(params, "trades")) for order in found}}


def closed_orders(exchange: Exchange, params: Params) -> Any:
    found = [order for order in _selected(exchange.engine.orders.values(), params) if not order.is_open]
    found.sort(key=lambda order: order.closed_at, reverse=True)
    start = int(params.get("ofs", 0))
    page = found[start : start + PAGE]
    shown = {order.txid: order.document(with_trades=_flag(params, "trades")) for order in page}
    return {"closed": shown, "count": len(found)}


def query_orders(exchange: Exchange, params: Params) -> Any:
    shown = {}
    for txid in params.get("txid", "").split(","):
        if txid not in exchange.engine.orders:
            raise ExchangeError(errors.UNKNOWN_ORDER)
        shown[txid] = exchange.engine.orders[txid].document(with_trades=_flag(params, "trades"))
    return shown


def trades_history(exchange: Exchange, params: Params) -> Any:
    start, end = float(params.get("start", 0)), float(params.get("end", "inf"))
    found = [trade for trade in exchange.engine.trades.values() if start < trade.at <= end]
    found.sort(key=lambda trade: trade.at, reverse=True)
    offset = int(params.get("ofs", 0))
    shown = {trade.trade_id: trade.document() for trade in found[offset : offset + PAGE]}
    return {"trades": shown, "count": len(found)}


def trade_volume(exchange: Exchange, params: Params) -> Any:
    account = exchange.account
    names = [exchange.market(name).instrument.name for name in params.get("pair", "XBTEUR").split(",")]

    def fee(rate: Decimal) -> dict[str, str | None]:
        return {"fee": f"{rate * 100:.4f}", "minfee": "0.0000", "maxfee": "0.4000", "nextfee": None}

    return {
        "currency": "ZUSD",
        "volume": "0.0000",
        "fees": {name: fee(account.taker_fee) for name in names},
        "fees_maker": {name: fee(account.maker_fee) for name in names},
    }


def add_order(exchange: Exchange, params: Params) -> Any:
    check_deadline(_instant(params.get("deadline")), time.time())
    if exchange.status in {"cancel_only", "maintenance"}:
        raise ExchangeError(errors.CANCEL_ONLY)
    market = exchange.market(params.get("pair", ""))
    kind, side = params.get("ordertype", ""), params.get("type", "")
    if kind not in get_args(Kind) or side not in get_args(Side):
        raise ExchangeError(errors.INVALID_ARGUMENTS)
    if params.get("leverage", "none") not in {"none", "1"}:
        raise ExchangeError(errors.NO_MARGIN)
    order = Order(
        identifier("O"),
        market.instrument,
        cast("Side", side),
        cast("Kind", kind),
        _decimal(params, "volume"),
        _decimal(params, "price") if kind != "market" else None,
        time.time(),
        params.get("cl_ord_id"),
        int(params.get("userref", 0)),
        post_only="post" in params.get("oflags", "").split(","),
        immediate=params.get("timeinforce") == "IOC",
    )
    described = {"descr": {"order": order.describe()["order"]}}
    if _flag(params, "validate"):
        exchange.engine.check(market, order)
        return described
    exchange.engine.place(market, order)
    return described | {"txid": [order.txid]}


def cancel_order(exchange: Exchange, params: Params) -> Any:
    order = exchange.engine.find(params.get("cl_ord_id") or params.get("txid", ""))
    if not order.is_open:
        raise ExchangeError(errors.UNKNOWN_ORDER)
    exchange.engine.cancel(exchange.market(order.instrument.name), order)
    return {"count": 1}


def cancel_all(exchange: Exchange, _params: Params) -> Any:
    found = list(exchange.engine.open.values())
    for order in found:
        exchange.engine.cancel(exchange.market(order.instrument.name), order)
    return {"count": len(found)}


def websockets_token(exchange: Exchange, _params: Params) -> Any:
    return {"token": exchange.account.new_token(), "expires": TOKEN_SECONDS}


def _selected(orders: Iterable[Order], params: Params) -> list[Order]:
    found = list(orders)
    if reference := params.get("cl_ord_id"):
        found = [order for order in found if order.cl_ord_id == reference]
    if userref := params.get("userref"):
        found = [order for order in found if str(order.userref) == userref]
    return found


def _flag(params: Params, name: str) -> bool:
    return params.get(name, "").lower() in {"true", "1"}


def _decimal(params: Params, name: str) -> Decimal:
    try:
        return Decimal(params[name])
    except (KeyError, InvalidOperation):
        raise ExchangeError(f"{errors.INVALID_ARGUMENTS}:{name}") from None


def _instant(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ExchangeError(f"{errors.INVALID_ARGUMENTS}:deadline") from None


PRIVATE: dict[str, tuple[Callable[[Exchange, Params], Any], int]] = {
    "Balance": (balance, 1),
    "BalanceEx": (balance_ex, 1),
    "OpenOrders": (open_orders, 1),
    "ClosedOrders": (closed_orders, 1),
    "QueryOrders": (query_orders, 1),
    "TradesHistory": (trades_history, 2),
    "TradeVolume": (trade_volume, 1),
    "AddOrder": (add_order, 0),
    "CancelOrder": (cancel_order, 0),
    "CancelAll": (cancel_all, 1),
    "GetWebSocketsToken": (websockets_token, 1),
}
