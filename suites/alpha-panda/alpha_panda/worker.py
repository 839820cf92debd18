"""One service for one broker: one session after another until it is told to stop.

Nothing is shared between two brokers' workers but the process: each has its own clients, group, breaker and states.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from alpha_panda.metrics import BrokerMetrics
from alpha_panda.store import StateStore
from alpha_panda.streaming.breaker import CircuitBreaker
from alpha_panda.streaming.consumer import RedpandaConsumer
from alpha_panda.streaming.policy import Policy
from alpha_panda.streaming.processor import StreamProcessor
from alpha_panda.streaming.producer import RedpandaProducer

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from alpha_panda.configuration import ConfigurationSource
    from alpha_panda.events.envelope import Broker
    from alpha_panda.events.topics import Topics
    from alpha_panda.metrics import Metrics
    from alpha_panda.settings import Settings
    from alpha_panda.stages.registry import Stage
    from alpha_panda.stages.work import StageHandler

FIRST_RETRY_SECONDS: Final = 0.05
LONGEST_RETRY_SECONDS: Final = 1.0
log = logging.getLogger(__name__)


class Worker:
    """Runs until it is stopped."""

    def __init__(
        self,
        *,
        stage: Stage,
        broker: Broker,
        settings: Settings,
        topics: Topics,
        redis: Redis,
        source: ConfigurationSource,
        metrics: Metrics,
    ) -> None:
        self._stage, self._broker, self._settings, self._topics = stage, broker, settings, topics
        self._redis, self._source, self._metrics = redis, source, metrics
        self._watcher = BrokerMetrics(metrics, broker)
        self._breaker = CircuitBreaker(Policy().breaker_failures, settings.breaker_reset_seconds)
        self._stopped = asyncio.Event()
        self._session: tuple[RedpandaConsumer, RedpandaProducer] | None = None

    async def run(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while not self._stopped.is_set():
            try:
                await self._one_session()
                delay = FIRST_RETRY_SECONDS
            except Exception as error:  # noqa: BLE001 - a worker never gives up: it is not ready meanwhile
                self._watcher.failed(error)
                cause = f"{type(error).__name__}: {error}"
                log.warning("session failed", extra={"broker": self._broker, "error": cause})
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._stopped.wait()
                delay = min(delay * 2, LONGEST_RETRY_SECONDS)

    def stop(self) -> None:
        self._stopped.set()

    async def health(self) -> str:
        """`ok`, or what is missing. Raises KafkaError."""
        if self._session is None:
            return "connecting"
        consumer, producer = self._session
        await producer.check()
        return "ok" if consumer.assigned.is_set() else "waiting for partitions"

    async def lag(self) -> int | None:
        """Records not processed yet; None without a session. Raises KafkaError."""
        return await self._session[0].lag() if self._session is not None else None

    async def _one_session(self) -> None:
        settings, service = self._settings, self._stage.handler.service
        prefix = f"{settings.namespace}." if settings.namespace else ""
        name = f"alpha-panda.{self._broker}.{service}"
        consumer = RedpandaConsumer(
            settings.kafka_bootstrap_servers,
            [self._stage.topic(self._topics, self._broker)],
            group_id=f"{prefix}{name}",
            client_id=name,
            max_records=settings.batch_size,
        )
        producer = RedpandaProducer(
            settings.kafka_bootstrap_servers, self._topics, client_id=name, delivery_seconds=settings.delivery_seconds
        )
        store = StateStore(self._redis, self._broker, service, settings.namespace)
        handler = self._stage.handler(self._broker, store, self._source)
        processor = StreamProcessor(
            consumer,
            producer,
            handler,
            broker=self._broker,
            service=service,
            policy=Policy(attempts=settings.retry_attempts, breaker_reset_seconds=settings.breaker_reset_seconds),
            breaker=self._breaker,
            watcher=self._watcher,
        )
        stopped = asyncio.create_task(self._stopped.wait())
        ended: asyncio.Task[None] | None = None
        try:
            await processor.start()
            self._session = consumer, producer
            self._metrics.sessions.labels(self._broker).inc()
            ended = asyncio.create_task(processor.wait())
            await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                ended.result()
        finally:
            self._session = None
            stopped.cancel()
            if ended is not None:
                ended.cancel()
            await asyncio.gather(stopped, *([ended] if ended is not None else []), return_exceptions=True)
            await _closed(processor, handler)


async def _closed(processor: StreamProcessor, handler: StageHandler) -> None:
    """Given up after a moment: nothing depends on it."""
    try:
        async with asyncio.timeout(1):
            await processor.stop()
            await handler.close()
    except (TimeoutError, KafkaError, RedisError) as error:
        log.warning("clients did not close", extra={"error": f"{type(error).__name__}: {error}"})
