"""Which requests are made again, and when."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from kraken.bugs import Bug
from kraken.errors import InvalidNonceError, RateLimitedError, UnavailableError

if TYPE_CHECKING:
    from kraken.settings import Settings

JITTER: Final = 0.25
"""Up to this part is added at random, so that clients do not come back in step."""
REMEMBERED: Final = 200


def backoff(attempt: int, base: float, maximum: float) -> float:
    """Seconds to wait after the attempt of that number (from 1), without jitter."""
    return float(min(maximum, base * 2 ** (attempt - 1)))


def may_repeat(error: BaseException, *, repeatable: bool) -> bool:
    """Whether to ask again. What cannot be repeated is sent again only if it certainly was not carried out."""
    if isinstance(error, RateLimitedError | InvalidNonceError):
        return True
    return isinstance(error, UnavailableError) and (repeatable or not error.sent)


@dataclass(frozen=True, slots=True)
class Retry:
    """One that was made: why, and how long it waited by plan (jitter aside)."""

    method: str
    attempt: int
    reason: str
    delay: float


@dataclass
class RetryPolicy:
    """How often and how fast."""

    settings: Settings
    recent: deque[Retry] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def delay(self, attempt: int) -> float:
        if self.settings.kraken_bug is Bug.CONSTANT_BACKOFF:
            attempt = 1
        return backoff(attempt, self.settings.backoff_base_seconds, self.settings.backoff_max_seconds)

    def attempts(self, method: str, *, repeatable: bool) -> AsyncRetrying:
        """Iterate over it; the last error is raised as it is."""

        def wait(state: RetryCallState) -> float:
            return self.delay(state.attempt_number) * (1 + JITTER * random.random())  # noqa: S311  (no secret)

        def remember(state: RetryCallState) -> None:
            error: Any = state.outcome.exception() if state.outcome else None
            reason = ", ".join(getattr(error, "codes", ()))
            self.recent.append(Retry(method, state.attempt_number, reason, self.delay(state.attempt_number)))

        return AsyncRetrying(
            stop=stop_after_attempt(self.settings.attempts),
            wait=wait,
            retry=retry_if_exception(lambda error: may_repeat(error, repeatable=repeatable)),
            before_sleep=remember,
            reraise=True,
        )
