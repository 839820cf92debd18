"""Attempts until one succeeds, in quick succession."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from seatrial.agent.environment.outcomes import NotReadyError

Attempt = Callable[[], Awaitable[None]]
"""Returns when all is well, else raises NotReadyError (tried again) or another exception (the end)."""

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.2
PAUSE_FACTOR = 1.02
"""Makes a pause about a fiftieth of the time waited so far: an attempt is cheap, and what comes soon is seen soon."""
ATTEMPT_SECONDS = 5.0
"""Of one attempt. Long, because a server that is starting may accept a connection well before it answers."""


class DeadlineError(Exception):
    """No attempt succeeded in time; the message is what the last one saw, empty when none has ended."""


async def until_success(
    attempt: Attempt,
    *,
    deadline: float,
    on_waiting: Callable[[str], None],
    attempt_seconds: float | None = ATTEMPT_SECONDS,
) -> None:
    """Repeat `attempt` while it raises NotReadyError; other exceptions end it.

    `deadline` is a time of the event loop's clock. Raises DeadlineError.
    """
    seen = ""
    pause = FIRST_PAUSE_SECONDS
    whole = asyncio.timeout_at(deadline)
    try:
        async with whole:
            while True:
                try:
                    await _one(attempt, attempt_seconds)
                except NotReadyError as error:
                    seen = str(error)
                    on_waiting(seen)
                else:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        if whole.expired():
            raise DeadlineError(seen) from None
        raise


async def _one(attempt: Attempt, seconds: float | None) -> None:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await attempt()
    except TimeoutError:
        if limit.expired():
            raise NotReadyError(f"no answer within {seconds:g} s") from None
        raise
