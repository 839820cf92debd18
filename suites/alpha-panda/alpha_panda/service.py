"""One service: its connections, and a worker for each broker (or the feed)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from redis.exceptions import RedisError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from alpha_panda.configuration import ConfigurationSource
from alpha_panda.events.topics import Topics
from alpha_panda.feed import Feed
from alpha_panda.stages.registry import FEED, STAGES
from alpha_panda.store import connect
from alpha_panda.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from alpha_panda.metrics import Metrics
    from alpha_panda.settings import Settings

CHECK_SECONDS: Final = 2.0
TRANSIENT: Final = (OSError, TimeoutError, RedisError, asyncpg.PostgresError, asyncpg.InterfaceError)
log = logging.getLogger(__name__)


class UnreachableError(Exception):
    """PostgreSQL or Redis could not be reached before the deadline."""


class Service:
    """Runs until it is stopped. Kafka may come and go; Redis and PostgreSQL must be there at the start."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self.topics = Topics(settings.namespace)
        self.feed = Feed(settings, self.topics) if settings.service == FEED else None
        self.source = ConfigurationSource(settings.database_url.get_secret_value())
        self._redis = connect(settings.redis_url.get_secret_value())
        self._workers: dict[str, Worker] = {}
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Raises UnreachableError."""
        if self.feed is not None:
            await self.feed.run()
            return
        try:
            await self._until_connected()
            if self._stopped.is_set():
                return
            self._workers = {
                broker: Worker(
                    stage=STAGES[self._settings.service],
                    broker=broker,
                    settings=self._settings,
                    topics=self.topics,
                    redis=self._redis,
                    source=self.source,
                    metrics=self._metrics,
                )
                for broker in self._settings.served
            }
            async with asyncio.TaskGroup() as group:
                for broker, worker in self._workers.items():
                    group.create_task(worker.run(), name=broker)
        finally:
            await self.source.close()
            await self._redis.aclose()

    def stop(self) -> None:
        self._stopped.set()
        for part in (self.feed, *self._workers.values()):
            if part is not None:
                part.stop()

    async def health(self) -> dict[str, str]:
        """`ok`, or what is wrong, for each thing that the service needs."""
        if self.feed is not None:
            return {"kafka": await answer(self.feed.health())}
        questions: dict[str, Awaitable[str | None]] = {
            "redis": _pong(self._redis),
            "postgres": self.source.check(),
        }
        questions |= {broker: worker.health() for broker, worker in self._workers.items()}
        answers = await asyncio.gather(*(answer(question) for question in questions.values()))
        waiting = {} if self._workers else {"kafka": "connecting"}
        return dict(zip(questions, answers, strict=True)) | waiting

    async def lag(self) -> dict[str, int | None]:
        """Records that each broker's worker has before it. Raises KafkaError."""
        return {broker: await worker.lag() for broker, worker in self._workers.items()}

    async def _until_connected(self) -> None:
        connecting = asyncio.create_task(self._connect())
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
        finally:
            stopped.cancel()
            connecting.cancel()
            await asyncio.gather(stopped, connecting, return_exceptions=True)

    async def _connect(self) -> None:
        deadline = self._settings.connect_deadline_seconds
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(TRANSIENT),
            wait=wait_exponential(multiplier=0.05, max=1),
            stop=stop_after_delay(deadline),
            reraise=True,
        )
        try:
            await attempts(self._connect_once)
        except TRANSIENT as error:
            raise UnreachableError(
                f"not connected after {deadline:g} s to Redis (REDIS_URL) and PostgreSQL (DATABASE_URL): "
                f"{type(error).__name__}: {error}"
            ) from error

    async def _connect_once(self) -> None:
        await _pong(self._redis)
        await self.source.start()


async def _pong(redis: Any) -> None:
    await redis.ping()


async def answer(question: Awaitable[str | None]) -> str:
    """What came of a question: its answer (`ok` if it has none), or the error."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await question or "ok"
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"{type(error).__name__}: {error}"
