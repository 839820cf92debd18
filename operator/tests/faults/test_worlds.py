"""A cluster that is not as it should be: a wrong clock, pods that are evicted, an API server without validation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from . import kinds
from .ends import end
from .fault import Fault
from .invariants import broken
from .stage import ALL, Stage, report
from .trial import attempt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .call import Call
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

KINDS = kinds.KINDS if ALL else (kinds.FAILS, kinds.RETAINED)


def skewed(seconds: float) -> Scenario:
    """Row 36: the operator's clock is an hour wrong. Runs end as ever; times in the status are the operator's."""

    async def one(stage: Stage, kind: kinds.Kind) -> list[str]:
        reference = await stage.reference(kind)
        async with stage.lane() as lane:
            await lane.operator.stop()
            lane.operator.skew = seconds
            try:
                trial = await attempt(lane, kind)
            finally:
                await lane.operator.stop()
                lane.operator.skew = 0.0
            return [f"{kind.name}: {item}" for item in trial.compare(reference, 2)]

    async def scenario(stage: Stage) -> str:
        wrong = await asyncio.gather(*(one(stage, kind) for kind in KINDS))
        names = ", ".join(kind.name for kind in KINDS)
        return report(f"a clock {seconds:+g} s wrong: {names}", [item for items in wrong for item in items])

    return scenario


def evicted(*, started: bool) -> Scenario:
    """Row 16: a suite's pod is evicted. That is said, and is no result of the tests."""

    async def scenario(stage: Stage) -> str:
        script = {"tests": 5, "hangAfter": 2} if started else {"pending": True}
        async with stage.lane() as lane:
            await lane.ready()
            uid = await lane.submit(end("evicted", "Error", "Evicted", core=script))
            pod = await lane.node.pod_of(lane.environment(uid), "suite", "core")
            if started:
                await lane.until(uid, "tests have ended", lambda: lane.status(uid).get("passed") == "2/5")
            status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
            path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status"
            await lane.api.merge(path, {"status": status})
            for log in pod.logs.values():  # as the kubelet does with what it evicts
                log.close()
            seen = await lane.until_phase(uid, "Error", "Failed", "Passed")
            await lane.delete(uid)
            wrong = broken(await lane.until_gone(uid))
            lane.recorder.forget(uid)
            if (seen["phase"], seen["reason"]) != ("Error", "Evicted") or "low on resource" not in seen["message"]:
                wrong.append(f"{seen['phase']} ({seen['reason']}: {seen['message']})")
            return report(f"evicted {'while it ran' if started else 'before its start'}: {seen['message']}", wrong)

    return scenario


class _Garble(Fault):
    """The operator sees TestRuns that no API server with the CRD's rules would have accepted."""

    def __init__(self) -> None:
        self.garbled = 0

    async def events(self, call: Call, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for event in events:
            if call.resource == "testruns" and b'"shards":2' in event:
                self.garbled += 1
                yield event.replace(b'"shards":2', b'"shards":-2')
            else:
                yield event


async def unvalidated(stage: Stage) -> str:
    """Row 43: without validation at the API server the operator validates itself, and nothing is created."""
    async with stage.lane() as lane:
        await lane.operator.stop()
        fault = _Garble()
        await lane.ready(fault)
        await lane.proxy.watched()
        uid = await lane.submit(kinds.PASSES)
        status = await lane.until_phase(uid, "Error", "Passed")
        await lane.delete(uid)
        story = await lane.until_gone(uid)
        lane.recorder.forget(uid)
        await lane.operator.stop()
        wrong = [*broken(story), *(f"{seen} was created" for seen in story.objects)]
        if (status["phase"], status["reason"]) != ("Error", "InvalidSpec") or "shards" not in status["message"]:
            wrong.append(f"{status['phase']} ({status['reason']}: {status['message']})")
        return report(f"a spec that no rule has looked at: {status['message']}", wrong)


async def rotated(stage: Stage) -> str:
    """Row 28: while no operator was there the log was rotated. What is missing is noticed."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.LONG)
        pod = await lane.node.pod_of(lane.environment(uid), "suite", "core")
        await lane.until_phase(uid, "Running")
        lane.crash(again=False)
        await lane.operator.ended()
        pod.rotate("relay", 1)
        await lane.operator.start()
        status = await lane.until_phase(uid, "Error", "Failed", "Passed")
        await lane.delete(uid)
        wrong = broken(await lane.until_gone(uid))
        lane.recorder.forget(uid)
        if (status["phase"], status["reason"]) != ("Error", "Incomplete"):
            wrong.append(f"{status['phase']} ({status['reason']}: {status['message']})")
        return report(f"a log that was rotated meanwhile: {status['message']}", wrong)


SCENARIOS: dict[str, Scenario] = {
    "clock-ahead": skewed(3600.0),
    "clock-behind": skewed(-3600.0),
    "evicted-before-start": evicted(started=False),
    "evicted-running": evicted(started=True),
    "rotated-while-away": rotated,
    "unvalidated": unvalidated,
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_worlds(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
