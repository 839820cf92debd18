"""Settings, all from environment variables of the same name in upper case."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from intelligence_service.faults import Bug  # noqa: TC001 - pydantic needs it at run time


class Settings(BaseSettings):
    """How to reach Kafka, and how this instance is called."""

    model_config = SettingsConfigDict(frozen=True)

    kafka_bootstrap_servers: str = Field(min_length=1, description="host:port[,host:port]")
    group_id: str = Field("intelligence-service", min_length=1)
    instance_id: str = Field("0", min_length=1, description="another for each replica: names its transactions")
    max_code_bytes: int = Field(256 * 1024, gt=0)
    connect_deadline_seconds: float = Field(60, gt=0, description="for Kafka and its topics, at start and later")
    http_port: int = Field(8080, ge=0, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    intelligence_faults: bool = Field(default=False, description="whether POST /admin/kill is there")
    kill_memory: int | None = Field(default=None, ge=0, description="a descriptor; the supervisor passes it on")
    intelligence_bug: Bug | None = Field(default=None, description="a deliberate bug that the suite must find")
