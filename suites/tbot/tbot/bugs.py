"""Deliberate bugs, switched on by TBOT_BUG. They exist so that the suite can show that it would notice them."""

from __future__ import annotations

from enum import StrEnum


class Bug(StrEnum):
    """What goes wrong; the values are what TBOT_BUG takes."""

    FLOAT_TOTAL = "float-total"
    """The total goes through a float."""
    HASH_WITH_CLIENT_ID = "hash-with-client-id"
    """The client's order id counts as content: the same order under another id is a second one."""
    HASH_WITHOUT_PRICE = "hash-without-price"
    """The price does not count as content: a modified order is taken for a repetition."""
    REDIS_FORGOTTEN = "redis-forgotten"
    """Redis is never told about accepted orders."""
    NO_FALLBACK = "no-fallback"
    """Without Redis no order is accepted."""
    REDIS_BEFORE_COMMIT = "redis-before-commit"
    """Redis is told before PostgreSQL has the order: a crash in between loses it."""
    CHECK_THEN_INSERT = "check-then-insert"
    """Repetitions are looked for and not claimed: two at the same moment both pass."""
    METRICS_FORGOTTEN = "metrics-forgotten"
    """Nothing is written to InfluxDB."""
