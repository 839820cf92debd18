"""What the services keep between batches, in the real Redis: written only by who has read it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from redis.exceptions import WatchError
from topic_admin import new_namespace

from alpha_panda.configuration import Configuration, ConfigurationSource, Limits, Strategy
from alpha_panda.events.data import MarketTick, TradingSignal
from alpha_panda.events.envelope import Broker, EventEnvelope, EventType
from alpha_panda.feed import tick_event
from alpha_panda.stages.risk import RiskHandler
from alpha_panda.stages.strategy import StrategyHandler
from alpha_panda.store import StateStore
from alpha_panda.streaming.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

INSTRUMENT = 7
AT = "2025-08-24T09:15:00Z"


def strategies(*names: str) -> Configuration:
    chosen = tuple(Strategy(name, "momentum", Decimal("0.01"), 1) for name in names)
    return Configuration(strategies={(Broker.PAPER, INSTRUMENT): chosen})


def tick(price: str) -> EventEnvelope:
    return tick_event(MarketTick.model_validate({"instrument_token": INSTRUMENT, "last_price": price, "timestamp": AT}))


@pytest_asyncio.fixture
async def namespace(redis: Redis) -> AsyncIterator[str]:
    name = new_namespace()
    yield name
    async for key in redis.scan_iter(match=f"{name}:*", count=1000):
        await redis.delete(key)


@pytest.fixture
def source() -> ConfigurationSource:
    """Not connected: a test decides when a configuration comes into force."""
    return ConfigurationSource("postgresql://never.connected")


class TestUnitOfWork:
    async def test_state_that_was_not_read_is_neither_given_nor_written(self, redis: Redis, namespace: str) -> None:
        work = await StateStore(redis, Broker.PAPER, "strategy", namespace).begin([], ["read"])
        try:
            assert work.get("read") is None
            with pytest.raises(KeyError, match=r"strategy:other was not read with this batch; read were: \['read'\]"):
                work.get("other")
            with pytest.raises(KeyError, match="strategy:other was not read"):
                work.put("other", b"1")
            work.put("read", b"1")
            assert work.get("read") == b"1"
        finally:
            await work.commit()
        written = {key async for key in redis.scan_iter(match=f"{namespace}:*", count=1000)}
        assert written == {f"{namespace}:paper:strategy:read".encode()}

    async def test_member_that_lost_its_place_cannot_overwrite_its_successor(
        self, redis: Redis, namespace: str
    ) -> None:
        store = StateStore(redis, Broker.PAPER, "strategy", namespace)
        late, successor = await store.begin([], ["key"]), await store.begin([], ["key"])
        successor.put("key", b"successor")
        await successor.commit()
        late.put("key", b"late")
        with pytest.raises(WatchError):
            await late.commit()
        assert await redis.get(f"{namespace}:paper:strategy:key") == b"successor"


class TestConfigurationOfABatch:
    async def test_strategy_that_comes_amid_a_batch_waits_for_the_next(
        self, redis: Redis, namespace: str, source: ConfigurationSource
    ) -> None:
        """Its state was not read: taken for missing, the price of its last signal would be overwritten."""
        handler = StrategyHandler(Broker.PAPER, StateStore(redis, Broker.PAPER, "strategy", namespace), source)
        keys = {name: f"{namespace}:paper:strategy:{name}:{INSTRUMENT}" for name in ("first", "second")}
        for key in keys.values():
            await redis.set(key, b"100")
        source.current = strategies("first")
        event = tick("102")
        await handler.begin([event])
        source.current = strategies("first", "second")
        assert [signal.key for signal in await handler.handle(event)] == ["first"]
        await handler.complete()
        assert [await redis.get(key) for key in keys.values()] == [b"102", b"100"]
        event = tick("104")
        await handler.begin([event])
        assert [signal.key for signal in await handler.handle(event)] == ["first", "second"]
        await handler.complete()
        assert [await redis.get(key) for key in keys.values()] == [b"104", b"104"]

    async def test_reference_data_that_comes_amid_a_batch_is_taken(
        self, redis: Redis, namespace: str, source: ConfigurationSource
    ) -> None:
        """A signal is tried again within its batch, for data that comes late; its state does not follow from them."""
        handler = RiskHandler(Broker.PAPER, StateStore(redis, Broker.PAPER, "risk", namespace), source)
        signal = {"strategy_id": "s", "instrument_token": INSTRUMENT, "signal_type": "buy", "quantity": 1}
        wish = TradingSignal.model_validate(signal | {"price": "100", "timestamp": AT})
        event = EventEnvelope.root(EventType.TRADING_SIGNAL, wish, broker=Broker.PAPER, key="s", source="suite")
        await handler.begin([event])
        with pytest.raises(TransientError, match="risk limits not configured for paper"):
            await handler.handle(event)
        source.current = Configuration(limits={(Broker.PAPER, "s"): Limits(10, Decimal(1000), 10)})
        with pytest.raises(TransientError, match=f"instrument {INSTRUMENT} not configured for paper"):
            await handler.handle(event)
        source.current = replace(source.current, instruments={INSTRUMENT: "symbol"})
        assert [one.type for one in await handler.handle(event)] == [EventType.SIGNAL_VALIDATED]
        await handler.complete()
        assert await redis.get(f"{namespace}:paper:risk:s:{INSTRUMENT}") == b"1"
