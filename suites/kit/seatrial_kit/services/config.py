"""Where the services are: a TestRun's variables, or a person's own servers."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

Service = Literal["postgres", "redis", "influxdb"]
SERVICES: tuple[Service, ...] = ("postgres", "redis", "influxdb")


@dataclass(frozen=True)
class RealTestConfig:
    """Addresses and credentials, and which of the services a suite needs (`verify_services_healthy` checks those)."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    influxdb_url: str
    influxdb_token: str = field(repr=False)
    influxdb_org: str
    influxdb_bucket: str
    services: tuple[Service, ...] = SERVICES

    @classmethod
    def from_environment(cls, services: tuple[Service, ...] = SERVICES) -> RealTestConfig:
        """DATABASE_URL, REDIS_URL and INFLUXDB_URL, else what DATABASE_HOST, REDIS_HOST, INFLUXDB_HOST and their
        companions (_PORT, _NAME, _USER, _PASSWORD, _DB; INFLUXDB_TOKEN, _ORG, _BUCKET) say, else usual ones.
        """
        return cls(
            database_url=os.environ.get("DATABASE_URL") or _database_url(),
            redis_url=os.environ.get("REDIS_URL") or _redis_url(),
            influxdb_url=os.environ.get("INFLUXDB_URL")
            or f"http://{_variable('INFLUXDB_HOST', 'localhost')}:{_variable('INFLUXDB_PORT', '8086')}",
            influxdb_token=_variable("INFLUXDB_TOKEN", "test-token"),
            influxdb_org=_variable("INFLUXDB_ORG", "test-org"),
            influxdb_bucket=_variable("INFLUXDB_BUCKET", "test-bucket"),
            services=services,
        )

    def address(self, service: Service) -> str:
        """host:port, for messages."""
        urls = {"postgres": self.database_url, "redis": self.redis_url, "influxdb": self.influxdb_url}
        parts = urlsplit(urls[service])
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def with_query(url: str, **more: str) -> str:
    """A URL with more in its query."""
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query), *more.items()], quote_via=quote)
    return urlunsplit(parts._replace(query=query))


def _variable(name: str, default: str) -> str:
    return os.environ.get(name) or default


def _database_url() -> str:
    user, password = _variable("DATABASE_USER", "tbot"), _variable("DATABASE_PASSWORD", "tbot_password")
    host, port = _variable("DATABASE_HOST", "localhost"), _variable("DATABASE_PORT", "5432")
    name = _variable("DATABASE_NAME", "tbot_dev")
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{host}:{port}/{quote(name, safe='')}"


def _redis_url() -> str:
    password = os.environ.get("REDIS_PASSWORD")
    credentials = f":{quote(password, safe='')}@" if password else ""
    host, port = _variable("REDIS_HOST", "localhost"), _variable("REDIS_PORT", "6379")
    return f"redis://{credentials}{host}:{port}/{_variable('REDIS_DB', '1')}"
