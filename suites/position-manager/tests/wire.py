"""Kafka as the suite uses it: a producer for the service's inputs, and an observer of all its outputs."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from contract import OUTPUTS, Event

from seatrial_kit.waiting import deadline_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager import Manager

E = TypeVar("E", bound=Event)
POLL_MS = 250


class Wire:
    """Reads every partition of every output from where it ended at start(), and keeps what watched symbols get.

    Delivery is at least once, so a repeated event is kept once, and must be a true repetition.
    """

    def __init__(self, servers: str, manager: Manager) -> None:
        timeout_ms = int(deadline_seconds() * 1000)
        self.producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", request_timeout_ms=timeout_ms)
        # A short wait, since a partition that was just read is not part of the fetch that is waiting meanwhile.
        self._consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=None, fetch_max_wait_ms=20)
        self._manager = manager
        self._watched: set[str] = set()
        self._events: dict[str, list[Event]] = defaultdict(list)
        self._by_id: dict[str, Event] = {}
        self._read: dict[tuple[str, str], int] = defaultdict(int)
        self.received_at: dict[str, float] = {}
        self.partitions: dict[tuple[str, str], set[int]] = defaultdict(set)

    async def start(self) -> None:
        try:
            async with asyncio.timeout(deadline_seconds()):
                await self._start()
        except TimeoutError:
            pytest.fail(f"waited {deadline_seconds():g} s for the broker to tell where the outputs end", pytrace=False)

    async def _start(self) -> None:
        await self.producer.start()
        await self._consumer.start()
        missing = set(OUTPUTS) - await self._consumer.topics()
        assert not missing, f"the broker has no topic {sorted(missing)}"
        partitions: list[TopicPartition] = []
        for topic in OUTPUTS:
            partitions += [TopicPartition(topic, number) for number in await self.producer.partitions_for(topic)]
        self._consumer.assign(partitions)
        for partition in partitions:  # without a group, reading starts at the end; from here on the end is known
            await self._consumer.position(partition)

    async def stop(self) -> None:
        await self._consumer.stop()
        await self.producer.stop()

    def watch(self, symbol: str) -> None:
        self._watched.add(symbol)

    async def send(self, topic: str, symbol: str | None, value: dict[str, object] | bytes | None) -> Any:
        """Produce one record and wait for the broker's acknowledgement."""
        payload = json.dumps(value).encode() if isinstance(value, dict) else value
        key = symbol.encode() if symbol is not None else None
        return await self.producer.send_and_wait(topic, payload, key=key)

    def seen(self, symbol: str, model: type[E]) -> list[E]:
        """Every event of that kind so far, in order of arrival."""
        return [event for event in self._events[symbol] if isinstance(event, model)]

    async def next(self, symbol: str, model: type[E], where: Callable[[E], bool] | None, awaited: str) -> E:
        """The next event of that kind that no earlier call has returned or passed over."""
        deadline = time.monotonic() + deadline_seconds()
        while True:
            events = self.seen(symbol, model)
            for index in range(self._read[symbol, model.topic], len(events)):
                self._read[symbol, model.topic] = index + 1
                if where is None or where(events[index]):
                    return events[index]
            if time.monotonic() >= deadline:
                await self._fail(symbol, model, awaited)
            await self._poll()

    async def settle(self) -> None:
        """Read up to where every output ends now: afterwards, what was not seen was not published."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        deadline = time.monotonic() + deadline_seconds()
        while behind := [tp for tp, end in ends.items() if await self._consumer.position(tp) < end]:
            if time.monotonic() >= deadline:
                pytest.fail(f"waited {deadline_seconds():g} s to read up to the end of {behind}", pytrace=False)
            await self._poll()

    async def _poll(self) -> None:
        batch = await self._consumer.getmany(timeout_ms=POLL_MS)
        now = time.time()
        for partition, records in batch.items():
            for record in records:
                symbol = (record.key or b"").decode()
                if symbol in self._watched:
                    self.partitions[symbol, partition.topic].add(partition.partition)
                    self._keep(OUTPUTS[partition.topic].model_validate_json(record.value), symbol, now)

    def _keep(self, event: Event, key: str, now: float) -> None:
        assert event.symbol == key, f"{event.topic}: the key is {key}, the message says {event.symbol}"
        assert event.event_id == f"{event.position_id}:{event.revision}:{event.topic}"
        first = self._by_id.setdefault(event.event_id, event)
        if first is event:
            self._events[key].append(event)
            self.received_at[event.event_id] = now
        else:  # a tick that is repeated after a crash happens at another time
            assert event.model_copy(update={"timestamp_ms": first.timestamp_ms}) == first, "not a true repetition"

    async def _fail(self, symbol: str, model: type[E], awaited: str) -> None:
        seen = "\n".join(f"  {event.topic}: {event.model_dump_json()}" for event in self._events[symbol]) or "  nothing"
        pytest.fail(
            f"waited {deadline_seconds():g} s for a message on {model.topic} about {symbol}: {awaited}\n"
            f"seen about it:\n{seen}\nthe service's health: {await self._manager.health()}",
            pytrace=False,
        )
