"""Rolling realised volatility."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from position_manager.state import PricePoint

MILLISECONDS_PER_YEAR: Final = 365 * 24 * 3_600_000


def realized_volatility(window: Sequence[PricePoint]) -> float | None:
    """Annualised volatility of the log returns (1.0 is 100 % a year), or None while there is no return yet.

    The mean return is taken as zero, and variance is scaled by the time that passed, so irregular ticks are fine.
    """
    if len(window) < 2:  # noqa: PLR2004 - a return needs two prices
        return None
    variance = math.fsum(math.log(after.price / before.price) ** 2 for before, after in pairwise(window))
    return math.sqrt(variance / (window[-1].at_ms - window[0].at_ms) * MILLISECONDS_PER_YEAR)
