from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from position_manager.state import PricePoint
from position_manager.volatility import MILLISECONDS_PER_YEAR, realized_volatility

positive = st.floats(0.01, 1e6)
windows = st.lists(positive, min_size=2, max_size=40)


def window(prices: list[float], step_ms: int = 1000) -> list[PricePoint]:
    return [PricePoint(number * step_ms, price) for number, price in enumerate(prices)]


@pytest.mark.parametrize("prices", [[], [100.0]])
def test_unknown_without_a_return(prices: list[float]) -> None:
    assert realized_volatility(window(prices)) is None


@given(positive, st.integers(2, 40))
def test_zero_for_a_price_that_stands_still(price: float, count: int) -> None:
    assert realized_volatility(window([price] * count)) == 0


def test_one_percent_a_day_is_nineteen_a_year() -> None:
    day_ms = 24 * 3_600_000
    prices = [100 * math.exp(0.01 * (number % 2)) for number in range(31)]
    assert realized_volatility(window(prices, day_ms)) == pytest.approx(0.01 * math.sqrt(365))


@given(windows, st.floats(0.1, 10))
def test_independent_of_the_unit_of_the_price(prices: list[float], unit: float) -> None:
    scaled = realized_volatility(window([price * unit for price in prices]))
    assert scaled == pytest.approx(realized_volatility(window(prices)), rel=1e-6, abs=1e-6)


@given(windows)
def test_four_times_slower_is_half_as_volatile(prices: list[float]) -> None:
    fast, slow = realized_volatility(window(prices, 1000)), realized_volatility(window(prices, 4000))
    assert fast is not None
    assert slow == pytest.approx(fast / 2)


def test_irregular_ticks_count_by_the_time_they_took() -> None:
    points = [PricePoint(0, 100.0), PricePoint(10, 101.0), PricePoint(5000, 101.0)]
    expected = abs(math.log(101 / 100)) * math.sqrt(MILLISECONDS_PER_YEAR / 5000)
    assert realized_volatility(points) == pytest.approx(expected)
