"""UUID version 7 (RFC 9562): ordered by time, and derivable, so that work which is done again makes the same events.

Python has `uuid.uuid7` from 3.14 on; `derived` is in no version of it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

VERSION: Final = 7
_TICKS_PER_MILLISECOND: Final = 4096  # rand_a, 12 bits, holds the fraction of the millisecond (RFC 9562, 6.2, method 3)
_RAND_B: Final = (1 << 62) - 1
_guard = threading.Lock()
_last_tick = 0


def uuid7() -> UUID:
    """A new identifier, greater than every earlier one of this process, even when the clock is set back."""
    global _last_tick  # noqa: PLW0603 - the order of a process's identifiers is a matter of the whole process
    tick = time.time_ns() * _TICKS_PER_MILLISECOND // 1_000_000
    with _guard:
        _last_tick = tick = max(tick, _last_tick + 1)
    return _assembled(tick, int.from_bytes(os.urandom(8)))


def derived(origin: UUID, *parts: str) -> UUID:
    """The identifier of what follows from `origin`: the same for the same parts, with the origin's time."""
    digest = hashlib.blake2b(origin.bytes + "\0".join(parts).encode(), digest_size=16).digest()
    milliseconds = origin.int >> 80
    tick = milliseconds * _TICKS_PER_MILLISECOND + int.from_bytes(digest[:2]) % _TICKS_PER_MILLISECOND
    return _assembled(tick, int.from_bytes(digest[8:]))


def created_at(identifier: UUID) -> datetime:
    """The time in a version 7 identifier, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


def _assembled(tick: int, random: int) -> UUID:
    milliseconds, fraction = divmod(tick, _TICKS_PER_MILLISECOND)
    return UUID(int=milliseconds << 80 | VERSION << 76 | fraction << 64 | 0b10 << 62 | random & _RAND_B)
