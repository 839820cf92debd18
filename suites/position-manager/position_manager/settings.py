"""Settings, all from environment variables of the same name in upper case."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RedisDsn, SecretStr, TypeAdapter, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from position_manager.bugs import Bug  # noqa: TC001 - pydantic reads annotations
from position_manager.limits import Limits


class Settings(Limits, BaseSettings):
    """The limits, and how to reach everything."""

    model_config = SettingsConfigDict(frozen=True)

    kafka_bootstrap_servers: str = Field(min_length=1, description="host:port[,host:port]")
    redis_url: SecretStr = Field(min_length=1, description="with the password")
    group_id: str = Field("position-manager", min_length=1)
    symbols: str = Field("*", description="comma separated symbols to manage; * manages all")
    rehedge_interval_seconds: float = Field(60, gt=0, le=86_400)
    connect_deadline_seconds: float = Field(60, gt=0, description="for Kafka, its topics and Redis, at start and later")
    http_port: int = Field(8080, ge=0, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "debug", "info", "warning", "error"] = "INFO"
    position_manager_bug: Bug | None = Field(None, description="a deliberate bug, for the suite's own test")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: SecretStr) -> SecretStr:
        TypeAdapter(RedisDsn).validate_python(url.get_secret_value())  # kept as a secret so that no log can show it
        return url

    def manages(self, symbol: str) -> bool:
        return self.symbols.strip() == "*" or symbol in {name.strip() for name in self.symbols.split(",")}
