"""Which contents were ordered lately, in Redis: answers repetitions without PostgreSQL, and may forget or be away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from tbot.bugs import Bug
from tbot.errors import CacheUnavailableError
from tbot.orders import Order

if TYPE_CHECKING:
    from datetime import datetime

    from tbot.cache import CacheManager
    from tbot.settings import Settings

PREFIX: Final = "idempotency:order:"
log = logging.getLogger(__name__)


class IdempotencyManager:
    """Remembers accepted orders by the hash of their content, no longer than PostgreSQL does."""

    def __init__(self, cache: CacheManager, settings: Settings) -> None:
        self._cache, self._bug = cache, settings.tbot_bug

    async def find(self, content_hash: str) -> tuple[Order | None, bool]:
        """The order of that content, if it is remembered; and whether Redis could be asked."""
        try:
            value = await self._cache.get(PREFIX + content_hash)
        except CacheUnavailableError:
            if self._bug is Bug.NO_FALLBACK:
                raise
            return None, False
        if value is None:
            return None, True
        try:
            return Order.model_validate_json(value), True
        except ValidationError as error:
            # Without the traceback, which would show the stored value.
            log.error("unreadable entry", extra={"key": PREFIX + content_hash, "problems": error.error_count()})  # noqa: TRY400
            return None, True

    async def remember(self, order: Order, expires_at: datetime) -> bool:
        """Whether Redis has taken it; if it has not, the next repetition is recognised by PostgreSQL."""
        if self._bug is Bug.REDIS_FORGOTTEN:
            return True
        try:
            await self._cache.put(PREFIX + order.content_hash, order.model_dump_json(), expires_at)
        except CacheUnavailableError:
            if self._bug is Bug.NO_FALLBACK:
                raise
            return False
        return True
