"""Redis, as far as it is there."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tbot.errors import CacheUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from datetime import datetime

    from tbot.metrics import MetricsService
    from tbot.settings import Settings

log = logging.getLogger(__name__)


class CacheManager:
    """Values until a point in time. Raises CacheUnavailableError, after a failure for a while without asking Redis.

    Orders must not wait for a Redis that hangs; so a command has a fraction of a second, and who has failed rests.
    """

    def __init__(self, settings: Settings, metrics: MetricsService) -> None:
        self._redis = Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            db=settings.redis_db,
            password=settings.redis_password.get_secret_value() or None,
            decode_responses=True,
            client_name=settings.instance,
            socket_timeout=settings.redis_timeout_seconds,
            socket_connect_timeout=settings.redis_timeout_seconds,
            retry=Retry(NoBackoff(), 1),  # a pooled connection may have been cut while nobody looked
        )
        self._rest_seconds = settings.redis_retry_seconds
        self._metrics = metrics
        self._rests_until = 0.0
        self.available = True

    async def get(self, key: str) -> str | None:
        value: str | None = await self._ask(self._redis.get(key))
        return value

    async def put(self, key: str, value: str, expires_at: datetime) -> None:
        await self._ask(self._redis.set(key, value, pxat=expires_at))

    async def ping(self) -> None:
        """Asks even while it rests: this is how an idle service notices that Redis is back."""
        self._rests_until = 0.0
        await self._ask(self._redis.ping())

    async def close(self) -> None:
        await self._redis.aclose()

    async def _ask(self, question: Awaitable[Any]) -> Any:
        if time.monotonic() < self._rests_until:
            question.close()  # type: ignore[attr-defined]  # a coroutine that is not awaited must be closed
            raise CacheUnavailableError("Redis has just failed and is left alone for a moment")
        try:
            answer = await question
        except (RedisError, OSError, TimeoutError) as error:
            self._rests_until = time.monotonic() + self._rest_seconds
            self._note(available=False, error=f"{type(error).__name__}: {error}")
            raise CacheUnavailableError(f"Redis does not answer: {type(error).__name__}: {error}") from error
        self._note(available=True)
        return answer

    def _note(self, *, available: bool, error: str = "") -> None:
        if available == self.available:
            return
        self.available = available
        self._metrics.dependency("redis", available=available)
        if available:
            log.info("Redis is back")
        else:
            log.warning("Redis is gone; PostgreSQL alone decides", extra={"error": error})
