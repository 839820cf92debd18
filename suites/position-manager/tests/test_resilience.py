"""Error scenarios: messages that make no sense, lost connections, restarts."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from contract import GROUP_ID, INPUT_TOPICS, STATE_PREFIX, EmergencyAction, HedgeTrade, PnlUpdate, PositionState
from stored import stored_state

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from flow import Flow
    from manager import Manager
    from redis.asyncio import Redis
    from wire import Wire

pytestmark = pytest.mark.asyncio
MESSAGES = "position_manager_messages_total"


class TestMalformedMessages:
    """A message that makes no sense is counted and skipped; the next one is processed."""

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(None, id="tombstone"),
            pytest.param(b"", id="empty"),
            pytest.param(b"{truncated", id="not-json"),
            pytest.param(b"\xff\xfe\x00", id="not-utf8"),
            pytest.param(b"[1, 2, 3]", id="array"),
            pytest.param(b'{"symbol": "X"}', id="members-missing"),
        ],
    )
    @pytest.mark.parametrize("topic", ["funding_context", "market_data"])
    async def test_record_is_counted_and_skipped(
        self, flow: Flow, manager: Manager, topic: str, value: bytes | None
    ) -> None:
        before = await manager.metric(MESSAGES, topic=topic, outcome="malformed")
        await flow.raw(topic, value)
        await manager.wait_metric(before + 1, MESSAGES, topic=topic, outcome="malformed")
        await flow.open()
        assert (await flow.valued("101")).total_pnl == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"long_price": "-1"},
            {"long_price": "0"},
            {"long_price": "NaN"},
            {"long_price": "Infinity"},
            {"long_price": "1e400"},
            {"short_price": None},
            {"timestamp_ms": 1_750_000_000_000_000_000},
            {"symbol": "no spaces allowed"},
        ],
        ids=json.dumps,
    )
    async def test_impossible_prices_leave_no_trace(
        self, flow: Flow, manager: Manager, change: dict[str, object]
    ) -> None:
        """Timestamps in nanoseconds would make every later price look old."""
        await flow.open()
        before = await manager.metric(MESSAGES, topic="market_data", outcome="malformed")
        await flow.market("150", **change)
        await manager.wait_metric(before + 1, MESSAGES, topic="market_data", outcome="malformed")
        pnl = await flow.valued("100.5")
        assert [update.event_id for update in flow.seen(PnlUpdate)] == [pnl.event_id]
        assert (pnl.revision, pnl.total_pnl) == (2, Decimal("0.5"))

    @pytest.mark.parametrize(
        "change",
        [
            {"short": None},
            {"long": {"quantity": "-1", "price": "100"}},
            {"long": {"quantity": "1"}},
            {"funding_rate": "1.5"},
            {"funding_interval_hours": 0},
            {"position_id": ""},
        ],
        ids=json.dumps,
    )
    async def test_impossible_contexts_leave_no_trace(
        self, flow: Flow, manager: Manager, change: dict[str, object]
    ) -> None:
        before = await manager.metric(MESSAGES, topic="funding_context", outcome="malformed")
        await flow.funding("0.02", (("1", "100"), ("1", "100")), **change)
        await manager.wait_metric(before + 1, MESSAGES, topic="funding_context", outcome="malformed")
        state = await flow.open()
        assert (state.revision, flow.seen(EmergencyAction)) == (1, [])

    async def test_offset_moves_past_a_malformed_record(self, flow: Flow, kafka_servers: str) -> None:
        """Otherwise it would be met again at every restart."""
        sent = await flow.raw("market_data", b"{broken")
        partition = TopicPartition(sent.topic, sent.partition)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
        await admin.start()

        async def probe() -> bool:
            committed = (await admin.list_consumer_group_offsets(GROUP_ID, partitions=[partition]))[partition]
            assert committed.offset > sent.offset, committed
            return True

        try:
            await eventually_async(probe, f"{GROUP_ID} to commit beyond offset {sent.offset} of {partition}")
        finally:
            await admin.close()


class TestRestart:
    """POST /admin/restart goes through the service's start: everything in memory is dropped and restored."""

    async def test_position_survives(self, flow: Flow, manager: Manager) -> None:
        await flow.open("2", "100")
        before = await flow.valued("101")
        sessions = await manager.metric("position_manager_sessions_total")
        await manager.restart()
        after = await flow.valued("102")
        assert await manager.metric("position_manager_sessions_total") > sessions
        assert (after.total_pnl, after.revision) == (Decimal(4), before.revision + 1)
        assert after.volatility is not None, "the window of prices survives too"

    async def test_what_is_restored_is_what_redis_holds(self, flow: Flow, manager: Manager, redis: Redis) -> None:
        """Not a copy that stayed in memory: an entry price that was changed in Redis counts after the restart."""
        opened = await flow.open("1", "100")
        stored = await stored_state(redis, flow.symbol, lambda s: s["revision"] == opened.revision)
        stored["position"]["long"]["entry_price"] = "99"
        await redis.set(f"{STATE_PREFIX}{flow.symbol}", json.dumps(stored))
        await manager.restart()
        assert (await flow.valued("101")).total_pnl == 2

    async def test_without_its_state_a_symbol_is_unknown(self, flow: Flow, manager: Manager, redis: Redis) -> None:
        opened = await flow.open()
        await stored_state(redis, flow.symbol, lambda s: s["revision"] == opened.revision)
        await redis.delete(f"{STATE_PREFIX}{flow.symbol}")
        await manager.restart()
        flow.position_id = f"{flow.position_id}-next"  # would be rejected if the first one were still known
        assert (await flow.open("3", "50")).capital == 150

    async def test_messages_sent_during_a_restart_are_processed_once(self, flow: Flow, manager: Manager) -> None:
        await flow.open()
        restarting = asyncio.create_task(manager.restart())
        try:
            sent = [await flow.market(f"100.{number:02}") for number in range(30)]
        finally:
            await restarting
        await flow.valued_at(flow.now_ms)
        assert [p.timestamp_ms for p in flow.seen(PnlUpdate)] == [message["timestamp_ms"] for message in sent]

    async def test_nothing_is_replayed(self, flow: Flow, manager: Manager, redis: Redis) -> None:
        await flow.open()
        pnl = await flow.valued("101")
        await stored_state(redis, flow.symbol, lambda s: s["revision"] == pnl.revision)
        await manager.restart()
        await flow.valued("102")
        await flow.wire.settle()
        assert [state.revision for state in flow.seen(PositionState)] == [1]
        assert [update.revision for update in flow.seen(PnlUpdate)] == [2, 3]

    async def test_rehedge_resumes(self, flow: Flow, manager: Manager) -> None:
        await flow.open()
        await manager.restart()
        await flow.funding("0.0001", (("1", "100"), ("0.95", "100")))
        trade = await flow.next(HedgeTrade, "the periodic rehedge after the restart")
        assert trade.quantity == Decimal("0.05")

    async def test_unreadable_state_harms_no_other(
        self, flow: Flow, another: Callable[[], Flow], manager: Manager, redis: Redis
    ) -> None:
        healthy = another()
        await healthy.open("2", "100")
        key = f"{STATE_PREFIX}{flow.symbol}"
        errors = await manager.metric("position_manager_errors_total", kind="state")
        await redis.set(key, b'{"symbol": 7}')
        try:
            await manager.restart()
            await manager.wait_metric(errors + 1, "position_manager_errors_total", kind="state")
            assert (await healthy.valued("101")).total_pnl == 2
            assert (await flow.open()).revision == 1
        finally:
            await redis.delete(key)


