"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

T = TypeVar("T")
PAUSE_SECONDS = 0.02


def deadline_seconds() -> float:
    """How long tests wait for what must happen: SUITE_DEADLINE_SECONDS, or 15."""
    return float(os.environ.get("SUITE_DEADLINE_SECONDS") or "15")


def eventually(
    probe: Callable[[], T],
    awaited: str,
    *,
    seconds: float | None = None,
    transient: tuple[type[Exception], ...] = (),
) -> T:
    """The first result of the probe that is neither None nor False.

    An AssertionError of the probe means "not yet", and so does an error of `transient`; any other one ends the wait.
    Raises AssertionError that says what was seen last.
    """
    __tracebackhide__ = True
    from tenacity import Retrying

    limit = deadline_seconds() if seconds is None else seconds
    result: T = Retrying(**_until(limit, awaited, transient))(probe)
    return result


async def eventually_async(
    probe: Callable[[], Awaitable[T]],
    awaited: str,
    *,
    seconds: float | None = None,
    transient: tuple[type[Exception], ...] = (),
) -> T:
    """As `eventually`, for a probe that is a coroutine function."""
    __tracebackhide__ = True
    from tenacity import AsyncRetrying

    limit = deadline_seconds() if seconds is None else seconds
    result: T = await AsyncRetrying(**_until(limit, awaited, transient))(probe)
    return result


def _until(seconds: float, awaited: str, transient: tuple[type[Exception], ...]) -> dict[str, Any]:
    from tenacity import retry_any, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

    def give_up(state: RetryCallState) -> Any:
        __tracebackhide__ = True
        outcome = state.outcome
        error = outcome.exception() if outcome is not None else None
        if outcome is None:
            seen: object = "nothing"
        elif error is None:
            seen = outcome.result()
        else:  # some errors of clients have no text
            seen = error if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
        tries = f"{state.attempt_number} {'try' if state.attempt_number == 1 else 'tries'}"
        raise AssertionError(f"waited {seconds:g} s ({tries}) for {awaited}; last seen: {seen}") from error

    return {
        "retry": retry_any(
            retry_if_exception_type((AssertionError, *transient)),
            retry_if_result(lambda value: value is None or value is False),
        ),
        "stop": stop_after_delay(seconds),
        "wait": wait_fixed(PAUSE_SECONDS),
        "retry_error_callback": give_up,
    }
