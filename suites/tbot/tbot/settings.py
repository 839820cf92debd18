"""Settings, all from environment variables of the same name in upper case."""

from __future__ import annotations

import socket
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from tbot.bugs import Bug  # noqa: TC001  (pydantic reads annotations)

Name = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseSettings):
    """Where the services are and how the orders are treated. The defaults are those of a developer's own servers."""

    model_config = SettingsConfigDict(frozen=True)

    database_host: Name = "localhost"
    database_port: Port = 5432
    database_name: Name = "tbot_dev"
    database_user: Name = "tbot"
    database_password: SecretStr = SecretStr("tbot_password")
    database_schema: str = Field("tbot", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="made when it is not there")
    database_connections: int = Field(8, ge=1, le=100, description="at most, per process")

    redis_host: Name = "localhost"
    redis_port: Port = 6379
    redis_password: SecretStr = SecretStr("")
    redis_db: int = Field(0, ge=0)
    redis_timeout_seconds: Seconds = Field(0.25, description="per command; then PostgreSQL alone decides")
    redis_retry_seconds: Seconds = Field(1.0, description="how long Redis is left alone after it has failed")

    influxdb_host: Name = "localhost"
    influxdb_port: Port = 8086
    influxdb_token: SecretStr = SecretStr("test-token")
    influxdb_org: Name = "test-org"
    influxdb_bucket: Name = "test-bucket"
    metrics_interval_seconds: Seconds = Field(0.2, description="between writes to InfluxDB")

    idempotency_window_seconds: int = Field(86_400, ge=1, description="the same content is one order for so long")
    connect_deadline_seconds: Seconds = Field(60, description="for PostgreSQL, at start")
    instance: Name = Field(default_factory=socket.gethostname, description="tag of this process in InfluxDB")
    http_port: int = Field(8080, ge=0, le=65_535, description="0: any; the log says which")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "debug", "info", "warning", "error"] = "INFO"
    tbot_bug: Bug | None = Field(None, description="a deliberate bug, for the suite's own test")

    @property
    def influxdb_url(self) -> str:
        return f"http://{self.influxdb_host}:{self.influxdb_port}"
