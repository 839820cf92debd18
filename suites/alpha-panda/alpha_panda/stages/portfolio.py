"""Portfolio: filled orders add up to what a strategy holds. The states are the cache that others read."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from alpha_panda.events.data import Order, Portfolio, Position
from alpha_panda.events.envelope import EventType
from alpha_panda.stages.work import StageHandler, payload_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alpha_panda.events.envelope import EventEnvelope


class PortfolioHandler(StageHandler):
    """Keeps one portfolio for each strategy: `BROKER:portfolio:STRATEGY`, as JSON."""

    service = "portfolio"

    def state_keys(self, event: EventEnvelope) -> Iterable[str]:
        order = payload_or_none(event, Order)
        return [order.strategy_id] if order is not None else ()

    def apply(self, event: EventEnvelope) -> Iterable[EventEnvelope]:
        order = event.payload(Order)
        stored = self.stored(order.strategy_id)
        before = (
            Portfolio.model_validate_json(stored)
            if stored is not None
            else Portfolio(strategy_id=order.strategy_id, broker=self.broker)
        )
        after = booked(before, order)
        self.keep(order.strategy_id, after.model_dump_json().encode())
        return (event.child(EventType.PORTFOLIO_UPDATED, after, source=self.service),)


def booked(portfolio: Portfolio, order: Order) -> Portfolio:
    """The portfolio after an order."""
    before = portfolio.positions.get(order.instrument_token, Position())
    after = traded(before, order.signed_quantity, order.price)
    return portfolio.model_copy(
        update={
            "positions": {**portfolio.positions, order.instrument_token: after},
            "realized_pnl": portfolio.realized_pnl + after.realized_pnl - before.realized_pnl,
            "charges": portfolio.charges + order.charges,
            "orders": portfolio.orders + 1,
            "last_order_id": order.order_id,
        }
    )


def traded(position: Position, quantity: int, price: Decimal) -> Position:
    """What grows averages the price, what shrinks is realised, and what crosses zero begins anew."""
    held, after = position.quantity, position.quantity + quantity
    if held == 0 or (held > 0) == (quantity > 0):
        cost = abs(held) * position.average_price + abs(quantity) * price
        return Position(quantity=after, average_price=cost / abs(after), realized_pnl=position.realized_pnl)
    closed = min(abs(held), abs(quantity)) * (1 if held > 0 else -1)
    realized = position.realized_pnl + closed * (price - position.average_price)
    crossed = after != 0 and (after > 0) != (held > 0)
    average = price if crossed else position.average_price if after else Decimal(0)
    return Position(quantity=after, average_price=average, realized_pnl=realized)
