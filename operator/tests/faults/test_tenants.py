"""What one tenant does never harms another: floods, hostile objects, full queues, rights that are taken away."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hack.kubelet import Script
from seatrial.naming import RunId, component_labels

from . import kinds
from .invariants import broken
from .stage import ALL, Stage, report
from .trial import attempt, problems_of

if TYPE_CHECKING:
    from .api import Object
    from .invariants import Story
    from .lane import Lane
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

QUEUE = 60 if ALL else 8
FLOOD = replace(
    kinds.PASSES,
    name="flood",
    phase="Error",
    suites={"core": Script(tests=3000, flood_lines=3000, hang=True)},
    shards={},
)
WEDGED = replace(kinds.PASSES, name="wedged", phase="", suites={"core": Script(hang_after=1)}, shards={})


async def _end(lane: Lane, uid: str) -> Story:
    await lane.delete(uid)
    story = await lane.until_gone(uid)
    lane.recorder.forget(uid)
    return story


def beside(bad: kinds.Kind, number: int) -> Scenario:
    """A run beside others that flood or wedge gets its verdict while they go on."""

    async def scenario(stage: Stage) -> str:
        async with stage.lane() as lane:
            await lane.ready()
            began = time.monotonic()
            uid = await lane.submit(kinds.PASSES)
            await lane.until_phase(uid, "Passed")
            alone = time.monotonic() - began
            wrong = problems_of(await _end(lane, uid), kinds.PASSES)
            others = [await lane.submit(bad) for _ in range(number)]
            for other in others:
                await lane.until_phase(other, "Running", "Error")
            began = time.monotonic()
            uid = await lane.submit(kinds.PASSES)
            await lane.until_phase(uid, "Passed")
            took = time.monotonic() - began
            going = [lane.status(other).get("phase") for other in others]
            wrong += problems_of(await _end(lane, uid), kinds.PASSES)
            for other in others:
                wrong += [item for item in broken(await _end(lane, other)) if not item.startswith("ends:")]
            said = f"verdict after {alone:.1f} s alone, {took:.1f} s beside {number} x {bad.name} (then {going})"
            return report(said, wrong)

    return scenario


async def queue(stage: Stage) -> str:
    """Row 41: many runs at once. Never more are active than may be, all come to their end, also over a crash."""
    async with stage.lane() as lane:
        await lane.ready()
        limit = int(lane.settings["maxActiveRuns"])
        uids = await asyncio.gather(*(lane.submit(kinds.PASSES, f"queued-{number}") for number in range(QUEUE)))
        await lane.until(uids[-1], "some are over", lambda: _over(lane, uids) >= QUEUE // 3)
        lane.crash()
        await asyncio.gather(*(lane.until_over(uid, 600) for uid in uids))
        starts = sorted((lane.status(uid)["timings"]["started"], 1) for uid in uids)
        ends = sorted((lane.status(uid)["timings"]["finished"], -1) for uid in uids)
        active, most = 0, 0
        for _, change in sorted([*starts, *ends]):
            active += change
            most = max(most, active)
        stories = await asyncio.gather(*(_end(lane, uid) for uid in uids))
        wrong = [item for story in stories for item in problems_of(story, kinds.PASSES)]
        if most > limit:
            wrong.append(f"{most} runs were active at once, {limit} may be")
        return report(f"{QUEUE} runs at once and a crash: at most {most} of {limit} were active", wrong)


def _over(lane: Lane, uids: list[str]) -> int:
    return sum(lane.status(uid).get("phase") == "Passed" for uid in uids)


async def hostile_objects(stage: Stage) -> str:
    """Row 39: annotations of the framework that are no JSON, and pods that carry another run's labels."""
    async with stage.lane() as lane:
        await lane.ready()
        uid = await lane.submit(kinds.SLOW)
        poison = {f"seatrial.dev/{name}": "{not json" for name in ("reconcile", "delete", "kopf", "run", "run-uid")}
        poison |= {"kopf.zalando.org/last-handled-configuration": "[" * 5000, "seatrial.dev/touch-dummy": "\u0000x"[1:]}
        assert await lane.api.try_merge(lane.path(uid), {"metadata": {"annotations": poison}}) == 200
        await lane.until_phase(uid, "Running")
        impostor = _impostor(lane, uid)
        await lane.api.call("POST", f"/api/v1/namespaces/{lane.namespace}/pods", impostor)
        neighbour = await lane.submit(kinds.PASSES)
        for each in (uid, neighbour):
            await lane.until_phase(each, "Passed", "Failed", "Error")
        await lane.api.delete(f"/api/v1/namespaces/{lane.namespace}/pods/{impostor['metadata']['name']}")
        lane.crash()
        wrong = problems_of(await _end(lane, neighbour), kinds.PASSES)
        story = await _end(lane, uid)
        wrong += [item for item in problems_of(story, kinds.SLOW) if "stays_in_its_namespace" not in item]
        return report("annotations that are no JSON, and a pod with another run's labels", wrong)


def _impostor(lane: Lane, uid: str) -> Object:
    """A tenant's pod with all the labels of a run's Redis, which ends: it would end the run."""
    labels = component_labels(RunId(lane.run(uid).name, lane.namespace, uid), "service", "redis")
    script = Script.model_validate({"exit": {"code": 1, "seconds": 0.1}}).model_dump_json(by_alias=True)
    container: dict[str, Any] = {
        "name": "redis",
        "image": "registry.test/x:1",
        "env": [{"name": "STANDIN", "value": script}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"impostor-{lane.run(uid).name}", "labels": labels},
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }


def forbidden(resource: str, verb: str, reason: str) -> Scenario:
    """Row 42: a right is taken from the operator. The run says which; it works again when the right is back."""

    async def scenario(stage: Stage) -> str:
        async with stage.lane() as lane:
            await lane.operator.stop()  # one that runs already has its watches, and opens no others
            await lane.ready()
            await lane.proxy.watched()
            await stage.world.grant(lane, without=(resource, verb))
            try:
                uid = await lane.submit(kinds.PASSES)
                status = await lane.until_phase(uid, "Error", "Passed", "Failed")
            finally:
                await stage.world.grant(lane)
            wrong = broken(await _end(lane, uid))
            if (status["phase"], status["reason"]) != ("Error", reason) or resource not in status["message"]:
                wrong.append(f"{status['phase']} ({status['reason']}: {status['message']})")
            trial = await attempt(lane, kinds.PASSES)
            wrong += trial.problems
            return report(f"without {verb} {resource}: {status['reason']}: {status['message'][:200]}", wrong)

    return scenario


SCENARIOS: dict[str, Scenario] = {
    "beside-floods": beside(FLOOD, 2),
    "beside-wedged": beside(WEDGED, 3),
    "queue": queue,
    "hostile-objects": hostile_objects,
    "forbidden-bindings": forbidden("rolebindings", "create", "Forbidden"),
    "forbidden-namespaces": forbidden("namespaces", "create", "Forbidden"),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_tenants(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
