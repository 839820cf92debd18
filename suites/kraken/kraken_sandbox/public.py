"""The REST API's public methods: NAME -> function(exchange, parameters) -> result."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kraken_sandbox import errors
from kraken_sandbox.candles import INTERVALS, candles
from kraken_sandbox.errors import ExchangeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kraken_sandbox.exchange import Exchange
    from kraken_sandbox.market import Market

Params = dict[str, str]


def server_time(_exchange: Exchange, _params: Params) -> Any:
    now = time.time()
    return {"unixtime": int(now), "rfc1123": datetime.fromtimestamp(now, UTC).strftime("%a, %d %b %y %H:%M:%S +0000")}


def system_status(exchange: Exchange, _params: Params) -> Any:
    return {"status": exchange.status, "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def asset_pairs(exchange: Exchange, params: Params) -> Any:
    account = exchange.account
    return {
        market.instrument.name: market.instrument.document(account.maker_fee, account.taker_fee)
        for market in _named(exchange, params)
    }


def ticker(exchange: Exchange, params: Params) -> Any:
    return {market.instrument.name: market.ticker() for market in _named(exchange, params)}


def ohlc(exchange: Exchange, params: Params) -> Any:
    market = exchange.market(params.get("pair", ""))
    minutes = _integer(params, "interval", 1)
    if minutes not in INTERVALS:
        raise ExchangeError(f"{errors.INVALID_ARGUMENTS}:interval")
    since = _integer(params, "since", 0)
    found = candles(market.instrument, market.anchor, market.last, minutes, time.time())
    # The current candle is always in the answer, whatever `since` says.
    shown = [candle for candle in found[:-1] if candle[0] > since] + found[-1:]
    return {market.instrument.name: shown, "last": found[-2][0]}


def depth(exchange: Exchange, params: Params) -> Any:
    market = exchange.market(params.get("pair", ""))
    levels = _integer(params, "count", 100)
    now = int(time.time())
    return {
        market.instrument.name: {
            which: [[f"{price:f}", f"{volume:.3f}", now] for price, volume in market.book(which)[:levels]]
            for which in ("asks", "bids")
        }
    }


def trades(exchange: Exchange, params: Params) -> Any:
    """The first ones after `since`; without it the latest."""
    market = exchange.market(params.get("pair", ""))
    since = float(params.get("since", "0"))
    since = since / 1e9 if since > 1e12 else since  # noqa: PLR2004  (nanoseconds or seconds)
    count = _integer(params, "count", 1000)
    found = [item for item in market.prints if item["at"] > since]
    found = found[:count] if "since" in params else found[-count:]
    shown = [
        [
            f"{item['price']:f}",
            f"{item['volume']:f}",
            item["at"],
            item["side"][0],
            "l" if item["kind"] == "limit" else "m",
            "",
            item["id"],
        ]
        for item in found
    ]
    last = found[-1]["at"] if found else since
    return {market.instrument.name: shown, "last": f"{int(last * 1e9)}"}


def _named(exchange: Exchange, params: Params) -> list[Market]:
    if "pair" not in params:
        return list(exchange.markets.values())
    return [exchange.market(name) for name in params["pair"].split(",")]


def _integer(params: Params, name: str, default: int) -> int:
    try:
        return int(params.get(name, default))
    except ValueError:
        raise ExchangeError(f"{errors.INVALID_ARGUMENTS}:{name}") from None


PUBLIC: dict[str, Callable[[Exchange, Params], Any]] = {
    "Time": server_time,
    "SystemStatus": system_status,
    "AssetPairs": asset_pairs,
    "Ticker": ticker,
    "OHLC": ohlc,
    "Depth": depth,
    "Trades": trades,
}
