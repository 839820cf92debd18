"""Wait for a condition with a deadline."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE_SECONDS = float(os.environ.get("SUITE_DEADLINE_SECONDS", "30"))
PAUSE_SECONDS = 0.02

T = TypeVar("T")


async def eventually(awaited: str, probe: Callable[[], Awaitable[tuple[T | None, object]]], seconds: float = 0) -> T:
    """The first result of the probe that is not None, or a failure that says what was awaited and what was seen last.

    The probe returns (result, what it saw).
    """
    seconds = seconds or DEADLINE_SECONDS
    deadline = time.monotonic() + seconds
    while True:
        result, seen = await probe()
        if result is not None:
            return result
        if time.monotonic() >= deadline:
            pytest.fail(f"waited {seconds:g} s for {awaited}; last seen: {seen}", pytrace=False)
        await asyncio.sleep(PAUSE_SECONDS)


def required(variable: str) -> str:
    """An environment variable that the suite cannot do without: its absence is an error, never a skip."""
    value = os.environ.get(variable)
    if not value:
        pytest.fail(f"{variable} is not set: this suite needs the real service; see README.md, Running", pytrace=False)
    return value
