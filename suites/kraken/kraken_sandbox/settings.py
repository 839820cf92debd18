"""Settings, from environment variables of the same name in upper case."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from kraken_sandbox.counters import TIERS, Tier


class Settings(BaseSettings):
    """The one account that there is at the start, and how patient the exchange is with it."""

    model_config = SettingsConfigDict(frozen=True)

    kraken_api_key: SecretStr = Field(min_length=1)
    kraken_api_secret: SecretStr = Field(min_length=1, description="base64")
    kraken_tier: Literal["starter", "intermediate", "pro"] = "pro"
    api_counter_max: float | None = Field(None, gt=0, description="in the place of the tier's")
    api_counter_decay: float | None = Field(None, gt=0, description="a second, in the place of the tier's")
    engine_counter_max: float | None = Field(None, gt=0, description="in the place of the tier's")
    engine_counter_decay: float | None = Field(None, gt=0, description="a second, in the place of the tier's")
    maker_fee: Decimal = Field(Decimal("0.0025"), ge=0, lt=1)
    taker_fee: Decimal = Field(Decimal("0.0040"), ge=0, lt=1)
    http_port: int = Field(8080, ge=0, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def tier(self) -> Tier:
        tier = TIERS[self.kraken_tier]
        return Tier(
            self.api_counter_max or tier.rest_max,
            self.api_counter_decay or tier.rest_decay,
            self.engine_counter_max or tier.engine_max,
            self.engine_counter_decay or tier.engine_decay,
            tier.open_orders,
        )
