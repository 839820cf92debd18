"""The service's life: one session after another until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential

from intelligence_service.session import Session, TopicsMissingError

if TYPE_CHECKING:
    from intelligence_service.faults import KillSwitch
    from intelligence_service.metrics import Metrics
    from intelligence_service.settings import Settings

FIRST_RETRY_SECONDS: Final = 0.05
LONGEST_RETRY_SECONDS: Final = 1.0
TRANSIENT: Final = (KafkaError, TopicsMissingError, OSError, TimeoutError)
log = logging.getLogger(__name__)


class UnreachableError(Exception):
    """Kafka or its topics could not be reached before the deadline."""


class Service:
    """Runs sessions; a failed one is followed by a new one, from the committed offsets."""

    def __init__(self, settings: Settings, metrics: Metrics, switch: KillSwitch) -> None:
        self._settings, self._metrics, self._switch = settings, metrics, switch
        self._stopped = asyncio.Event()
        self._session: Session | None = None

    async def run(self) -> None:
        """Until stop(). Raises UnreachableError."""
        while not self._stopped.is_set():
            session = await self._connected_unless_stopped()
            if session is None:
                return
            self._session = session
            self._metrics.sessions.inc()
            log.info("consuming")
            try:
                await session.run(self._stopped)
            except TRANSIENT as error:
                log.warning("session failed", extra={"error": _text(error)})
            finally:
                self._session = None
                await session.close()

    def stop(self) -> None:
        self._stopped.set()

    async def health(self) -> str:
        """`ok`, or what is wrong."""
        session = self._session
        return "connecting" if session is None else await session.check()

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
            before_sleep=_note_retry,
            reraise=True,
        )
        try:
            return await attempts(self._open)
        except TRANSIENT as error:
            raise UnreachableError(
                f"not connected after {deadline:g} s to Kafka at {self._settings.kafka_bootstrap_servers}: "
                f"{_text(error)}"
            ) from error

    async def _open(self) -> Session:
        session = Session(self._settings, self._metrics, self._switch)
        try:
            async with asyncio.timeout(self._settings.connect_deadline_seconds):
                await session.open()
        except BaseException:
            await session.close()
            raise
        return session


def _note_retry(attempt: RetryCallState) -> None:
    error = attempt.outcome.exception() if attempt.outcome is not None else None
    if error is not None:
        log.warning("not connected yet", extra={"attempt": attempt.attempt_number, "error": _text(error)})


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
