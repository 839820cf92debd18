"""Kafka as the suites use it: a producer, and an observer of all that the services publish."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from contract import BROKERS, PAYLOADS, Event, all_topics, topic

from seatrial_kit.waiting import deadline_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

POLL_MS = 250


class Wire:
    """Reads every partition of every topic from where it ended at start(), and keeps the events of watched keys.

    Delivery is at least once, so a repeated event is kept once, and must be a true repetition.
    """

    def __init__(self, servers: str, namespace: str = "", brokers: Sequence[str] = BROKERS) -> None:
        self.servers, self.namespace, self._brokers = servers, namespace, brokers
        self.producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, group_id=None, fetch_max_wait_ms=20, isolation_level="read_committed"
        )
        self._watched: set[str] = set()
        self._events: dict[str, list[Event]] = defaultdict(list)
        self._by_id: dict[object, Event] = {}
        self.topic_of: dict[object, str] = {}
        self.received_at: dict[object, float] = {}
        self._sent: set[tuple[TopicPartition, int]] = set()
        self.repeated = 0

    async def start(self) -> None:
        async with asyncio.timeout(deadline_seconds()):
            await self.producer.start()
            await self._consumer.start()
            wanted = all_topics(self.namespace, self._brokers)
            missing = set(wanted) - await self._consumer.topics()
            assert not missing, f"the broker has no topic {sorted(missing)}"
            partitions = [
                TopicPartition(name, number) for name in wanted for number in await self.producer.partitions_for(name)
            ]
            self._consumer.assign(partitions)
            # Without a group, reading starts at the end: known at once, instead of when it is first asked for.
            ends = await self._consumer.end_offsets(partitions)
            for partition, end in ends.items():
                self._consumer.seek(partition, end)

    async def stop(self) -> None:
        await self._consumer.stop()
        await self.producer.stop()

    def watch(self, key: str) -> None:
        """Keep what has this key; not what the test itself has written."""
        self._watched.add(key)

    async def send(self, name: str, key: str | None, value: dict[str, Any] | bytes | None) -> Any:
        """Produce one record and wait for the broker's acknowledgement."""
        payload = json.dumps(value).encode() if isinstance(value, dict) else value
        encoded = key.encode() if key is not None else None
        written = await self.producer.send_and_wait(name, payload, key=encoded)
        self._sent.add((written.topic_partition, written.offset))
        return written

    def seen(self, key: str, kind: str, broker: str | None = None) -> list[Event]:
        """Every event of that kind so far, in order of arrival."""
        return [event for event in self._events[key] if event.type == kind and broker in {None, event.broker}]

    async def expect(self, key: str, kind: str, broker: str, count: int = 1) -> list[Event]:
        """Wait until that many events have been seen; all of them."""
        deadline = time.monotonic() + deadline_seconds()
        while True:
            found = self.seen(key, kind, broker)
            if len(found) >= count:
                return found
            if time.monotonic() >= deadline:
                self._fail(key, f"{count} x {kind} of {broker}, {len(found)} seen")
            await self._poll()

    async def settle(self) -> None:
        """Read up to where every topic ends now: afterwards, what was not seen was not published."""
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
                key = (record.key or b"").decode(errors="replace")
                if key in self._watched and (partition, record.offset) not in self._sent:
                    raw = json.loads(record.value)
                    if raw.get("source") != "suite":  # replayed, or sent by a test's own producer
                        self._keep(Event.model_validate(raw), key, partition.topic, now)

    def _keep(self, event: Event, key: str, name: str, now: float) -> None:
        # Not by assertions: to a wait in which this is read, those would mean "not yet".
        if event.key != key:
            pytest.fail(f"{name}: the key is {key}, the event says {event.key}")
        if name != topic(event.type, event.broker, self.namespace):
            pytest.fail(f"{event.type} of {event.broker} on {name}")
        PAYLOADS[event.type].model_validate(event.data)
        first = self._by_id.setdefault(event.id, event)
        if first is event:
            self._events[key].append(event)
            self.topic_of[event.id], self.received_at[event.id] = name, now
        else:
            self.repeated += 1
            if event.model_copy(update={"ts": first.ts}) != first:
                pytest.fail(f"not a true repetition: {event.model_dump_json()} after {first.model_dump_json()}")

    def _fail(self, key: str, awaited: str) -> None:
        seen = "\n".join(f"  {event.model_dump_json()}" for event in self._events[key][-50:]) or "  nothing"
        pytest.fail(f"waited {deadline_seconds():g} s for {awaited} (key {key})\nseen for it:\n{seen}", pytrace=False)
