"""Hypothesis strategies: any amount and any order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from tbot.money import LARGEST, QUANTUM
from tbot.orders import OrderRequest, Side

amounts = st.one_of(
    st.decimals(QUANTUM, LARGEST, places=8),
    st.decimals(QUANTUM, Decimal(10_000), places=8),
    st.integers(1, 10_000).map(Decimal),
)
names = st.from_regex(r"[A-Za-z0-9._:-]{1,12}", fullmatch=True)
symbols = st.sampled_from(["BTC-USD", "ETH-USD", "BTC-ETH"])


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    """With amounts whose product has a place in 28 digits."""
    small = st.decimals(Decimal("0.001"), Decimal(1_000_000), places=8)
    return OrderRequest(
        client_order_id=draw(names),
        account=draw(names),
        symbol=draw(symbols),
        side=draw(st.sampled_from(Side)),
        quantity=draw(small),
        price=draw(small),
    )
