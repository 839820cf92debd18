"""Reads topics and says what must be on them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from kafka import KafkaConsumer, TopicPartition

from seatrial_kit.kafka.clients import BOOTSTRAP_MS
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


class KafkaStream(StreamLog):
    """Every partition of some topics, from their end at `start` or from their beginning; committed records only.

    It has no group, so it disturbs nobody and nothing has to be cleaned. `group` and `inputs` are those of the service
    under test: what says that something did not happen waits until it has read them.
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
        # A short wait: a partition that was just read is not part of the fetch that is waiting meanwhile.
        self._consumer = KafkaConsumer(
            bootstrap_servers=config.BOOTSTRAP_SERVERS,
            group_id=None,
            isolation_level="read_committed",
            fetch_max_wait_ms=20,
            bootstrap_timeout_ms=BOOTSTRAP_MS,
        )

    def start(self) -> Self:
        """From here on nothing is missed. Raises AssertionError if a topic does not exist."""
        partitions = []
        for topic in self.topics:
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers:
                raise AssertionError(f"the broker at {self._config.BOOTSTRAP_SERVERS} has no topic {topic}")
            partitions += [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(partitions)
        seek = self._consumer.seek_to_end if self._since == "now" else self._consumer.seek_to_beginning
        seek(*partitions)
        for partition in partitions:
            self._consumer.position(partition)
        return self

    def close(self) -> None:
        """Stop reading; what was read remains."""
        self._consumer.close()

    def poll(self) -> list[Event]:
        """What has come meanwhile, or comes at once."""
        return self.keep(self._consumer.poll(timeout_ms=POLL_MS, max_records=10_000))

    def settle(self) -> None:
        """Wait until the group has read its inputs, then read up to where every topic ends: what is not seen then was
        not published.
        """
        __tracebackhide__ = True
        if self._group is not None:
            assert_consumer_lag_zero(self._group, self._inputs, config=self._config)
        ends = self._consumer.end_offsets(list(self._consumer.assignment()))
        seconds = deadline_seconds()
        deadline = time.monotonic() + seconds
        while behind := [str(tp) for tp, end in ends.items() if (self._consumer.position(tp) or 0) < end]:
            if time.monotonic() >= deadline:
                raise self.waited(seconds, f"the end of {', '.join(behind)}")
            self.poll()

    def next(
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
            self.poll()
        return event

    def exactly(
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
            self.poll()
        self.settle()
        events = self.matching(selected)
        assert_exactly(events, expected)
        self.take_all(events)
        return events

    def no_further(self, pattern: Pattern | None = None, *, topic: str | None = None) -> None:
        """No event that fits but those that `next` and `exactly` have returned."""
        __tracebackhide__ = True
        self.settle()
        self.assert_no_further(on_topic(topic, pattern))

    def dead_letters_empty(self, *topics: str, where: Pattern | None = None) -> None:
        """Nothing on the topics for dead letters, which must be among those that are read."""
        __tracebackhide__ = True
        self.settle()
        self.assert_none_on(topics, where, "no dead letters")

    def causation_complete(self, *, where: Pattern | None = None, through: Sequence[str] = ()) -> None:
        """Every event's cause is in the stream (see matching.assert_causation_complete)."""
        __tracebackhide__ = True
        self.settle()
        assert_causation_complete(self.matching(where), through=through)
