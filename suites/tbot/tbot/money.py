"""Money: decimals of 28 digits, 8 of them behind the point, never a float."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

PRECISION: Final = 28
PLACES: Final = 8
QUANTUM: Final = Decimal(1).scaleb(-PLACES)
LARGEST: Final = Decimal(10) ** (PRECISION - PLACES) - QUANTUM
# The product of two amounts has at most twice their digits: in this context it is exact, and so it is rounded once.
_EXACT: Final = Context(
    prec=2 * PRECISION, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow]
)


class AmountError(ValueError):
    """A result that is no amount: too large, or zero after rounding."""


def total(quantity: Decimal, price: Decimal) -> Decimal:
    """What an order costs: the exact product, rounded once, half to even, to 8 places. Raises AmountError."""
    rounded = _EXACT.quantize(_EXACT.multiply(quantity, price), QUANTUM)
    if not QUANTUM <= rounded <= LARGEST:
        raise AmountError(
            f"quantity times price is {rounded:f}; expected {QUANTUM:f} to {LARGEST:f} "
            f"({PRECISION} digits, {PLACES} of them behind the point)"
        )
    return rounded


def canonical(amount: Decimal) -> str:
    """The one way to write an amount: no exponent, no zeros at the end. 1.50, 1.5 and 15E-1 are the same money."""
    return f"{amount.normalize(_EXACT):f}"


def _not_a_float(value: object) -> object:
    if isinstance(value, float):
        # A ValueError, since that is what pydantic reports.
        raise ValueError(f"write decimals as strings, such as {str(value)!r}: a number may have lost digits")  # noqa: TRY004
    return value


Amount = Annotated[Decimal, BeforeValidator(_not_a_float), Field(gt=0, max_digits=PRECISION, decimal_places=PLACES)]
"""A positive amount that PostgreSQL's numeric(28, 8) holds exactly."""
