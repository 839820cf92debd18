"""Settings, all from environment variables of the same name in upper case."""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kraken.bugs import Bug
from kraken.limits import Limits

PRODUCTION: Final = "api.kraken.com"
TIERS: Final = {"starter": (15, 0.33), "intermediate": (20, 0.5), "pro": (20, 1.0)}
"""Call counter of a verification tier: its maximum, and what it loses a second."""


class Mode(StrEnum):
    """What may become of an order, from the most careful on."""

    VALIDATE = "validate"
    """The exchange checks it and does not take it."""
    PAPER = "paper"
    """It is placed where it cannot trade at once, and cancelled immediately."""
    LIVE = "live"

    def at_most(self, other: Mode) -> Mode:
        order = list(Mode)
        return min(self, other, key=order.index)


class Settings(Limits, BaseSettings):
    """The limits, the credentials, and how patient the service is."""

    model_config = SettingsConfigDict(frozen=True)

    kraken_api_key: SecretStr = Field(min_length=1)
    kraken_api_secret: SecretStr = Field(min_length=1, description="base64")
    api_domain: str = Field(pattern=r"^https?://[^/]+/?$", description="https://api.kraken.com, or a sandbox")
    ws_url: str = Field("", description="public WebSocket v2; follows from api_domain")
    ws_auth_url: str = Field("", description="private WebSocket v2; follows from api_domain")
    database_url: SecretStr = Field(min_length=1)
    control_token: SecretStr | None = Field(None, description="what callers of this service must present")
    trading_mode: Mode = Mode.VALIDATE
    kraken_tier: Literal["starter", "intermediate", "pro"] = "starter"
    api_counter_max: float | None = Field(None, gt=0, description="in the place of the tier's")
    api_counter_decay: float | None = Field(None, gt=0, description="a second, in the place of the tier's")
    public_calls_per_second: float = Field(1, gt=0)
    request_timeout_seconds: float = Field(10, gt=0)
    attempts: int = Field(5, ge=1, le=20)
    backoff_base_seconds: float = Field(0.5, gt=0)
    backoff_max_seconds: float = Field(30, gt=0)
    breaker_failures: int = Field(5, ge=1)
    breaker_open_seconds: float = Field(30, gt=0)
    order_deadline_seconds: float = Field(5, ge=2, le=60, description="the exchange refuses an order that comes later")
    cache_seconds: float = Field(1, ge=0, description="how long a price is fresh")
    history_cache_seconds: float = Field(60, ge=0, description="how long the current candle is fresh")
    max_stale_seconds: float = Field(300, ge=0, description="how old data may be that is shown while nothing else is")
    reconcile_seconds: float = Field(30, gt=0)
    connect_deadline_seconds: float = Field(60, gt=0, description="for the database and the exchange at start")
    kraken_bug: Bug = Bug.NONE
    admin_faults: bool = Field(default=False, description="POST /admin/kill exists")
    http_port: int = Field(8080, ge=0, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "debug", "info", "warning", "error"] = "INFO"

    @field_validator("kraken_api_secret")
    @classmethod
    def _is_base64(cls, secret: SecretStr) -> SecretStr:
        try:
            base64.b64decode(secret.get_secret_value(), validate=True)
        except binascii.Error:
            raise ValueError("is not base64: use the private key as the exchange shows it") from None
        return secret

    @model_validator(mode="after")
    def _is_careful(self) -> Self:
        if self.is_production and self.control_token is None:
            raise ValueError(f"CONTROL_TOKEN is needed when API_DOMAIN is {PRODUCTION}: anybody could trade otherwise")
        if self.is_production and (self.admin_faults or self.kraken_bug):
            raise ValueError(f"ADMIN_FAULTS and KRAKEN_BUG are not for {PRODUCTION}")
        return self

    @property
    def is_production(self) -> bool:
        return urlsplit(self.api_domain).hostname == PRODUCTION

    @property
    def streams(self) -> tuple[str, str]:
        """Where the public and the private WebSocket are."""
        if self.is_production:
            public, private = "wss://ws.kraken.com/v2", "wss://ws-auth.kraken.com/v2"
        else:
            public = private = self.api_domain.rstrip("/").replace("http", "ws", 1) + "/v2"
        return self.ws_url or public, self.ws_auth_url or private

    @property
    def call_counter(self) -> tuple[float, float]:
        """Maximum and decay a second."""
        maximum, decay = TIERS[self.kraken_tier]
        return self.api_counter_max or maximum, self.api_counter_decay or decay
