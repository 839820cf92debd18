from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraken.candles import Candle, check_series, joined, volatility
from kraken.errors import DataError
from kraken_sandbox.candles import INTERVALS, candles
from kraken_sandbox.exchange import XBTEUR

GOOD: list[Any] = [3600, "10", "12", "9", "11", "10.5", "3", 7]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({2: "10.5"}, "does not hold"),
        ({3: "10.5"}, "does not hold"),
        ({3: "0"}, "does not hold"),
        ({1: "x"}, "no candle"),
        ({6: "-1"}, "a volume of -1"),
        ({5: "20"}, "is not between"),
    ],
)
def test_impossible_candles_are_refused(change: dict[int, str], says: str) -> None:
    entry = [change.get(index, value) for index, value in enumerate(GOOD)]
    with pytest.raises(DataError, match=says):
        Candle.parse(entry)


def test_a_short_candle_is_refused() -> None:
    with pytest.raises(DataError, match="no candle"):
        Candle.parse(GOOD[:5])


def test_series_must_rise_on_the_grid() -> None:
    first, second = Candle.parse(GOOD), Candle.parse([7200, *GOOD[1:]])
    check_series([first, second], 60)
    with pytest.raises(DataError, match="comes after"):
        check_series([second, first], 60)
    with pytest.raises(DataError, match="multiple of 240"):
        check_series([first], 240)


def test_the_newer_answer_counts() -> None:
    old, new = Candle.parse(GOOD), Candle.parse([*GOOD[:4], "12", *GOOD[5:]])
    later = Candle.parse([7200, *GOOD[1:]])
    assert joined([old], [new, later]) == [new, later]


@given(st.sampled_from(INTERVALS), st.integers(1_600_000_000, 1_900_000_000))
def test_the_sandbox_has_possible_histories(minutes: int, now: int) -> None:
    """All candles are valid, touch each other, and are the same whenever they are asked for."""
    found = candles(XBTEUR, Decimal(50_000), Decimal(50_100), minutes, now)
    parsed = [Candle.parse(entry) for entry in found]
    check_series(parsed, minutes)
    assert len(parsed) == 720
    assert all(before.close == after.open for before, after in pairwise(parsed[:-1]))
    later = candles(XBTEUR, Decimal(50_000), Decimal(50_100), minutes, now + minutes * 60)
    assert later[:-2] == found[1:-1]


def test_volatility_of_one_percent_an_hour() -> None:
    closes = ["100", "101"] * 50
    series = [Candle.parse([at * 3600, price, price, price, price, price, "1", 1]) for at, price in enumerate(closes)]
    measured = volatility(series, 60)
    assert measured is not None
    assert float(measured) == pytest.approx(0.00995 * (365 * 24) ** 0.5, rel=0.01)
    assert volatility(series[:2], 60) is None
