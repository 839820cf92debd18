"""Kills this process, for real, when a test asks for it: at once, or at a named point of an order's way."""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class Point(StrEnum):
    """Where an order can be when the process ends."""

    NOW = "now"
    ADMITTED = "admitted"
    """In the journal, not sent."""
    ACCEPTED = "accepted"
    """The exchange has it and has said so; the journal does not know."""
    BOOKED = "booked"
    """Its first trade is booked; the rest is not."""


class Crash:
    """Armed once; nothing happens without ADMIN_FAULTS."""

    def __init__(self) -> None:
        self._armed: Point | None = None

    def arm(self, point: Point) -> None:
        self._armed = point

    def reach(self, point: Point) -> None:
        if self._armed is point:
            os.kill(os.getpid(), signal.SIGKILL)
