"""What can be out of reach."""

from __future__ import annotations


class UnavailableError(Exception):
    """A service that the bot needs does not answer."""


class DatabaseUnavailableError(UnavailableError):
    """PostgreSQL: no order can be accepted."""


class CacheUnavailableError(UnavailableError):
    """Redis: PostgreSQL alone decides what is a repetition."""


class MetricsUnavailableError(UnavailableError):
    """InfluxDB: the points wait."""
