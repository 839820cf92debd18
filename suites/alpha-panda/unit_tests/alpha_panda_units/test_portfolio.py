"""Whatever is traded: no money appears or vanishes."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from alpha_panda.events.data import Order, Portfolio, Position, SignalType
from alpha_panda.events.identifiers import uuid7
from alpha_panda.stages.portfolio import booked, traded

prices = st.decimals(min_value="0.01", max_value=100_000, places=2)
trades = st.lists(st.tuples(st.integers(-1000, 1000).filter(bool), prices), min_size=1, max_size=20)


@given(trades, prices)
def test_gain_is_what_was_paid_and_received(done: list[tuple[int, Decimal]], last: Decimal) -> None:
    position = Position()
    for quantity, price in done:
        position = traded(position, quantity, price)
    held = sum(quantity for quantity, _ in done)
    cash = -sum(quantity * price for quantity, price in done)
    gain = position.realized_pnl + position.quantity * (last - position.average_price)
    assert position.quantity == held
    assert abs(gain - (cash + held * last)) < Decimal("1e-6")


@given(trades)
def test_average_is_within_the_prices(done: list[tuple[int, Decimal]]) -> None:
    position = Position()
    for quantity, price in done:
        position = traded(position, quantity, price)
    paid = [price for _, price in done]
    slack = Decimal("1e-12")
    assert position.quantity == 0 or min(paid) - slack <= position.average_price <= max(paid) + slack


@given(trades)
def test_portfolio_is_read_back_unchanged(done: list[tuple[int, Decimal]]) -> None:
    portfolio = Portfolio(strategy_id="s", broker="paper")
    for quantity, price in done:
        order = Order(
            order_id=uuid7(),
            strategy_id="s",
            instrument_token=1,
            side=SignalType.BUY if quantity > 0 else SignalType.SELL,
            quantity=abs(quantity),
            price=price,
            charges=Decimal("0.31"),
        )
        portfolio = booked(portfolio, order)
    assert portfolio.orders == len(done)
    assert portfolio.charges == len(done) * Decimal("0.31")
    assert Portfolio.model_validate_json(portfolio.model_dump_json()) == portfolio
