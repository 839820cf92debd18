"""Deliberate bugs, one at a time by KRAKEN_BUG: the suite must go red for each (mutations.py)."""

from __future__ import annotations

from enum import StrEnum


class Bug(StrEnum):
    """What the service does wrong."""

    NONE = ""
    BLIND_RESEND = "blind-resend"
    """Sends an order again under another id when it does not know what became of it."""
    FORGET_FEES = "forget-fees"
    """Books trades without their fees."""
    BOOK_ORDERED = "book-ordered"
    """Books the whole order at its first partial fill."""
    DOUBLE_BOOKING = "double-booking"
    """Books a trade each time that it hears of it."""
    NO_DAILY_LIMIT = "no-daily-limit"
    """Does not count the day's trades."""
    BREAKER_STAYS_CLOSED = "breaker-stays-closed"
    """Never opens the circuit breaker."""
    CONSTANT_BACKOFF = "constant-backoff"
    """Waits as long before the fourth attempt as before the second."""
    STALE_AS_FRESH = "stale-as-fresh"
    """Presents old market data as new."""
    FORGET_HALT = "forget-halt"
    """Trades again after a restart though it was halted."""
    NO_TAKE_PROFIT = "no-take-profit"
    """Never takes a profit."""
