"""`python -m alpha_panda.replay BROKER [ID...]`: write the records of dead letters to their topics again.

Without ids: all of them. What succeeds this time was not applied before, so nothing happens twice. Exit status 1: Kafka
cannot be reached, or a letter was not found or holds only a part of its record; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from alpha_panda.events.envelope import Broker, EventEnvelope, EventType
from alpha_panda.events.evolution import decode
from alpha_panda.events.topics import BROKERS, Topics
from alpha_panda.streaming.dlq import replay
from alpha_panda.streaming.producer import RedpandaProducer

if TYPE_CHECKING:
    from collections.abc import Collection


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m alpha_panda.replay", description="Try dead letters again.")
    parser.add_argument("broker", choices=[str(broker) for broker in BROKERS])
    parser.add_argument("ids", nargs="*", metavar="ID", help="of dead-letter events; all when none is named")
    options = parser.parse_args()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not servers:
        parser.error("KAFKA_BOOTSTRAP_SERVERS is not set: expected host:port[,host:port]")
    topics = Topics(os.environ.get("NAMESPACE", ""))
    try:
        failed = asyncio.run(replay_all(servers, topics, Broker(options.broker), set(options.ids)))
    except KafkaError as error:
        sys.exit(f"Kafka at {servers}: {type(error).__name__}: {error}")
    sys.exit(1 if failed else 0)


async def replay_all(servers: str, topics: Topics, broker: Broker, wanted: Collection[str]) -> int:
    """How many were not replayed. Says on stdout what became of each. Raises KafkaError."""
    letters = await letters_of(servers, topics.of(EventType.DEAD_LETTER, broker))
    chosen = {name: letter for name, letter in letters.items() if not wanted or name in wanted}
    failed = len(set(wanted) - set(chosen))
    for name in sorted(set(wanted) - set(chosen)):
        print(f"{name}: not found among {len(letters)} dead letters of {broker}")
    producer = RedpandaProducer(servers, topics, client_id="alpha-panda.replay")
    await producer.start()
    try:
        for name, letter in chosen.items():
            try:
                written = await replay(letter, producer)
            except ValueError as error:
                failed += 1
                print(f"{name}: not replayed: {error}")
            else:
                print(f"{name}: replayed to {written.topic}/{written.partition}, offset {written.offset}")
    finally:
        await producer.stop()
    return failed


async def letters_of(servers: str, topic: str) -> dict[str, EventEnvelope]:
    """Every dead letter up to where the topic ends now, by id; repetitions once."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest")
    await consumer.start()  # without a group, every partition is this consumer's
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        letters: dict[str, EventEnvelope] = {}
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=250)).values():
                letters |= {str(letter.id): letter for letter in (decode(record.value) for record in records)}
        return letters
    finally:
        await consumer.stop()


if __name__ == "__main__":
    main()
