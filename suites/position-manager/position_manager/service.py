"""The service's life: one session after another until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError
from redis.exceptions import RedisError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential

from position_manager.session import Session, TopicsMissingError

if TYPE_CHECKING:
    from position_manager.metrics import Metrics
    from position_manager.settings import Settings

FIRST_RETRY_SECONDS: Final = 0.05
LONGEST_RETRY_SECONDS: Final = 1.0
TRANSIENT: Final = (KafkaError, RedisError, TopicsMissingError, OSError, TimeoutError)
log = logging.getLogger(__name__)


class UnreachableError(Exception):
    """Kafka, its topics or Redis could not be reached before the deadline."""


class Service:
    """Runs sessions; a failed one is followed by a new one, restored from Redis and the committed offsets."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._stopped = asyncio.Event()
        self._interrupt = asyncio.Event()
        self._session: Session | None = None
        self._started = 0
        self._session_started = asyncio.Condition()

    async def run(self) -> None:
        """Until stop(). Raises UnreachableError."""
        while not self._stopped.is_set():
            self._interrupt.clear()
            session = await self._connected_unless_stopped()
            if session is None:
                return
            await self._announce(session)
            try:
                await session.run(self._interrupt)
            except TRANSIENT as error:
                self._count(error)
                log.warning("session failed", extra={"error": _text(error)})
            finally:
                self._session = None
                await session.close()

    def stop(self) -> None:
        self._stopped.set()
        self._interrupt.set()

    async def restart(self) -> None:
        """Drop every client and everything in memory and start again; returns once consumption has resumed."""
        # While a session is being connected it may have restored already: then only the one after it counts.
        target = self._started + (1 if self._session is not None else 2)
        self._interrupt.set()
        async with self._session_started:
            await self._session_started.wait_for(lambda: self._started >= target)

    async def health(self) -> dict[str, str]:
        """`ok`, or what is wrong, for each of Kafka and Redis."""
        session = self._session
        return {"kafka": "connecting", "redis": "connecting"} if session is None else await session.check()

    async def _announce(self, session: Session) -> None:
        async with self._session_started:
            self._session = session
            self._started += 1
            self._session_started.notify_all()
        self._metrics.sessions.inc()
        log.info("consuming", extra={"session": self._started})

    async def _connected_unless_stopped(self) -> Session | None:
        connecting = asyncio.create_task(self._connected())
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return connecting.result() if connecting.done() else None
        finally:
            stopped.cancel()
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    async def _connected(self) -> Session:
        """An open session, however long the broker takes to start, up to the deadline."""
        deadline = self._settings.connect_deadline_seconds
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(TRANSIENT),
            wait=wait_exponential(multiplier=FIRST_RETRY_SECONDS, max=LONGEST_RETRY_SECONDS),
            stop=stop_after_delay(deadline),
            before_sleep=self._note_retry,
            reraise=True,
        )
        try:
            return await attempts(self._open)
        except TRANSIENT as error:
            raise UnreachableError(
                f"not connected after {deadline:g} s to Kafka at {self._settings.kafka_bootstrap_servers} "
                f"and Redis (REDIS_URL): {_text(error)}"
            ) from error

    async def _open(self) -> Session:
        session = Session(self._settings, self._metrics)
        try:
            async with asyncio.timeout(self._settings.connect_deadline_seconds):
                await session.open()
        except BaseException:
            await session.close()
            raise
        return session

    def _note_retry(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome is not None else None
        if error is not None:
            self._count(error)
            log.warning("not connected yet", extra={"attempt": attempt.attempt_number, "error": _text(error)})

    def _count(self, error: BaseException) -> None:
        self._metrics.errors.labels("redis" if isinstance(error, RedisError) else "kafka").inc()


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
