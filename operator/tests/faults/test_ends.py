"""Runs that end badly: each gets its reason, and the same one when the operator is killed on the way."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from .ends import ENDS
from .request_faults import After
from .stage import ALL, Stage, report
from .trial import attempt

if TYPE_CHECKING:
    from .kinds import Kind
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

DEATHS = 8 if ALL else 1
FOURTH = 4
"""Every so many-th end is tried with a kill in the short form; all of them are tried without one."""


def ending(kind: Kind) -> Scenario:
    async def killed(stage: Stage, number: int) -> list[str]:
        reference = await stage.reference(kind)
        async with stage.lane() as lane:
            trial = await attempt(lane, kind, After(number, lane.crash))
            return [f"killed after write {number}: {item}" for item in trial.compare(reference, number)]

    async def scenario(stage: Stage) -> str:
        reference = await stage.reference(kind)
        chance = random.Random(kind.name)
        # Not the very last writes: they are those of the deletion.
        deaths = DEATHS if ALL or ENDS.index(kind) % FOURTH == 0 else 0
        points = sorted(chance.sample(range(3, reference.number - 4), deaths))
        wrong = await asyncio.gather(*(killed(stage, number) for number in points))
        status = reference.outcome.status
        title = (
            f"{status['phase']} ({status['reason']}): {status['message'][:150]}; killed after write {points or 'none'}"
        )
        return report(title, [item for items in wrong for item in items])

    return scenario


SCENARIOS: dict[str, Scenario] = {kind.name: ending(kind) for kind in ENDS}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_ends(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
