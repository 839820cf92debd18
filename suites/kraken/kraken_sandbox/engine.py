"""The matching engine: accepts, fills and cancels orders, and books what follows from it."""

from __future__ import annotations

import itertools
import secrets
import string
import time
from typing import TYPE_CHECKING, Any, Final

from kraken_sandbox import errors
from kraken_sandbox.counters import cancel_cost
from kraken_sandbox.errors import ExchangeError
from kraken_sandbox.orders import ZERO, Order, Trade

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from kraken_sandbox.account import Account
    from kraken_sandbox.market import Market
    from kraken_sandbox.orders import Side

ALPHABET: Final = string.ascii_uppercase + string.digits


def identifier(prefix: str) -> str:
    """Like OQCLML-BW3P3-BUCMWZ."""
    drawn = prefix + "".join(secrets.choice(ALPHABET) for _ in range(16))
    return f"{drawn[:6]}-{drawn[6:11]}-{drawn[11:]}"


class Engine:
    """`on_event(kind, order, trade)` and `on_market(market, print)` are called after each change."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.on_event: Callable[[str, Order, Trade | None], None] = lambda *_: None
        self.on_market: Callable[[Market, dict[str, Any] | None], None] = lambda *_: None
        self._numbers = itertools.count(1)

    def find(self, reference: str) -> Order:
        """By the exchange's id, or the open one with that id of the customer's."""
        if order := self.orders.get(reference):
            return order
        for order in self.open.values():
            if reference and order.cl_ord_id == reference:
                return order
        raise ExchangeError(errors.UNKNOWN_ORDER)

    def check(self, market: Market, order: Order) -> None:
        """What is refused before the order exists. Raises ExchangeError."""
        instrument = market.instrument
        if order.volume < instrument.ordermin or order.volume != instrument.lot(order.volume):
            raise ExchangeError(errors.ORDER_MINIMUM)
        if order.kind != "market":
            if order.price is None or order.price <= 0:
                raise ExchangeError(errors.INVALID_PRICE)
            if order.price != instrument.price(order.price):
                raise ExchangeError(errors.TICK_SIZE)
        price = order.price or market.best(order.side) or market.last
        if order.volume * price < instrument.costmin:
            raise ExchangeError(errors.COST_MINIMUM)
        if order.cl_ord_id and any(o.cl_ord_id == order.cl_ord_id for o in self.open.values()):
            raise ExchangeError(errors.DUPLICATE)
        if order.post_only and market.reachable(order.side, order.price):
            raise ExchangeError(errors.POST_ONLY)
        asset, amount = self._need(market, order, price)
        if amount > self.account.available(asset):
            raise ExchangeError(errors.INSUFFICIENT_FUNDS)

    def place(self, market: Market, order: Order) -> None:
        """Raises ExchangeError; the trading engine's counter and the number of open orders count first."""
        if not self.account.engine(market.instrument.name).add(1):
            raise ExchangeError(errors.ORDER_RATE_LIMIT)
        if len(market.resting) >= self.account.tier.open_orders:
            raise ExchangeError(errors.ORDERS_LIMIT)
        self.check(market, order)
        self.orders[order.txid] = self.open[order.txid] = order
        self.on_event("pending_new", order, None)
        self.on_event("new", order, None)
        if order.kind in {"stop-loss", "take-profit"}:
            market.resting.append(order)
            self.trigger(market)
            return
        self._match(market, order)
        self._settle(market, order, "market order without liquidity" if order.kind == "market" else "")

    def cancel(self, market: Market, order: Order, reason: str = "User requested") -> None:
        self.account.engine(market.instrument.name).add(cancel_cost(time.time() - order.opened_at))
        self._close(market, order, "canceled", reason)

    def aggress(self, market: Market, side: Side, price: Decimal, volume: Decimal) -> None:
        """Somebody else takes: customers' orders first, the best price first, then what others offer."""
        resting = [o for o in market.resting if o.kind == "limit" and o.side != side and o.price is not None]
        resting.sort(key=lambda o: (o.price or ZERO, o.opened_at), reverse=side == "sell")
        for order in resting:
            limit = order.price or ZERO
            if volume and (limit <= price if side == "buy" else limit >= price):
                taken = min(volume, order.remaining)
                volume -= taken
                self._fill(market, order, limit, taken, maker=True)
                self._settle(market, order)
        for level in market.reachable(side, price):
            if volume:
                taken = market.take(side, level, volume)
                volume -= taken
                self.on_market(market, market.record(level, taken, side, "market"))
        self.trigger(market)

    def move(self, market: Market, price: Decimal) -> None:
        """Others trade at that price from now on, and with every order of a customer that is in their way."""
        side: Side = "buy" if price >= market.last else "sell"
        market.quote_around(price)
        self.on_market(market, market.record(market.instrument.price(price), market.depth, side, "market"))
        for order in [o for o in market.resting if o.kind == "limit"]:
            limit = order.price or ZERO
            if limit >= price if order.side == "buy" else limit <= price:
                self._fill(market, order, limit, order.remaining, maker=True)
                self._settle(market, order)
        self.trigger(market)

    def rest_crossing(self, market: Market) -> None:
        """After others have changed what they offer: orders that it reaches are filled as far as it goes."""
        for order in [o for o in market.resting if o.kind == "limit"]:
            for level in market.reachable(order.side, order.price):
                if order.remaining:
                    taken = market.take(order.side, level, order.remaining)
                    self._fill(market, order, order.price or level, taken, maker=True)
            self._settle(market, order)
        self.trigger(market)

    def trigger(self, market: Market) -> None:
        """Stop-loss and take-profit orders whose price the last trade has reached become market orders."""
        for order in [o for o in market.resting if o.kind in {"stop-loss", "take-profit"}]:
            price = order.price or ZERO
            falls = (order.kind == "stop-loss") == (order.side == "sell")
            if market.last <= price if falls else market.last >= price:
                market.resting.remove(order)
                self._match(market, order)
                self._settle(market, order, "market order without liquidity")

    def _match(self, market: Market, order: Order) -> None:
        limit = order.price if order.kind == "limit" else None
        for level in market.reachable(order.side, limit):
            if not order.remaining:
                break
            taken = market.take(order.side, level, order.remaining)
            self._fill(market, order, level, taken, maker=False)

    def _fill(self, market: Market, order: Order, price: Decimal, volume: Decimal, *, maker: bool) -> None:
        instrument, account = market.instrument, self.account
        cost = instrument.cost(price * volume)
        fee = instrument.cost(cost * (account.maker_fee if maker else account.taker_fee))
        trade = Trade(identifier("T"), next(self._numbers), order, price, volume, cost, fee, maker, time.time())
        self.trades[trade.trade_id] = trade
        order.trades.append(trade)
        order.executed += volume
        order.cost += cost
        order.fee += fee
        sign = 1 if order.side == "buy" else -1
        account.balances[instrument.base] += sign * volume
        account.balances[instrument.quote] -= sign * cost + fee
        self.on_market(market, market.record(price, volume, order.side, order.kind, trade.at))
        self.on_event("trade", order, trade)

    def _settle(self, market: Market, order: Order, unfilled: str = "") -> None:
        if not order.remaining:
            self._close(market, order, "closed", None)
        elif unfilled or order.immediate:
            self._close(market, order, "canceled", unfilled or "Immediate or cancel")
        elif order not in market.resting:
            market.resting.append(order)
        self._hold()
        self.on_market(market, None)

    def _close(self, market: Market, order: Order, status: Any, reason: str | None) -> None:
        order.status, order.reason, order.closed_at = status, reason, time.time()
        self.open.pop(order.txid, None)
        if order in market.resting:
            market.resting.remove(order)
        self._hold()
        self.on_event("filled" if status == "closed" else status, order, None)
        self.on_market(market, None)

    def _hold(self) -> None:
        """What all open orders need, counted anew."""
        self.account.held.clear()
        for order in self.open.values():
            if order.price is not None:
                if order.side == "sell":
                    self.account.held[order.instrument.base] += order.remaining
                else:
                    self.account.held[order.instrument.quote] += order.instrument.cost(order.remaining * order.price)

    def _need(self, market: Market, order: Order, price: Decimal) -> tuple[str, Decimal]:
        if order.side == "sell":
            return market.instrument.base, order.volume
        return market.instrument.quote, order.volume * price * (1 + self.account.taker_fee)
