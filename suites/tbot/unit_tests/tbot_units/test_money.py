from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tbot.money import LARGEST, QUANTUM, Amount, AmountError, canonical, total

from .strategies import amounts

adapter: TypeAdapter[Decimal] = TypeAdapter(Amount)


@given(quantity=amounts, price=amounts)
def test_total_is_the_nearest_amount(quantity: Decimal, price: Decimal) -> None:
    """Against rational numbers, which are rounded once: to the nearest quantum, and to an even digit at a tie."""
    exact = Fraction(quantity) * Fraction(price)
    units = round(exact / Fraction(QUANTUM))  # half to even
    if not 1 <= units <= Fraction(LARGEST) / Fraction(QUANTUM):
        with pytest.raises(AmountError):
            total(quantity, price)
    else:
        found = total(quantity, price)
        assert Fraction(found) == units * Fraction(QUANTUM)
        assert -found.as_tuple().exponent == 8  # type: ignore[operator]


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("0.12345678", "45678.12345678", "5639.27403842"),
        ("0.5", "0.00000001", None),
        ("0.50000001", "0.00000001", "0.00000001"),
        ("1.5", "0.00000001", "0.00000002"),
        ("2.5", "0.00000001", "0.00000002"),
        ("1", "99999999999999999999.99999999", "99999999999999999999.99999999"),
        ("1.00000001", "99999999999999999999.99999999", None),
    ],
)
def test_totals_by_hand(quantity: str, price: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(AmountError, match="28 digits, 8 of them behind the point"):
            total(Decimal(quantity), Decimal(price))
    else:
        assert f"{total(Decimal(quantity), Decimal(price)):f}" == expected


def test_a_product_is_rounded_once() -> None:
    """Rounded to 28 digits first, it would look like a tie, and end in 4."""
    quantity, price = Decimal("1881364219.78118576"), Decimal("4434320314.73317118")
    with localcontext(prec=28):
        twice = (quantity * price).quantize(QUANTUM)
    assert f"{twice:f}" == "8342571579187834675.60227994"
    assert f"{total(quantity, price):f}" == "8342571579187834675.60227995"


def test_the_surrounding_context_does_not_matter() -> None:
    with localcontext(prec=3):
        assert total(Decimal("0.12345678"), Decimal("45678.12345678")) == Decimal("5639.27403842")
        assert canonical(Decimal("45678.12345678")) == "45678.12345678"


@given(amounts)
def test_canonical_form_says_the_same_and_is_the_only_one(amount: Decimal) -> None:
    text = canonical(amount)
    assert Decimal(text) == amount
    assert canonical(Decimal(f"{amount:e}")) == canonical(amount * Decimal("1.000")) == text
    assert "E" not in text
    assert "." not in text or text[-1] not in "0."


@given(st.one_of(amounts.map(lambda amount: f"{amount:f}"), st.integers(1, 10**20 - 1)))
def test_amounts_are_read_exactly(value: str | int) -> None:
    assert adapter.validate_python(value) == Decimal(value)


@pytest.mark.parametrize(
    "value",
    [0, "0", "-1", "NaN", "Infinity", "", "one", 0.5, "0.000000001", "100000000000000000000", "1e400", None, True],
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(value)


def test_a_number_that_may_have_lost_digits_is_refused_with_what_to_write() -> None:
    with pytest.raises(ValidationError, match=r"write decimals as strings, such as '45678\.5'"):
        adapter.validate_json("45678.5")
