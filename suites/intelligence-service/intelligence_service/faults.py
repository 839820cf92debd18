"""What tests of the suite need: points at which the worker is killed, and deliberate bugs that must be found."""

from __future__ import annotations

import enum
import os
import signal


class Point(enum.StrEnum):
    """Where in a batch."""

    NOW = "now"
    PUBLISHED = "published"
    """The responses are with the broker, the offsets are not."""
    OFFSETS = "offsets"
    """Both are, the transaction is not committed."""
    COMMITTED = "committed"
    """Everything is done, nothing in memory knows it."""


class Bug(enum.StrEnum):
    """One at a time, by INTELLIGENCE_BUG."""

    WRONG_CORRELATION = "wrong-correlation"
    """Under concurrency: a response bears the correlation of another request of its batch."""
    NO_CAUSATION = "no-causation"
    """Responses do not say which request caused them."""
    NO_TRANSACTION = "no-transaction"
    """Responses are published for good before the offsets: a crash in between repeats them."""
    COMMIT_FIRST = "commit-first"
    """Offsets are committed before the responses are published: a crash in between loses them."""
    SILENT = "silent"
    """What cannot be understood is dropped instead of becoming a dead letter."""
    FORGIVING = "forgiving"
    """Naming rules are not checked, so everything that parses is of top quality."""


class KillSwitch:
    """Kills this process with SIGKILL when it comes to the point that was named."""

    def __init__(self, memory: int | None = None) -> None:
        """`memory`: a descriptor that outlives this process, and so tells the next one what became of this one."""
        self._point: Point | None = None
        self._memory = memory
        self.last = "" if memory is None else os.pread(memory, 100, 0).decode()
        """Number of the process before this one that killed itself, and the point. Empty: none did."""

    def arm(self, point: Point) -> None:
        """At once for `now`."""
        self._point = point
        self.reached(Point.NOW)

    def reached(self, point: Point) -> None:
        """Does not return if it is the one."""
        if self._point is point:
            if self._memory is not None:
                os.ftruncate(self._memory, 0)
                os.pwrite(self._memory, f"{os.getpid()} {point}".encode(), 0)
            os.kill(os.getpid(), signal.SIGKILL)
