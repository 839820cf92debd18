"""The service's state as it lies in Redis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contract import STATE_PREFIX

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis


async def stored_state(redis: Redis, symbol: str, where: Callable[[Any], bool] = bool) -> Any:
    """The stored state of a symbol once it is as asked for; it is saved just after its events are published."""

    async def probe() -> Any:
        value = await redis.get(f"{STATE_PREFIX}{symbol}")
        assert value is not None, "nothing"
        state = json.loads(value)
        assert where(state), state
        return state

    return await eventually_async(probe, f"the state of {symbol} in Redis")
