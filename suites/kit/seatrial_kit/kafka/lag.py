"""How far a consumer group is behind."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from seatrial_kit.kafka.config import KafkaTestConfig
from seatrial_kit.missing import client
from seatrial_kit.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Lag(NamedTuple):
    """Of one partition. `committed` is None when the group has committed nothing there."""

    topic: str
    partition: int
    committed: int | None
    beginning: int
    end: int

    @property
    def records(self) -> int:
        """How many are to be read."""
        return max(0, self.end - max(self.committed or 0, self.beginning))


def consumer_lag(group_id: str, topics: Sequence[str], config: type[KafkaTestConfig] = KafkaTestConfig) -> list[Lag]:
    """Of a group (its whole name), for every partition of the topics."""
    with _reading(config) as read:
        return read(group_id, topics)


def assert_consumer_lag_zero(
    group_id: str,
    topics: Sequence[str],
    *,
    seconds: float | None = None,
    config: type[KafkaTestConfig] = KafkaTestConfig,
) -> None:
    """The group commits, before the deadline, everything that is on the topics at the moment of the call.

    What others publish meanwhile is not waited for, so that it ends beside tests that go on publishing.
    Raises ValueError without topics, of which everything would always have been read.
    """
    __tracebackhide__ = True
    if not topics:
        raise ValueError(f"no topics are given that group {group_id} is to have read")
    with _reading(config) as read:
        ends = {lag[:2]: lag.end for lag in read(group_id, topics)}
        if missing := set(topics) - {topic for topic, _ in ends}:
            raise AssertionError(f"there is no topic {', '.join(sorted(missing))}")

        def probe() -> bool:
            found = [lag._replace(end=ends.get(lag[:2], lag.end)) for lag in read(group_id, topics)]
            if behind := [lag for lag in found if lag.records]:
                raise AssertionError("\n".join(["", *(_line(lag) for lag in behind)]))
            return True

        eventually(probe, f"group {group_id} to have read all of {', '.join(topics)}", seconds=seconds)


@contextmanager
def _reading(config: type[KafkaTestConfig]) -> Iterator[Callable[[str, Sequence[str]], list[Lag]]]:
    """What asks the broker, on connections that serve for many questions."""
    kafka = client("kafka", "kafka")
    clients = client("seatrial_kit.kafka.clients", "kafka")
    servers = {"bootstrap_servers": config.BOOTSTRAP_SERVERS}
    with closing(clients.admin(**servers)) as admin, closing(kafka.KafkaConsumer(**servers)) as reader:

        def read(group_id: str, topics: Sequence[str]) -> list[Lag]:
            partitions = [
                kafka.TopicPartition(topic, number)
                for topic in topics
                for number in sorted(reader.partitions_for_topic(topic) or ())
            ]
            if not partitions:
                return []
            # The ends first: a group that reads meanwhile may then seem ahead, but never done when it is not.
            ends, beginnings = reader.end_offsets(partitions), reader.beginning_offsets(partitions)
            committed = admin.list_group_offsets({group_id: None})[group_id]
            found = []
            for partition in partitions:
                offset = committed.get(partition)
                known = offset.offset if offset is not None and offset.offset >= 0 else None
                found.append(Lag(partition.topic, partition.partition, known, beginnings[partition], ends[partition]))
            return found

        yield read


def _line(lag: Lag) -> str:
    committed = "nothing" if lag.committed is None else lag.committed
    return f"  {lag.topic}[{lag.partition}]: committed {committed}, end {lag.end}, {lag.records} records behind"
