"""Times and texts as a status shows them."""

from __future__ import annotations

from datetime import UTC, datetime

LATEST_SECONDS = 253_402_300_799.0
"""The last second of the year 9999, beyond which no timestamp can be written. A suite may claim any time."""


def timestamp(seconds: float) -> str:
    """RFC 3339 with microseconds, as Kubernetes' MicroTime: a run takes seconds, and its parts less."""
    at = datetime.fromtimestamp(min(max(seconds, 0.0), LATEST_SECONDS), UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds_of(text: str | None) -> float | None:
    """Seconds since the epoch of a timestamp."""
    return datetime.fromisoformat(text).timestamp() if text else None


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8."""
    return text.encode()[:limit].decode("utf-8", "ignore")


def spell(seconds: float) -> str:
    """A duration for the printer column: 850ms, 7.4s, 1m12s."""
    if seconds < 0.9995:  # noqa: PLR2004  (what rounds to less than a second)
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:  # noqa: PLR2004  (likewise to less than a minute)
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
