"""The feed: prices that arrive over HTTP become ticks of the shared market data."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from alpha_panda.events.envelope import Broker, EventEnvelope, EventType
from alpha_panda.streaming.producer import RedpandaProducer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alpha_panda.events.data import MarketTick
    from alpha_panda.events.topics import Topics
    from alpha_panda.settings import Settings

LONGEST_RETRY_SECONDS: Final = 1.0
log = logging.getLogger(__name__)


class Feed:
    """Publishes ticks, keyed by instrument: those of one instrument keep their order."""

    def __init__(self, settings: Settings, topics: Topics) -> None:
        self._producer = RedpandaProducer(
            settings.kafka_bootstrap_servers,
            topics,
            client_id="alpha-panda.feed",
            delivery_seconds=settings.delivery_seconds,
        )
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Connect, however long that takes, and stay until stopped."""
        delay = 0.05
        while not self._stopped.is_set():
            try:
                await self._producer.start()
                await self._stopped.wait()
            except KafkaError as error:
                log.warning("not connected yet", extra={"error": f"{type(error).__name__}: {error}"})
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY_SECONDS)
        await self._producer.stop()

    def stop(self) -> None:
        self._stopped.set()

    async def publish(self, ticks: Sequence[MarketTick]) -> list[EventEnvelope]:
        """The published events. Raises KafkaError or TransientError; some may be published then."""
        events = [tick_event(tick) for tick in ticks]
        await self._producer.publish_all(events)
        return events

    async def health(self) -> str:
        """Raises KafkaError."""
        if not self._producer.running:
            return "connecting"
        await self._producer.check()
        return "ok"


def tick_event(tick: MarketTick, source: str = "feed") -> EventEnvelope:
    return EventEnvelope.root(
        EventType.MARKET_TICK, tick, broker=Broker.SHARED, key=str(tick.instrument_token), source=source
    )
