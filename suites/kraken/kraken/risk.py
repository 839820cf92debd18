"""The risk manager: which orders are allowed, and how large one should be. Pure: what it needs to know it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kraken.models import ZERO, text
from kraken.settings import Mode

if TYPE_CHECKING:
    from decimal import Decimal

    from kraken.limits import Limits
    from kraken.models import Order
    from kraken.pairs import Pair

EURO: Final = frozenset({"ZEUR", "EUR"})


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices; `is_fresh` is false when they are not from now."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    is_fresh: bool = True

    def against(self, side: str) -> Decimal:
        """What an order of that side meets."""
        return self.ask if side == "buy" else self.bid


@dataclass(frozen=True, slots=True)
class Situation:
    """What an order would be added to."""

    quote: Quote | None
    highest: Decimal
    """Volume held if everything on order to buy trades."""
    lowest: Decimal
    trades_today: int
    halted: str | None = None
    """Why, if it is."""


def assess(order: Order, pair: Pair, limits: Limits, now: Situation) -> dict[str, str]:
    """Each rule that the order breaks, with what was seen and what is allowed. Empty: it may be sent."""
    broken: dict[str, str] = {}
    if now.halted is not None:
        broken["halted"] = f"trading is halted: {now.halted}"
    _sizes(order, pair, limits, now, broken)
    _market(order, limits, now, broken)
    if order.leverage > limits.max_leverage:
        broken["leverage"] = f"{order.leverage} is more than MAX_LEVERAGE {limits.max_leverage}"
    if order.mode is not Mode.VALIDATE and now.trades_today >= limits.max_daily_trades:
        broken["daily_trades"] = f"{now.trades_today} orders today, MAX_DAILY_TRADES is {limits.max_daily_trades}"
    if order.mode is Mode.PAPER and order.kind != "limit":
        broken["paper"] = f"a {order.kind} order trades at once; in paper mode only limit orders can be cancelled first"
    return broken


def _sizes(order: Order, pair: Pair, limits: Limits, now: Situation, broken: dict[str, str]) -> None:
    minimum = max(limits.min_trade_volume, pair.minimum)
    if order.volume < minimum:
        broken["minimum_volume"] = f"{text(order.volume)} {pair.base} is less than {text(minimum)}"
    if order.volume != pair.lot(order.volume):
        broken["volume_precision"] = f"{pair.name} has {pair.lot_decimals} decimals of volume"
    for name, price in (("price", order.price), ("stop_loss", order.stop_loss), ("take_profit", order.take_profit)):
        if price is not None and price % pair.tick:
            broken[f"{name}_precision"] = f"{text(price)} is no multiple of {text(pair.tick)}"
    price = order.price or (now.quote.against(order.side) if now.quote else None)
    if price is not None:
        value = order.volume * price
        least = max(pair.minimum_cost, limits.min_eur_for_trade if pair.quote in EURO else ZERO)
        if value < least:
            broken["minimum_value"] = f"{text(value)} {pair.quote} is less than {text(least)}"
        if value > limits.max_order_eur:
            broken["order_value"] = (
                f"{text(value)} {pair.quote} is more than MAX_ORDER_EUR {text(limits.max_order_eur)}"
            )
    reached = now.highest + order.volume if order.side == "buy" else now.lowest - order.volume
    if abs(reached) > limits.total_btc:
        broken["allocation"] = f"{text(reached)} {pair.base} would exceed TOTAL_BTC {text(limits.total_btc)}"


def _market(order: Order, limits: Limits, now: Situation, broken: dict[str, str]) -> None:
    """An order that can trade at once needs a price from now, and must be near it."""
    if now.quote is None or not now.quote.is_fresh:
        if not order.post_only:
            broken["market_data"] = "there is no current price; only post-only orders are taken meanwhile"
        return
    met = now.quote.against(order.side)
    if order.kind == "limit" and order.price is not None:
        edge = met * (1 + limits.max_slippage) if order.side == "buy" else met * (1 - limits.max_slippage)
        if order.price > edge if order.side == "buy" else order.price < edge:
            broken["price"] = (
                f"{text(order.price)} is further than MAX_SLIPPAGE {limits.max_slippage} through {text(met)}"
            )
    for name, trigger, above in (("stop_loss", order.stop_loss, False), ("take_profit", order.take_profit, True)):
        if trigger is not None:
            entry = order.price or met
            wrong = trigger <= entry if above == (order.side == "buy") else trigger >= entry
            if wrong:
                broken[name] = f"{text(trigger)} is on the wrong side of the entry at {text(entry)}"


def slippage(levels: list[tuple[Decimal, Decimal]], volume: Decimal) -> Decimal | None:
    """How far the average price of taking that volume is from the best level, of it; None if there is not so much."""
    left, paid = volume, ZERO
    for price, available in levels:
        taken = min(left, available)
        paid, left = paid + taken * price, left - taken
        if not left:
            return abs(paid / volume / levels[0][0] - 1)
    return None


def size(
    *, capital: Decimal, entry: Decimal, stop: Decimal, volatility: Decimal | None, pair: Pair, limits: Limits
) -> Decimal:
    """The volume whose loss at the stop is RISK_PER_TRADE of the capital; smaller in a wild market; 0 if too small."""
    distance = abs(entry - stop)
    if not distance:
        return ZERO
    volume = capital * limits.risk_per_trade / distance
    if volatility is not None and volatility > limits.target_volatility:
        volume *= limits.target_volatility / volatility
    volume = pair.lot(min(volume, limits.total_btc, limits.max_order_eur / entry))
    least = max(limits.min_trade_volume, pair.minimum)
    return volume if volume >= least and volume * entry >= limits.min_eur_for_trade else ZERO
