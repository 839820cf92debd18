"""The thresholds at which a position is acted upon."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Ratio = Annotated[Decimal, Field(gt=0, le=1)]


class Limits(BaseModel):
    """Thresholds, all as fractions (0.05 is 5 %)."""

    model_config = ConfigDict(frozen=True)

    profit_target: Ratio = Field(Decimal("0.05"), description="P&L over capital at which the whole position is closed")
    trailing_activation: Ratio = Field(Decimal("0.02"), description="peak P&L over capital that arms the trailing stop")
    trailing_stop: Ratio = Field(Decimal("0.01"), description="fall from the peak that closes a part of the position")
    partial_close_fraction: Ratio = Field(Decimal("0.5"), description="part of both legs that the trailing stop closes")
    extreme_funding_rate: Ratio = Field(
        Decimal("0.01"), description="funding rate, either sign, that closes everything"
    )
    rehedge_threshold: Ratio = Field(Decimal("0.02"), description="imbalance that the periodic rehedge removes")
    max_imbalance: Ratio = Field(Decimal("0.2"), description="imbalance that is hedged at once")
    critical_imbalance: Ratio = Field(Decimal("0.5"), description="imbalance that closes the position")
    volatility_window: Annotated[int, Field(ge=2, le=1000)] = Field(30, description="prices in the rolling window")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.rehedge_threshold < self.max_imbalance < self.critical_imbalance:
            message = (
                f"REHEDGE_THRESHOLD ({self.rehedge_threshold}) must be below MAX_IMBALANCE ({self.max_imbalance}), "
                f"and that below CRITICAL_IMBALANCE ({self.critical_imbalance})"
            )
            raise ValueError(message)
        return self
