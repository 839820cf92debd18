"""The asyncio twin of stream.py, on aiokafka."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from seatrial_kit.kafka.config import KafkaTestConfig
from seatrial_kit.kafka.lag import assert_consumer_lag_zero
from seatrial_kit.kafka.stream_log import StreamLog, check_inputs
from seatrial_kit.matching import Pattern, assert_causation_complete, assert_exactly, describe, on_topic
from seatrial_kit.waiting import deadline_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from seatrial_kit.events import Event

POLL_MS = 100


class AsyncKafkaStream(StreamLog):
    """Every partition of some topics, from their end at `start` or from their beginning; committed records only.

    `group` and `inputs` are those of the service under test: what says that something did not happen waits until it has
    read them.
    """

    def __init__(
        self,
        topics: Sequence[str],
        *,
        where: Pattern | None = None,
        since: Literal["now", "beginning"] = "now",
        group: str | None = None,
        inputs: Sequence[str] = (),
        config: type[KafkaTestConfig] = KafkaTestConfig,
    ) -> None:
        super().__init__(topics, where)
        check_inputs(group, inputs)
        self._group = group
        self._inputs = inputs
        self._since = since
        self._config = config
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=config.BOOTSTRAP_SERVERS,
            group_id=None,
            isolation_level="read_committed",
            fetch_max_wait_ms=20,
        )

    async def start(self) -> Self:
        """From here on nothing is missed. Raises AssertionError if a topic does not exist."""
        partitions = await self._partitions()
        await self._consumer.start()
        self._consumer.assign(partitions)
        seek = self._consumer.seek_to_end if self._since == "now" else self._consumer.seek_to_beginning
        await seek(*partitions)
        for partition in partitions:
            await self._consumer.position(partition)
        return self

    async def _partitions(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._config.BOOTSTRAP_SERVERS)
        await admin.start()
        try:
            if missing := sorted(set(self.topics) - set(await admin.list_topics())):
                raise AssertionError(
                    f"the broker at {self._config.BOOTSTRAP_SERVERS} has no topic {', '.join(missing)}"
                )
            described = await admin.describe_topics(list(self.topics))
        finally:
            await admin.close()
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]

    async def close(self) -> None:
        """Stop reading; what was read remains."""
        await self._consumer.stop()

    async def poll(self) -> list[Event]:
        """What has come meanwhile, or comes at once."""
        return self.keep(await self._consumer.getmany(timeout_ms=POLL_MS, max_records=10_000))

    async def settle(self) -> None:
        """Wait until the group has read its inputs, then read up to where every topic ends: what is not seen then was
        not published.
        """
        __tracebackhide__ = True
        if self._group is not None:
            await asyncio.to_thread(assert_consumer_lag_zero, self._group, self._inputs, config=self._config)
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        seconds = deadline_seconds()
        deadline = time.monotonic() + seconds
        while behind := [str(tp) for tp, end in ends.items() if await self._consumer.position(tp) < end]:
            if time.monotonic() >= deadline:
                raise self.waited(seconds, f"the end of {', '.join(behind)}")
            await self.poll()

    async def next(
        self,
        pattern: Pattern | None = None,
        awaited: str | None = None,
        *,
        topic: str | None = None,
        seconds: float | None = None,
    ) -> Event:
        """The first event that fits and that no earlier call has returned, or AssertionError with the stream."""
        __tracebackhide__ = True
        limit = deadline_seconds() if seconds is None else seconds
        deadline = time.monotonic() + limit
        while (event := self.take(on_topic(topic, pattern))) is None:
            if time.monotonic() >= deadline:
                raise self.waited(limit, awaited or describe(pattern), topic)
            await self.poll()
        return event

    async def exactly(
        self,
        expected: Mapping[str | None, Sequence[Pattern]],
        *,
        topic: str | None = None,
        where: Pattern | None = None,
    ) -> list[Event]:
        """For each key exactly these events, in this order, and nothing else. Waits until as many have come.

        Kafka has an order within a topic only, so name one when the stream reads several.
        """
        __tracebackhide__ = True
        selected = on_topic(topic, where)
        wanted = sum(len(patterns) for patterns in expected.values())
        deadline = time.monotonic() + deadline_seconds()
        while len(self.matching(selected)) < wanted and time.monotonic() < deadline:
            await self.poll()
        await self.settle()
        events = self.matching(selected)
        assert_exactly(events, expected)
        self.take_all(events)
        return events

    async def no_further(self, pattern: Pattern | None = None, *, topic: str | None = None) -> None:
        """No event that fits but those that `next` and `exactly` have returned."""
        __tracebackhide__ = True
        await self.settle()
        self.assert_no_further(on_topic(topic, pattern))

    async def dead_letters_empty(self, *topics: str, where: Pattern | None = None) -> None:
        """Nothing on the topics for dead letters, which must be among those that are read."""
        __tracebackhide__ = True
        await self.settle()
        self.assert_none_on(topics, where, "no dead letters")

    async def causation_complete(self, *, where: Pattern | None = None, through: Sequence[str] = ()) -> None:
        """Every event's cause is in the stream (see matching.assert_causation_complete)."""
        __tracebackhide__ = True
        await self.settle()
        assert_causation_complete(self.matching(where), through=through)
