"""Hypothesis strategies: any sequence of messages about one symbol."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from position_manager.messages import FundingContext, MarketData, VenueLeg

SYMBOL = "BTC"
prices = st.decimals("0.01", "1000000", places=4)
quantities = st.decimals("0", "10000", places=4)
rates = st.decimals("-0.02", "0.02", places=6)
timestamps = st.integers(1_750_000_000_000, 1_750_000_100_000)
position_ids = st.sampled_from(["first", "second", "third"])


@st.composite
def legs(draw: st.DrawFn) -> tuple[VenueLeg, VenueLeg]:
    """Balanced or not, as venues report them."""
    long = draw(quantities)
    short = draw(st.one_of(st.just(long), quantities, st.just(long * Decimal("0.9"))))
    return VenueLeg(quantity=long, price=draw(prices)), VenueLeg(quantity=short, price=draw(prices))


@st.composite
def contexts(draw: st.DrawFn) -> FundingContext:
    long, short = draw(st.one_of(st.just((None, None)), legs()))
    return FundingContext(
        symbol=SYMBOL,
        timestamp_ms=draw(timestamps),
        position_id=draw(position_ids),
        funding_rate=draw(rates),
        funding_interval_hours=draw(st.sampled_from([1, 4, 8])),
        long=long,
        short=short,
    )


@st.composite
def markets(draw: st.DrawFn) -> MarketData:
    return MarketData(symbol=SYMBOL, timestamp_ms=draw(timestamps), long_price=draw(prices), short_price=draw(prices))


sequences = st.lists(st.one_of(contexts(), markets(), st.just("tick")), max_size=30)