class TestRebalance:
    """Another member of the service's group, as a second replica would be."""

    async def test_state_that_changed_elsewhere_is_restored(
        self, another: Callable[[], Flow], wire: Wire, redis: Redis, kafka_servers: str
    ) -> None:
        """Partitions that come back may have been served by someone else meanwhile: memory is not to be trusted."""
        member = AIOKafkaConsumer(
            bootstrap_servers=kafka_servers,
            group_id=GROUP_ID,
            enable_auto_commit=False,
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        await member.start()

        async def probe() -> set[int]:
            assert member.assignment(), "none"
            return {part.partition for part in member.assignment()}

        try:
            partitions = await wire.producer.partitions_for(INPUT_TOPICS[0])
            # A symbol for each partition: which of them the second member will get is not ours to choose.
            symbols: dict[int, tuple[Flow, dict[str, Any]]] = {}
            while symbols.keys() != partitions:
                flow = another()
                opened = await flow.open("1", "100")
                stored = await stored_state(redis, flow.symbol, lambda s, at=opened.revision: s["revision"] == at)
                symbols[stored["partition"]] = flow, stored
            member.subscribe(INPUT_TOPICS)
            moved = await eventually_async(probe, f"partitions of group {GROUP_ID} for a second member")
            flow, stored = symbols[moved.pop()]
            stored["position"]["long"]["entry_price"] = "99"
            await redis.set(f"{STATE_PREFIX}{flow.symbol}", json.dumps(stored))
        finally:
            await member.stop()
        assert (await flow.valued("101")).total_pnl == 2


class TestLostConnections:
    """Redis cuts the service off; the service comes back on its own and nothing is lost."""

    async def test_killed_redis_connections(self, flow: Flow, redis: Redis, manager: Manager) -> None:
        await flow.open("2", "100")
        killed = await _kill_service_connections(redis)
        assert killed, "the service has no Redis connection named position-manager"
        pnl = await flow.valued("101")
        stored = await stored_state(redis, flow.symbol, lambda s: s["revision"] == pnl.revision)
        assert pnl.total_pnl == 2
        assert Decimal(stored["prices"]["long"]) == 101
        await manager.wait_ready()

    async def test_connections_killed_under_load(self, flow: Flow, redis: Redis, manager: Manager) -> None:
        """Whatever is interrupted is repeated: every price is valued exactly once, in order."""
        await flow.open()
        sent = []
        for number in range(60):
            sent.append(await flow.market(f"100.{number:02}"))
            if number % 20 == 10:
                await _kill_service_connections(redis)
        await flow.valued_at(flow.now_ms)
        assert [p.timestamp_ms for p in flow.seen(PnlUpdate)] == [message["timestamp_ms"] for message in sent]
        await manager.wait_ready()


async def _kill_service_connections(redis: Redis) -> int:
    """Only the service's own, by name: other tests may be using Redis at the same time."""
    clients = [client for client in await redis.client_list() if client["name"] == "position-manager"]
    return sum([await redis.client_kill_filter(_id=client["id"]) for client in clients])
