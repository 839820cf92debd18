"""The sandbox's matching engine: money is neither made nor lost, whatever is traded."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from kraken_sandbox.errors import ExchangeError
from kraken_sandbox.exchange import Exchange
from kraken_sandbox.private import PRIVATE
from kraken_sandbox.settings import Settings

PRICES = st.integers(495, 505).map(lambda price: Decimal(price * 100))
VOLUMES = st.integers(1, 20).map(lambda volume: Decimal(volume) / 2)
SIDES = st.sampled_from(["buy", "sell"])


def exchange() -> Exchange:
    return Exchange(
        Settings(
            kraken_api_key=SecretStr("k"),
            kraken_api_secret=SecretStr("c2VjcmV0"),
            engine_counter_max=1e9,
            http_port=0,
        )
    )


def add(to: Exchange, **params: object) -> str:
    shown = {name: str(value) for name, value in ({"pair": "XBTEUR"} | params).items()}
    return str(PRIVATE["AddOrder"][0](to, shown)["txid"][0])


steps = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), SIDES, PRICES, VOLUMES),
        st.tuples(st.just("market"), SIDES, PRICES, VOLUMES),
        st.tuples(st.just("stop-loss"), SIDES, PRICES, VOLUMES),
        st.tuples(st.just("aggress"), SIDES, PRICES, VOLUMES),
        st.tuples(st.just("move"), SIDES, PRICES, VOLUMES),
        st.tuples(st.just("cancel"), SIDES, PRICES, VOLUMES),
    ),
    max_size=30,
)


@given(steps)
def test_balances_are_the_sum_of_the_trades(done: list[tuple[Any, Any, Any, Any]]) -> None:
    market_exchange = exchange()
    market, engine = market_exchange.markets["XXBTZEUR"], market_exchange.engine
    before = dict(market_exchange.account.balances)
    for kind, side, price, volume in done:
        if kind == "aggress":
            engine.aggress(market, side, price, volume)
        elif kind == "move":
            engine.move(market, price)
        elif kind == "cancel":
            PRIVATE["CancelAll"][0](market_exchange, {})
        else:
            with suppress(ExchangeError):  # a stop on the wrong side, say, is refused
                add(market_exchange, type=side, ordertype=kind, price=price, volume=volume)
    held = dict(before)
    for trade in engine.trades.values():
        sign = 1 if trade.order.side == "buy" else -1
        held["XXBT"] += sign * trade.volume
        held["ZEUR"] -= sign * trade.cost + trade.fee
    assert market_exchange.account.balances == held
    for order in engine.orders.values():
        assert order.executed == sum(trade.volume for trade in order.trades)
        assert order.cost == sum(trade.cost for trade in order.trades)
        assert 0 <= order.executed <= order.volume
        assert (order.status == "closed") == (order.executed == order.volume)
        assert order.is_open == (order in market.resting)
        if order.kind == "limit" and order.executed and order.price is not None:
            worst = max if order.side == "buy" else min
            assert worst(order.price, *(trade.price for trade in order.trades)) == order.price
    asks, bids = market.book("asks"), market.book("bids")
    assert not asks or not bids or bids[0][0] < asks[0][0]


def test_a_partial_fill_rests_and_a_market_order_does_not() -> None:
    here = exchange()
    market = here.markets["XXBTZEUR"]
    market.asks = {Decimal(50_000): Decimal(1)}
    limit = here.engine.orders[add(here, type="buy", ordertype="limit", price=50_000, volume=3)]
    assert (limit.status, limit.executed) == ("open", 1)
    market.asks = {Decimal(60_000): Decimal(1)}
    taken = here.engine.orders[add(here, type="buy", ordertype="market", volume=3)]
    assert (taken.status, taken.executed, taken.reason) == ("canceled", 1, "market order without liquidity")
