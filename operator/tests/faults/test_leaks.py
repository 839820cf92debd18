"""Many runs, an operator that is killed at random moments, and nothing is left of any of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from . import kinds
from .recorder import OF_RUNS, TESTRUNS
from .stage import ALL, Stage, report
from .trial import follow, problems_of

if TYPE_CHECKING:
    from .lane import Lane
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

RUNS = 100 if ALL else 8
AT_ONCE = 4
PREFIX = "leak-"
KINDS = (kinds.PASSES, kinds.FAILS, kinds.CANCELLED, kinds.DELETED, kinds.BREAKS, kinds.RETAINED)
MORE = {
    "Job": "/apis/batch/v1/jobs",
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "PersistentVolume": "/api/v1/persistentvolumes",
}


async def _objects(lane: Lane) -> Counter[str]:
    """Everything in the lane's namespace and in those of its runs. Other scenarios go on beside this one."""
    found: Counter[str] = Counter()
    for kind, path in {**OF_RUNS, **MORE, "TestRun": TESTRUNS}.items():
        for item in await lane.api.items(path):
            name, namespace = item["metadata"]["name"], item["metadata"].get("namespace", "")
            if namespace == lane.namespace or f"{namespace}{name}".startswith(f"seatrial-{PREFIX}"):
                found[f"{kind} {namespace}/{name}"] += 1
    return found


async def leaks(stage: Stage) -> str:
    """Runs of every kind, a few at once, each deleted in the end."""
    async with stage.lane() as lane:
        chance = random.Random(4)
        await lane.ready()
        before = await _objects(lane)
        kills = 0

        async def killer() -> None:
            nonlocal kills
            while True:
                deadline = lane.proxy.written + chance.randint(20, 250)
                while lane.proxy.written < deadline:
                    await lane.proxy.changed()
                lane.crash()
                kills += 1

        async def one(number: int) -> list[str]:
            async with slots:
                kind = KINDS[number % len(KINDS)]
                uid = await lane.submit(kind, f"{PREFIX}{number}")
                await follow(lane, kind, uid)
                await lane.delete(uid)
                story = await lane.until_gone(uid)
                lane.recorder.forget(uid)
                return [f"{PREFIX}{number} ({kind.name}): {item}" for item in problems_of(story, kind)]

        slots = asyncio.Semaphore(AT_ONCE)
        killing = asyncio.create_task(killer())
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(number)) for number in range(RUNS)]
            wrong = [item for task in tasks for item in task.result()]
        finally:
            killing.cancel()
        after = await _objects(lane)
        wrong += [f"left: {item}" for item in after - before] + [f"lost: {item}" for item in before - after]
        return report(f"{RUNS} runs, {kills} kills at random, {before.total()} objects before and after", wrong)


SCENARIOS: dict[str, Scenario] = {"leaks": leaks}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_leaks(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
