"""The service's state as it lies in Redis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contract import STATE_PREFIX
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis


async def stored_state(redis: Redis, symbol: str, where: Callable[[Any], bool] = bool) -> Any:
    """The stored state of a symbol once it is as asked for; it is saved just after its events are published."""

    async def probe() -> tuple[Any, object]:
        value = await redis.get(f"{STATE_PREFIX}{symbol}")
        state = json.loads(value) if value is not None else None
        return (state if state is not None and where(state) else None), state

    return await eventually(f"the state of {symbol} in Redis", probe)
