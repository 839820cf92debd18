"""More than one operator, or one that stops and starts while runs go on."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from . import kinds
from .oracle import created_twice, outcome_of
from .stage import ALL, Stage, report
from .trial import attempt, problems_of

if TYPE_CHECKING:
    from .kinds import Kind
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

KINDS = kinds.KINDS if ALL else (kinds.PASSES, kinds.CANCELLED)
MOMENTS = ("Provisioning", "Running", "Passed")


def two_at_once(kind: Kind) -> Scenario:
    """Two operators look after the same runs from beginning to end."""

    async def scenario(stage: Stage) -> str:
        reference = await stage.reference(kind)
        async with stage.lane() as lane, lane.second() as (proxy, other):
            await lane.ready()
            await other.start()
            await proxy.watched()
            trial = await attempt(lane, kind)
            both = Counter(str(record.call) for record in (*trial.records, *proxy.records) if record.status == 201)
            twice = created_twice([*trial.records, *proxy.records])
            writes = f"{trial.number} and {sum(1 for record in proxy.records if record.number)} writes"
            # Each of them may have made every write.
            wrong = [*trial.compare(reference, reference.number), *(f"created by both: {item}" for item in twice)]
            return report(f"{kind.name}: two operators at once: {writes}, {both.total()} creations", wrong)

    return scenario


def frozen(kind: Kind) -> Scenario:
    """An operator is stopped in the middle of a run; another one finishes the run; the first one wakes up."""

    async def scenario(stage: Stage) -> str:
        reference = await stage.reference(kind)
        async with stage.lane() as lane, lane.second() as (proxy, other):
            await lane.ready()
            uid = await lane.submit(kind)
            await lane.until_phase(uid, "Running")
            lane.operator.signal(signal.SIGSTOP)
            stopped_at = len(lane.proxy.writes)
            await other.start()
            await lane.until_over(uid)
            finished = lane.status(uid)
            lane.operator.signal(signal.SIGCONT)
            # What it then wants to write about the run it believes in must come to nothing.
            await lane.delete(uid)
            story = await lane.until_gone(uid)
            late = lane.proxy.writes[stopped_at:]
            granted = [str(record) for record in late if record.status == 201]
            outcome = outcome_of(story)
            wrong = [*problems_of(story, kind), *outcome.differences(reference.outcome)]
            wrong += [f"created after the other one had finished: {item}" for item in granted if "event" not in item]
            if story.statuses[-1].get("phase") != finished.get("phase"):
                wrong.append(f"{finished.get('phase')} became {story.statuses[-1].get('phase')}")
            lane.recorder.forget(uid)
            took = sum(1 for record in proxy.records if record.number)
            said = f"{kind.name}: stopped after {stopped_at} writes, the other one made {took}, then {len(late)} more"
            return report(said, wrong)

    return scenario


def rolling(moment: str) -> Scenario:
    """SIGTERM in a phase, and a new operator: a rolling update."""

    async def scenario(stage: Stage) -> str:
        kind = kinds.SLOW
        reference = await stage.reference(kind)
        async with stage.lane() as lane:
            codes: list[int] = []

            async def roll(uid: str) -> None:
                await lane.until_phase(uid, *MOMENTS[MOMENTS.index(moment) :])
                codes.append(await lane.operator.stop())
                await lane.operator.start()

            trial = await attempt(lane, kind, beside=roll)
            wrong = trial.compare(reference, reference.number // 2)
            wrong += [f"the operator ended with {code} on SIGTERM" for code in codes if code != 0]
            return report(f"SIGTERM in phase {moment}, exit status {codes}", wrong)

    return scenario


SCENARIOS: dict[str, Scenario] = {
    **{f"two-{kind.name}": two_at_once(kind) for kind in KINDS},
    "frozen-slow": frozen(kinds.SLOW),
    **{f"rolling-{moment}": rolling(moment) for moment in MOMENTS},
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_operators(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
