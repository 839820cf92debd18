"""The operator is killed after every single write of a run, or the reply to that write is lost."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest

from . import kinds
from .request_faults import After
from .stage import ALL, Stage, report
from .trial import attempt

if TYPE_CHECKING:
    from .kinds import Kind
    from .stage import Scenario
    from .trial import Trial

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

KILLED_EVERYWHERE = kinds.PASSES
"""The short form kills at each write of this kind of run, and at a few of the others."""
REPLIES, OTHERS = 4, 17
"""Of that kind the short form loses every so many-th reply; of other kinds it tries every so many-th write."""
LAST_POINTS = 3
"""Two undisturbed runs differ by a few writes of counts, so that so many of the last points may not exist."""
ENOUGH = 0.7
"""Share of the points that must be reached in any case."""
ENOUGH_OF_LONG = 0.4
"""Of a long run most writes depend on the clock, and on who else uses the machine."""


def _step(kind: Kind, *, kill: bool) -> int:
    if ALL:
        return 1
    if kind is KILLED_EVERYWHERE:
        return 1 if kill else REPLIES
    return OTHERS


async def _at(stage: Stage, kind: Kind, reference: Trial, number: int, *, kill: bool) -> tuple[bool, list[str]]:
    """Try one point: whether it was reached, and what is wrong."""
    async with stage.lane() as lane:
        fault = After(number, lane.crash if kill else None)
        try:
            trial = await attempt(lane, kind, fault)
        except AssertionError as error:
            return fault.struck.is_set(), [f"{_what(fault)}: {error}"]
        # What the operator had made before may be made again by the one that follows it.
        repeated = number if kill else 1
        wrong = trial.compare(reference, repeated)
        return fault.struck.is_set(), [f"{_what(fault)}: {item}" for item in wrong]


def _least(kind: Kind, points: int) -> int:
    """How many points must be reached; of few points all but one."""
    if kind is kinds.LONG:
        return math.ceil(ENOUGH_OF_LONG * points)
    return max(min(math.ceil(ENOUGH * points), points - 1), points - LAST_POINTS)


def _what(fault: After) -> str:
    return f"write {fault.number} ({fault.record.call if fault.record else 'never made'})"


def crashing(kind: Kind, *, kill: bool) -> Scenario:
    async def scenario(stage: Stage) -> str:
        reference = await stage.reference(kind)
        step = _step(kind, kill=kill)
        points = range(1 + step // 2, reference.number + 1, step)
        tried = await asyncio.gather(*(_at(stage, kind, reference, number, kill=kill) for number in points))
        reached = sum(struck for struck, _ in tried)
        what = "killed after" if kill else "reply lost of"
        title = f"{kind.name}: {what} {reached} of {len(points)} writes (of {reference.number} in all)"
        least = _least(kind, len(points))
        missed = [] if reached >= least else [f"only {reached} of {len(points)} points were reached, not {least}"]
        return report(title, [*missed, *(item for _, wrong in tried for item in wrong)])

    return scenario


SCENARIOS = {
    f"{'kill' if kill else 'reply'}-{kind.name}": crashing(kind, kill=kill)
    for kind in kinds.KINDS
    for kill in (True, False)
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_after_each_write(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
