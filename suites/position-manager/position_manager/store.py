"""Symbol states in Redis: one JSON string per symbol."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from position_manager.state import SymbolState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from position_manager.metrics import Metrics

PREFIX: Final = "position-manager:state:"
PAGE: Final = 1000
log = logging.getLogger(__name__)
_codec: TypeAdapter[SymbolState] = TypeAdapter(SymbolState)


class StateStore:
    """Loads all states and saves some; raises redis.exceptions.RedisError when Redis is out of reach."""

    def __init__(self, url: str, metrics: Metrics) -> None:
        # No retries here: a session that loses its connection is rebuilt from saved state, with retries, as a whole.
        self._redis = Redis.from_url(
            url,
            client_name="position-manager",
            socket_timeout=5,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )
        self._metrics = metrics

    async def ping(self) -> None:
        await self._redis.ping()

    async def load(self) -> dict[str, SymbolState]:
        """Every readable state by symbol; an unreadable one is counted, logged and left where it is."""
        states: dict[str, SymbolState] = {}
        page: list[bytes] = []
        async for key in self._redis.scan_iter(match=f"{PREFIX}*", count=PAGE):
            page.append(key)
            if len(page) == PAGE:
                states |= await self._load(page)
                page = []
        return states | await self._load(page)

    async def save(self, states: Iterable[SymbolState]) -> None:
        """All of them or none."""
        values = {f"{PREFIX}{state.symbol}": _codec.dump_json(state) for state in states}
        if values:
            await self._redis.mset(values)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _load(self, keys: list[bytes]) -> dict[str, SymbolState]:
        states: dict[str, SymbolState] = {}
        for key, value in zip(keys, await self._redis.mget(keys) if keys else [], strict=True):
            if value is None:  # deleted since the scan
                continue
            try:
                state = _codec.validate_json(value)
            except ValidationError as error:
                self._metrics.errors.labels("state").inc()
                # Without the traceback, which would show the stored value.
                log.error("unreadable state", extra={"key": key.decode(errors="replace"), "error": _first(error)})  # noqa: TRY400
            else:
                states[state.symbol] = state
        return states


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
