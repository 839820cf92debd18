"""The quick suite: the broker, the service's connection to it, and one look at each kind of message."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import uuid
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError
from contract import (
    EXTREME_FUNDING_RATE,
    GROUP_ID,
    INPUT_TOPICS,
    MAX_IMBALANCE,
    OUTPUTS,
    TOPICS,
    EmergencyAction,
    HedgeTrade,
    PnlUpdate,
    PositionState,
    decimals,
)
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition as SyncTopicPartition
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from stored import stored_state

from seatrial_kit.waiting import deadline_seconds, eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from flow import Flow
    from manager import Manager
    from wire import Wire

pytestmark = pytest.mark.asyncio
SECONDS_PER_YEAR = 365 * 24 * 3600


class TestKafkaConnection:
    """Producers, consumers and the admin client reach the broker; no service is needed."""

    async def test_cluster_has_a_broker_and_a_controller(self, kafka_servers: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
        await admin.start()
        try:
            cluster = await admin.describe_cluster()
        finally:
            await admin.close()
        nodes = {broker["node_id"] for broker in cluster["brokers"]}
        assert nodes
        assert cluster["controller_id"] in nodes

    async def test_topics_exist_and_the_inputs_are_co_partitioned(self, kafka_servers: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
        await admin.start()
        try:
            described = await admin.describe_topics(list(TOPICS))
        finally:
            await admin.close()
        partitions = {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}
        assert sorted(partitions) == sorted(TOPICS)
        assert partitions["funding_context"] == partitions["market_data"], (
            "the inputs of a symbol must meet in one task"
        )

    @pytest.mark.parametrize("client", ["aiokafka", "kafka-python"])
    async def test_record_is_acknowledged_and_read_back(self, kafka_servers: str, client: str) -> None:
        """Key, value and headers survive, whichever client wrote them."""
        key, value, headers = uuid.uuid4().bytes, json.dumps({"price": "1.10"}).encode(), [("source", b"suite")]
        topic = f"round-trip-{uuid.uuid4().hex}"
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, 1, 1)])
            offset, record = await _ROUND_TRIPS[client](kafka_servers, topic, key, value, headers)
        finally:
            await admin.delete_topics([topic])
            await admin.close()
        assert offset == 0
        assert (record.offset, record.key, record.value) == (offset, key, value)
        assert [tuple(header) for header in record.headers] == headers

    async def test_group_resumes_after_its_committed_offset(self, kafka_servers: str) -> None:
        topic, group = f"group-{uuid.uuid4().hex}", f"suite-{uuid.uuid4().hex}"
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
        await admin.start()
        producer = AIOKafkaProducer(bootstrap_servers=kafka_servers, acks="all")
        try:
            await admin.create_topics([NewTopic(topic, 1, 1)])
            await producer.start()
            for value in (b"first", b"second"):
                await producer.send_and_wait(topic, value, partition=0)
            assert await _consume_one(kafka_servers, topic, group) == b"first"
            assert await _consume_one(kafka_servers, topic, group) == b"second"
        finally:
            await producer.stop()
            await admin.delete_topics([topic])
            await admin.close()

    async def test_closed_port_refuses_and_the_real_broker_stays_reachable(
        self, kafka_servers: str, closed_port: int
    ) -> None:
        lost = AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{closed_port}")
        try:
            with pytest.raises(KafkaConnectionError, match=str(closed_port)):
                await lost.start()
        finally:
            await lost.stop()
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka_servers)
        await consumer.start()
        try:
            assert set(TOPICS) <= await consumer.topics()
        finally:
            await consumer.stop()


class TestServiceInitialization:
    """The service has set itself up on Kafka and Redis."""

    async def test_health_is_ready_because_kafka_and_redis_answer(self, manager: Manager) -> None:
        async def probe() -> bool:
            assert await manager.health() == (httpx.codes.OK, {"ready": True, "kafka": "ok", "redis": "ok"})
            return True

        await eventually_async(probe, "a ready service that says so of both Kafka and Redis")

    @pytest.mark.usefixtures("manager")
    async def test_group_is_stable_and_owns_every_input_partition(self, kafka_servers: str) -> None:
        admin = KafkaAdminClient(bootstrap_servers=kafka_servers)

        async def probe() -> bool:
            group = admin.describe_groups([GROUP_ID])[GROUP_ID]
            owned = sorted(
                (part["topic"], number)
                for member in group["members"]
                for part in member["member_assignment"]["assigned_partitions"]
                for number in part["partitions"]
            )
            assert group["group_state"] == "Stable", owned
            assert owned == wanted
            return True

        try:
            topics = admin.describe_topics(list(INPUT_TOPICS))
            wanted = sorted((t["name"], p["partition_index"]) for t in topics for p in t["partitions"])
            await eventually_async(probe, f"group {GROUP_ID} to be Stable with {wanted}")
        finally:
            admin.close()

    @pytest.mark.usefixtures("manager")
    async def test_redis_is_connected_with_the_password(self, redis: Redis, redis_url: str) -> None:
        async def probe() -> bool:
            assert "position-manager" in {client["name"] for client in await redis.client_list()}
            return True

        await eventually_async(probe, "a Redis client named position-manager")
        parts = urlsplit(redis_url)
        assert parts.hostname is not None
        async with Redis(host=parts.hostname, port=parts.port or 6379, retry=Retry(NoBackoff(), 0)) as anonymous:
            with pytest.raises(AuthenticationError):
                await anonymous.ping()

    async def test_metrics_are_exposed(self, manager: Manager) -> None:
        exposition = await manager.exposition()
        families = {line.split()[2]: line.split()[3] for line in exposition.splitlines() if line.startswith("# TYPE")}
        assert families["position_manager_messages_total"] == "counter"
        assert families["position_manager_published_total"] == "counter"
        assert families["position_manager_errors_total"] == "counter"
        assert families["position_manager_latency_seconds"] == "histogram"
        assert families["position_manager_open_positions"] == "gauge"
        assert await manager.metric("position_manager_sessions_total") >= 1


class TestMessageHandling:
    """What the service makes of one message of each kind."""

    async def test_funding_context_opens_a_position(self, flow: Flow) -> None:
        sent = await flow.funding("0.0003", (("2", "100.5"), ("2", "101")))
        state = await flow.next(PositionState, "the opened position")
        assert (state.status, state.trigger, state.position_id) == ("open", "opened", flow.position_id)
        assert (state.revision, state.timestamp_ms) == (1, sent["timestamp_ms"])
        assert state.quantities == decimals(2, 2)
        assert state.entry_prices == decimals("100.5", 101)
        assert (state.funding_rate, state.imbalance, state.capital) == decimals("0.0003", 0, "201.5")

    async def test_position_is_persisted(self, flow: Flow, redis: Redis) -> None:
        sent = await flow.funding("0.0003", (("2", "100.5"), ("2", "101")))
        await flow.next(PositionState, "the opened position")

        stored = await stored_state(redis, flow.symbol)
        assert (stored["symbol"], stored["revision"], stored["funding_ms"]) == (flow.symbol, 1, sent["timestamp_ms"])
        assert stored["position"]["position_id"] == flow.position_id
        assert Decimal(stored["position"]["long"]["quantity"]) == Decimal(2)
        assert Decimal(stored["position"]["short"]["entry_price"]) == Decimal(101)

    async def test_market_data_updates_the_pnl(self, flow: Flow) -> None:
        await flow.open("2", "100")
        pnl = await flow.valued("101.25", "100.5")
        assert (pnl.long_price, pnl.short_price) == decimals("101.25", "100.5")
        assert pnl.unrealized_pnl == Decimal("1.5")  # 2 * 1.25 gained on the long leg, 2 * 0.5 lost on the short one
        assert (pnl.realized_pnl, pnl.funding_pnl) == decimals(0, 0)
        assert (pnl.total_pnl, pnl.ratio) == (Decimal("1.5"), Decimal("0.0075"))

    async def test_volatility_is_the_realized_one(self, flow: Flow) -> None:
        await flow.open()
        prices = [100.0, 100.4, 99.9, 101.2, 100.7]
        first = await flow.valued(str(prices[0]))
        assert first.volatility is None, "one price has no return"
        last = first
        for price in prices[1:]:
            flow.tick(2000)  # irregular to the first interval: 3 s from one price to the next
            last = await flow.valued(str(price))
        variance = sum(math.log(after / before) ** 2 for before, after in pairwise(prices))
        assert last.volatility == pytest.approx(math.sqrt(variance / (3 * 4) * SECONDS_PER_YEAR), rel=1e-9)

    async def test_unknown_members_are_tolerated(self, flow: Flow) -> None:
        await flow.funding("0.0001", (("1", "100"), ("1", "100")), venue="binance", nested={"a": [1]})
        assert (await flow.next(PositionState, "the opened position")).status == "open"


class TestMessagePublishing:
    """What the service publishes, and how."""

    async def test_hedge_decision(self, flow: Flow) -> None:
        short = 1 - MAX_IMBALANCE
        await flow.funding("0.0001", (("1", "100"), (str(short), "100")))
        trade = await flow.next(HedgeTrade, "the hedge of the imbalance")
        assert (trade.reason, trade.leg, trade.side) == ("position_imbalance", "short", "sell")
        assert (trade.quantity, trade.price, trade.imbalance) == (MAX_IMBALANCE, Decimal(100), MAX_IMBALANCE)

    async def test_emergency_action(self, flow: Flow) -> None:
        await flow.funding(str(EXTREME_FUNDING_RATE), (("1", "100"), ("1", "100")))
        action = await flow.next(EmergencyAction, "the emergency close")
        assert (action.reason, action.action) == ("extreme_funding", "close")
        assert action.quantities == decimals(1, 1)
        assert action.funding_rate == EXTREME_FUNDING_RATE

    async def test_records_are_json_keyed_by_symbol(self, flow: Flow, wire: Wire, kafka_servers: str) -> None:
        """Read with another client than the one that the other tests observe with."""
        consumer = KafkaConsumer(bootstrap_servers=kafka_servers, group_id=None, consumer_timeout_ms=10_000)
        try:
            partitions = [
                SyncTopicPartition("position_states", n) for n in consumer.partitions_for_topic("position_states")
            ]
            consumer.assign(partitions)
            for partition, end in consumer.end_offsets(partitions).items():
                consumer.seek(partition, end)
            state = await flow.open()
            record = next((record for record in consumer if record.key == flow.symbol.encode()), None)
        finally:
            consumer.close()
        assert record is not None, f"no record with the key {flow.symbol} on position_states"
        body = json.loads(record.value)
        assert body["event_id"] == state.event_id
        assert body["long"] == {"quantity": "1", "entry_price": "100"}, "decimals travel as strings"
        assert wire.seen(flow.symbol, PositionState) == [OUTPUTS["position_states"].model_validate_json(record.value)]

    async def test_prices_without_a_position_publish_nothing(
        self, flow: Flow, another: Callable[[], Flow], wire: Wire, redis: Redis
    ) -> None:
        await flow.market("100", "100")

        stored = await stored_state(redis, flow.symbol)
        assert len(stored["window"]) == 1
        await another().open()
        await wire.settle()
        assert wire.seen(flow.symbol, PnlUpdate) == []
        assert wire.seen(flow.symbol, PositionState) == []


@pytest.fixture
def closed_port() -> int:
    """A port of this host that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def _consume_one(servers: str, topic: str, group: str) -> bytes:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(deadline_seconds()):
            record = await consumer.getone()
        await consumer.commit({TopicPartition(topic, 0): record.offset + 1})
        value: bytes = record.value
        return value
    finally:
        await consumer.stop()


async def _with_aiokafka(servers: str, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> Any:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    await producer.start()
    try:
        sent = await producer.send_and_wait(topic, value, key=key, headers=headers, partition=0)
    finally:
        await producer.stop()
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=None, consumer_timeout_ms=10_000)
    try:
        partition = SyncTopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, sent.offset)
        return sent.offset, next(consumer)
    finally:
        consumer.close()


async def _with_kafka_python(
    servers: str, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
) -> Any:
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    try:
        sent = producer.send(topic, value, key=key, headers=headers, partition=0).get(timeout=10)
    finally:
        producer.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=None)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, sent.offset)
        async with asyncio.timeout(deadline_seconds()):
            return sent.offset, await consumer.getone()
    finally:
        await consumer.stop()


_ROUND_TRIPS = {"aiokafka": _with_aiokafka, "kafka-python": _with_kafka_python}
