"""What an order may be: the numbers that the risk manager enforces."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[Decimal, Field(gt=0)]
Fraction = Annotated[Decimal, Field(gt=0, le=1)]


class Limits(BaseModel):
    """All are upper bounds but the two minima. Names are those of the environment variables, in lower case."""

    model_config = ConfigDict(frozen=True)

    total_btc: Positive = Field(Decimal("0.001"), description="of a pair's base asset: held plus on order, either way")
    min_trade_volume: Positive = Decimal("0.00005")
    min_eur_for_trade: Positive = Decimal("5.0")
    max_order_eur: Positive = Decimal(100)
    max_daily_trades: int = Field(20, ge=0)
    max_leverage: int = Field(1, ge=1, le=10)
    max_slippage: Fraction = Decimal("0.02")
    risk_per_trade: Fraction = Decimal("0.01")
    target_volatility: Positive = Field(Decimal("0.8"), description="annualised; above it positions shrink")


class Tightening(BaseModel):
    """Limits that hold until they are lifted; each can only be stricter than the configured one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    total_btc: Positive | None = None
    max_order_eur: Positive | None = None
    max_daily_trades: int | None = Field(None, ge=0)
    max_leverage: int | None = Field(None, ge=1)
    max_slippage: Fraction | None = None
    risk_per_trade: Fraction | None = None

    def apply(self, limits: Limits) -> Limits:
        wanted = self.model_dump(exclude_none=True)
        return limits.model_copy(update={name: min(value, getattr(limits, name)) for name, value in wanted.items()})

    def merged(self, later: Self) -> Self:
        return self.model_copy(update=later.model_dump(exclude_none=True))
