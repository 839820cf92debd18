"""Wait for a condition with a deadline."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE_SECONDS = float(os.environ.get("SUITE_DEADLINE_SECONDS", "20"))
PAUSE_SECONDS = 0.01

T = TypeVar("T")


async def eventually(awaited: str, probe: Callable[[], Awaitable[tuple[T | None, object]]]) -> T:
    """The first result of the probe that is not None, or a failure that says what was awaited and what was seen last.

    The probe returns (result, what it saw).
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        result, seen = await probe()
        if result is not None:
            return result
        if time.monotonic() >= deadline:
            pytest.fail(f"waited {DEADLINE_SECONDS:g} s for {awaited}; last seen: {seen}", pytrace=False)
        await asyncio.sleep(PAUSE_SECONDS)
