"""One run's memory between passes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from seatrial import follow, logs
from seatrial.errors import ClusterError, ConflictError, ForbiddenError, UnavailableError
from seatrial.lines import OVERFLOW, encode
from seatrial.logs import FLUSH_SECONDS, NEWS_SECONDS, RunLogs
from seatrial.naming import slice_name
from seatrial.records import Record, dump_record
from tests.builders import (
    NAMESPACE,
    RUN,
    T0,
    collected,
    end,
    ended,
    environment_pod,
    event_line,
    finish,
    opening,
    over_pod,
    passed,
    pod,
    running,
    suite_pod,
    waiting,
    whole,
)
from tests.fake_cluster import FakeCluster, Log, Write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from seatrial.evidence import ShardEvidence
    from seatrial.observe import PodView

KEY = ("core", 0)


async def others() -> None:
    """Let the other tasks have their turn."""
    await asyncio.sleep(0)


class Memory:
    """Logs of a run on a cluster in memory."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.wake = asyncio.Event()
        self.logs = RunLogs(RUN, self.cluster, self.wake)
        self.relay = self.log("suite-core-0", "relay")
        self.environment = self.log("environment", "environment")
        self.told = 0

    def log(self, pod_name: str, container: str) -> Log:
        return self.cluster.logs.setdefault((NAMESPACE, pod_name, container), Log())

    def follow(self, *pods: PodView) -> None:
        self.logs.follow(NAMESPACE, pods)

    def tell(self, *records: Record) -> None:
        """The relay prints records."""
        self.relay.write(encode(self.told + 1, [dump_record(record) for record in records]))
        self.told += len(records)

    @property
    def shard(self) -> ShardEvidence:
        return self.logs.shards[KEY]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that follows from the lines that were written."""
        async with asyncio.timeout(30):
            while not condition():
                await others()

    async def woken(self) -> None:
        """Wait until the run is woken."""
        async with asyncio.timeout(30):
            await self.wake.wait()
        self.wake.clear()


@pytest.fixture
async def memory(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Memory]:
    monkeypatch.setattr(follow, "AGAIN_SECONDS", 0.001)
    memory = Memory()
    yield memory
    await memory.logs.close()


class TestWhatIsFollowed:
    async def test_the_environment_pod(self, memory: Memory) -> None:
        memory.environment.write(event_line("started", T0), event_line("open", T0 + 3))
        memory.follow(environment_pod())
        await memory.until(lambda: memory.logs.environment.is_open)
        assert memory.logs.environment.started_at == T0

    async def test_a_suite(self, memory: Memory) -> None:
        memory.follow(suite_pod())
        memory.tell(*whole(passed("a")))
        await memory.until(lambda: memory.shard.end is not None)
        assert (memory.shard.finals, memory.shard.pod_uid) == (1, "uid-of-suite-core-0")

    async def test_nobody_who_has_nothing_to_say(self, memory: Memory) -> None:
        memory.follow(
            pod("environment", "environment", waiting("environment", "ContainerCreating")),
            pod("suite", "core", waiting("suite", "PodInitializing"), waiting("relay", "PodInitializing"), shard=0),
            pod("service", "redis", running("redis")),
            pod("application", "app", running("app")),
        )
        assert memory.logs.shards == {}
        assert len(asyncio.all_tasks()) == 1

    async def test_a_pod_that_ended_before_its_relay_spoke(self, memory: Memory) -> None:
        memory.relay.close()
        memory.follow(pod("suite", "core", shard=0, phase="Failed", reason="Evicted"))
        await memory.until(lambda: memory.shard.drained)
        assert memory.wake.is_set()

    async def test_a_log_is_drained_when_its_pod_has_ended(self, memory: Memory) -> None:
        memory.follow(suite_pod())
        memory.tell(*opening(), collected(1))
        memory.relay.close()
        await memory.until(lambda: memory.shard.collected == 1)
        assert not memory.shard.drained
        memory.wake.clear()
        memory.follow(over_pod(code=1))
        await memory.until(lambda: memory.shard.drained)
        assert memory.wake.is_set()

    async def test_a_second_pod_of_the_same_shard(self, memory: Memory) -> None:
        """An indexed Job may start more than one pod for an index; two of them must not be mixed."""
        memory.follow(suite_pod())
        memory.tell(*opening())
        await memory.until(lambda: memory.shard.gate_at is not None)
        other = pod("suite", "core", running("suite"), running("relay"), shard=0)
        memory.follow(type(other)(**{**vars(other), "uid": "another"}))
        assert memory.shard.lost == "a second pod ran the same shard"
        assert memory.shard.pod_uid == "uid-of-suite-core-0"


class TestWhatWakesTheRun:
    @pytest.mark.parametrize(
        "record", [collected(3), finish(), end(), passed("the first")], ids=lambda record: type(record).__name__
    )
    async def test_what_may_change_a_decision(self, memory: Memory, record: Record) -> None:
        memory.follow(suite_pod())
        memory.tell(record)
        await memory.until(lambda: bool(memory.logs.shards) and memory.shard.sequence == 1)
        assert memory.wake.is_set()

    async def test_counts_can_wait_a_moment(self, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
        later: list[float] = []
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def spy(delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
            later.append(delay)
            return call_later(0, callback)

        memory.follow(suite_pod())
        memory.tell(passed("a"))
        await memory.woken()
        monkeypatch.setattr(loop, "call_later", spy)
        memory.tell(passed("b"), passed("c"))
        await memory.until(lambda: memory.shard.finals == 3)
        assert later[:1] == [NEWS_SECONDS]
        await memory.woken()
        memory.tell(passed("d"))
        await memory.woken()  # and again

    @pytest.mark.parametrize(
        "line",
        [event_line("servicesReady"), event_line("open"), event_line("failed", reason="SeedFailed")],
        ids=["servicesReady", "open", "failed"],
    )
    async def test_what_the_environment_has_come_to(self, memory: Memory, line: bytes) -> None:
        memory.environment.write(line)
        memory.follow(environment_pod())
        await memory.woken()

    async def test_what_the_environment_waits_for_can_wait(self, memory: Memory) -> None:
        memory.environment.write(event_line("waiting", kind="service", name="redis", message="refused"))
        memory.follow(environment_pod())
        await memory.until(lambda: "redis" in memory.logs.environment.services)
        assert not memory.wake.is_set()
        memory.environment.write(b"a warning of a library")
        memory.environment.write(event_line("started", T0))
        await memory.until(lambda: memory.logs.environment.started_at is not None)

    async def test_a_line_that_the_relay_cannot_have_written(self, memory: Memory) -> None:
        memory.follow(suite_pod())
        memory.relay.write(b"Traceback (most recent call last):")
        await memory.until(lambda: bool(memory.shard.lost))
        assert "not a line of the relay" in memory.shard.lost
        assert memory.wake.is_set()

    async def test_a_log_that_is_full(self, memory: Memory) -> None:
        memory.follow(suite_pod())
        memory.relay.write(OVERFLOW)
        await memory.until(lambda: bool(memory.shard.lost))
        assert memory.shard.lost == "the suite printed more results than its log may hold"
        assert memory.wake.is_set()


class TestFlush:
    async def told(self, memory: Memory, *records: Record) -> None:
        memory.follow(suite_pod())
        memory.tell(*records)
        await memory.until(lambda: bool(memory.logs.shards) and memory.shard.sequence == memory.told)

    async def test_not_more_often_than_that(self, memory: Memory) -> None:
        assert memory.logs.flush_at is None  # nothing was told
        await self.told(memory, passed("a"))
        assert memory.logs.flush_at == FLUSH_SECONDS  # at once
        await memory.logs.flush(T0)
        assert memory.logs.flush_at is None  # nothing new
        await self.told(memory, passed("b"))
        assert memory.logs.flush_at == T0 + FLUSH_SECONDS

    async def test_what_was_written_can_be_restored(self, memory: Memory) -> None:
        await self.told(memory, *whole(passed("a"), passed("b")))
        await memory.logs.flush(T0)
        other = RunLogs(RUN, memory.cluster, asyncio.Event())
        await other.restore()
        assert other.shards[KEY].finals == 2
        assert other.shards[KEY].end == memory.shard.end
        assert other.flush_at is None

    async def test_a_restored_log_goes_on(self, memory: Memory) -> None:
        await self.told(memory, *opening(), collected(2), passed("a"))
        await memory.logs.flush(T0)
        other = RunLogs(RUN, memory.cluster, memory.wake)
        await other.restore()
        other.follow(NAMESPACE, [suite_pod()])
        memory.tell(passed("b"), finish(0, 2), end())
        await memory.until(lambda: other.shards[KEY].end is not None)
        await other.flush(T0)
        assert other.shards[KEY].finals == 2
        (item,) = memory.cluster.of_kind("TestResultSlice")
        assert [test["id"] for test in item["spec"]["tests"]] == ["a", "b"]
        await other.close()

    @pytest.mark.parametrize("error", [UnavailableError("503"), ConflictError("409")])
    async def test_what_could_not_be_written_is_written_the_next_time(
        self, memory: Memory, error: ClusterError
    ) -> None:
        await self.told(memory, *(passed(f"t{n}") for n in range(100)))
        for hundred in range(1, 8):
            await self.told(memory, *(passed(f"t{hundred}.{n}") for n in range(100)))
        broken = {slice_name(RUN, *KEY, 0)}

        def before(_: int, write: Write) -> None:
            if write.what.removeprefix("TestResultSlice ") in broken:
                raise error

        memory.cluster.before = before
        with pytest.raises(type(error)):
            await memory.logs.flush(T0)
        assert [item["metadata"]["name"] for item in memory.cluster.of_kind("TestResultSlice")] == [
            slice_name(RUN, *KEY, 1)
        ]
        assert memory.logs.flush_at == T0 + FLUSH_SECONDS
        broken.clear()
        await memory.logs.flush(T0)
        tests = [len(item["spec"]["tests"]) for item in memory.cluster.of_kind("TestResultSlice")]
        assert sorted(tests) == [300, 500]

    async def test_a_slice_that_is_refused_does_not_hold_up_the_verdict(
        self, memory: Memory, caplog: pytest.LogCaptureFixture
    ) -> None:
        def before(_: int, write: Write) -> None:
            raise ForbiddenError(f"{write}: exceeded quota: count/testresultslices.seatrial.dev")

        memory.cluster.before = before
        await self.told(memory, passed("a"))
        await memory.logs.flush(T0)
        assert "results cannot be kept in" in caplog.text
        assert "exceeded quota" in caplog.text
        assert memory.logs.flush_at is None


class TestCatchingUp:
    async def test_what_a_log_holds_is_known_at_once(self, memory: Memory) -> None:
        memory.tell(passed("a"), passed("b"))
        memory.follow(suite_pod())
        assert memory.shard.finals == 0
        assert await memory.logs.catch_up({"core"})
        assert memory.shard.finals == 2
        assert not await memory.logs.catch_up({"core"})

    async def test_what_is_read_twice_counts_once(self, memory: Memory) -> None:
        memory.tell(passed("a"), passed("b"))
        memory.follow(suite_pod())
        await memory.until(lambda: memory.shard.finals == 2)
        memory.tell(passed("c"))
        await memory.logs.catch_up({"core"})
        memory.tell(*whole(passed("d")))
        await memory.until(lambda: memory.shard.end is not None)
        assert (memory.shard.finals, memory.shard.lost) == (4, "")

    async def test_a_log_that_cannot_be_read_is_not_waited_for(
        self, memory: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(logs, "CATCH_UP_SECONDS", 0.05)
        memory.tell(passed("a"))
        memory.relay.is_stuck = True
        memory.follow(suite_pod())
        assert not await memory.logs.catch_up({"core"})
        assert "not all logs could be read within 0.05 s" in caplog.text

    async def test_so_is_what_the_environment_has_said(self, memory: Memory) -> None:
        """A suite can have ended before anybody has read that the gate was open."""
        memory.environment.write(event_line("started", T0), event_line("open", T0))
        memory.follow(environment_pod())
        assert await memory.logs.catch_up({"core"})
        assert memory.logs.environment.is_open
        memory.environment.is_stuck = True
        assert not await memory.logs.catch_up({"core"})

    async def test_a_log_that_is_gone_holds_nothing(self, memory: Memory) -> None:
        memory.cluster.logs.clear()
        memory.follow(suite_pod())
        assert not await memory.logs.catch_up({"core"})


async def test_closing_leaves_nothing_behind(memory: Memory) -> None:
    memory.follow(suite_pod(), environment_pod())
    memory.tell(passed("a"), passed("b"))
    await memory.until(lambda: bool(memory.logs.shards) and memory.shard.finals == 2)
    await memory.logs.close()
    assert len(asyncio.all_tasks()) == 1
    assert ended("suite", 0)["name"] == "suite"
