"""Whole runs under any order of events: the phase goes forward, the verdict stays, and a pass was earned."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seatrial import cleanup, follow, reconcile, report
from seatrial.records import Attempt, End
from seatrial.sizes import stored_size
from tests.builders import NAMESPACE, RUN, end, ended, event_line, failed, opening, passed, whole
from tests.fake_cluster import FakeCluster
from tests.property.conftest import few
from tests.property.openapi import problems, schema_of
from tests.simulation import Clock, Simulation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from seatrial.records import Record

Object = dict[str, Any]

SCHEMA = schema_of("TestRun", "status")
ORDER = ["", "Pending", "Queued", "Provisioning", "Running", "Collecting", "Passed", "Failed", "Error", "Cancelled"]
TERMINAL = {"Passed", "Failed", "Error", "Cancelled"}
SUITES: dict[str, list[Record]] = {
    "all passed": whole(passed("a"), passed("b"), passed("c")),
    "one flaky": whole(passed("a"), failed("b", final=False), passed("b", attempt=2)),
    "one failed": whole(passed("a"), failed("b"), rc=1),
    "one missing": [*whole(passed("a"), passed("b"))[:-3], *whole()[-2:]],
    "crashed": [*opening(), passed("a"), end(None, signal="SIGSEGV")],
    "no end": whole(passed("a"))[:-1],
}
EARNED = {"all passed", "one flaky"}
SPEC = {
    "services": {"redis": {}},
    "suites": [{"name": "one"}, {"name": "two"}],
    "parallelism": 2,
    "retention": {"onSuccess": "30m"},
}


class Machine(RuleBasedStateMachine):
    """An operator that may die at any moment, a node that may be slow, and people who change their minds."""

    @initialize(one=st.sampled_from(sorted(SUITES)), two=st.sampled_from(["all passed", *sorted(SUITES)]))
    def begin(self, one: str, two: str) -> None:
        self.patch = pytest.MonkeyPatch()
        self.clock = Clock()
        for module in (reconcile, report):
            self.patch.setattr(module, "time", self.clock)
        self.patch.setattr(reconcile, "RETRY_SECONDS", 0.001)
        self.patch.setattr(cleanup, "GONE_SECONDS", 0.001)
        self.patch.setattr(follow, "AGAIN_SECONDS", 0.001)
        logging.disable(logging.ERROR)
        self.loop = asyncio.new_event_loop()
        self.chosen = {"one": one, "two": two}
        self.seen = 0
        self.simulation = self.do(self._simulation())

    async def _simulation(self) -> Simulation:
        simulation = Simulation(self.clock)
        for suite, kind in self.chosen.items():
            simulation.node.records[suite, 0] = SUITES[kind]
            simulation.node.told[suite, 0] = 0
        simulation.start(simulation.add(SPEC))
        return simulation

    def do(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def settle(self) -> None:
        """Let everybody who has something to do do it."""

        async def rounds() -> None:
            for _ in range(60):
                await asyncio.sleep(0)

        self.do(rounds())

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.do(self.simulation.stop())
            self.loop.close()
            self.patch.undo()
            logging.disable(logging.NOTSET)

    @property
    def phase(self) -> str:
        return str(self.simulation.cluster.status(RUN).get("phase", ""))

    @rule()
    def wait(self) -> None:
        self.settle()

    @rule(suite=st.sampled_from(["one", "two"]), number=st.integers(1, 8))
    def tell(self, suite: str, number: int) -> None:
        before = self.simulation.node.told[suite, 0]
        self.simulation.node.tell(suite, max(before, min(number, len(SUITES[self.chosen[suite]]))))
        self.settle()

    @rule()
    def tell_all(self) -> None:
        for suite, kind in self.chosen.items():
            self.simulation.node.tell(suite, len(SUITES[kind]))
        self.settle()

    @rule(suite=st.sampled_from(["one", "two"]), code=st.sampled_from([0, 1, 137]))
    def end_pod(self, suite: str, code: int) -> None:
        """A suite's container ends, whatever it has told."""
        if ("Pod", NAMESPACE, f"suite-{suite}-0") in self.simulation.cluster.objects:
            self.simulation.node.end_pod(NAMESPACE, f"suite-{suite}-0", code)
        self.settle()

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.0, 3.0, 60.0, 700.0, 4000.0]))
    def advance(self, seconds: float) -> None:
        self.simulation.advance(seconds)
        self.settle()

    @rule(rounds=st.sampled_from([0, 0, 150]))
    def restart(self, rounds: int) -> None:
        """The operator is killed, and another one starts, for which the logs come late."""

        async def again() -> None:
            await self.simulation.stop()
            self.simulation.cluster.follow_log = partial(late, rounds)
            self.simulation.start()

        inner = FakeCluster.follow_log

        async def late(rounds: int, *key: str) -> AsyncIterator[bytes]:
            for _ in range(rounds):
                await asyncio.sleep(0)
            async for line in inner(self.simulation.cluster, *key):
                yield line

        self.do(again())
        self.settle()

    @rule(change=st.sampled_from([{"suspend": True}, {"suspend": False}, {"cancel": True}]))
    def order(self, change: Object) -> None:
        self.simulation.change(RUN, **change)
        self.settle()

    @precondition(lambda self: ("Pod", NAMESPACE, "redis") in self.simulation.cluster.objects)
    @rule(line=st.booleans())
    def trouble(self, line: bool) -> None:  # noqa: FBT001
        """A service dies, or the environment pod says that it has failed."""
        if line and (log := self.simulation.cluster.logs.get((NAMESPACE, "environment", "environment"))):
            log.write(event_line("failed", kind="service", name="redis", reason="SeedFailed", message="no"))
        else:
            pod = self.simulation.cluster.objects["Pod", NAMESPACE, "redis"]
            pod["status"] |= {"phase": "Failed", "containerStatuses": [ended("redis", 1)]}
            self.simulation.cluster.touch()
        self.settle()

    @invariant()
    def every_status_follows_from_the_one_before(self) -> None:
        if not hasattr(self, "simulation"):
            return
        statuses = self.simulation.cluster.statuses
        for number in range(max(1, self.seen), len(statuses)):
            before, after = statuses[number - 1], statuses[number]
            one, two = before.get("phase", ""), after["phase"]
            assert ORDER.index(two) >= ORDER.index(one), f"{one} became {two}"
            if one in TERMINAL:
                assert (two, after["reason"], after["timings"]) == (one, before["reason"], before["timings"])
            for count in ("passed", "failed", "errors", "skipped", "xfailed", "xpassed", "flaky", "total"):
                assert after["summary"][count] >= before.get("summary", {}).get(count, 0), f"{count} went backwards"
            assert stored_size(after) <= 100 * 1024
            assert not list(problems(SCHEMA, after))
        self.seen = len(statuses)

    @invariant()
    def a_pass_was_earned(self) -> None:
        if not hasattr(self, "simulation") or self.phase != "Passed":
            return
        assert set(self.chosen.values()) <= EARNED
        for suite, kind in self.chosen.items():
            assert self.simulation.node.told[suite, 0] == len(SUITES[kind])
        told = [record for kind in self.chosen.values() for record in SUITES[kind]]
        finals = sum(isinstance(record, Attempt) and record.final for record in told)
        assert self.simulation.cluster.status(RUN)["passed"] == f"{finals}/{finals}"
        assert sum(isinstance(record, End) for record in told) == len(self.chosen)

    @invariant()
    def a_suite_is_started_once(self) -> None:
        if hasattr(self, "simulation"):
            assert all(times <= 1 for key, times in self.simulation.cluster.created.items() if key[0] == "Job")


def test_a_restarted_operator_does_not_take_back_what_it_has_said() -> None:
    """Slices are written more seldom than the status, and the log comes late."""
    machine = Machine()
    machine.begin(one="all passed", two="all passed")
    try:
        machine.wait()
        for number, seconds in ((4, 0.5), (5, 1.0)):
            machine.tell("one", number)
            machine.advance(seconds)
            machine.wait()
        machine.restart(rounds=200)
        for _ in range(6):
            machine.wait()
        machine.every_status_follows_from_the_one_before()
        assert machine.simulation.cluster.status(RUN)["passed"] == "2/3"
    finally:
        machine.teardown()


Machine.TestCase.settings = settings(few(30), stateful_step_count=15)
TestMachine = Machine.TestCase
