"""Settings, all from environment variables of the same name in upper case."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PostgresDsn, RedisDsn, SecretStr, TypeAdapter, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alpha_panda.events.envelope import Broker
from alpha_panda.events.topics import BROKERS


class Settings(BaseSettings):
    """Which service this is, whom it serves, and how it reaches everything."""

    model_config = SettingsConfigDict(frozen=True)

    service: Literal["feed", "strategy", "risk", "execution", "portfolio"]
    brokers: str = Field("paper,zerodha", description="comma separated; each has a processor of its own")
    namespace: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_-]{0,64}$",
        description="prefix of topics, groups and Redis keys: several pipelines on the same servers",
    )
    kafka_bootstrap_servers: str = Field(min_length=1, description="host:port[,host:port]")
    redis_url: SecretStr = Field(min_length=1, description="with the password")
    database_url: SecretStr = Field(min_length=1, description="with the password")
    connect_deadline_seconds: float = Field(60, gt=0, description="for everything the service needs to start")
    delivery_seconds: float = Field(30, gt=0, description="for Kafka's acknowledgement of what a batch leads to")
    batch_size: int = Field(500, ge=1, le=10_000)
    retry_attempts: int = Field(4, ge=1, le=20)
    breaker_reset_seconds: float = Field(1, gt=0, le=3600)
    http_port: int = Field(8080, ge=0, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "debug", "info", "warning", "error"] = "INFO"

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: SecretStr) -> SecretStr:
        TypeAdapter(RedisDsn).validate_python(url.get_secret_value())  # kept as a secret so that no log can show it
        return url

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, url: SecretStr) -> SecretStr:
        TypeAdapter(PostgresDsn).validate_python(url.get_secret_value())
        return url

    @field_validator("brokers")
    @classmethod
    def _are_brokers(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        if not names or set(names) - set(BROKERS):
            message = f"{value!r}: expected some of {', '.join(BROKERS)}"
            raise ValueError(message)
        return ",".join(dict.fromkeys(names))

    @property
    def served(self) -> tuple[Broker, ...]:
        return tuple(Broker(name) for name in self.brokers.split(","))
