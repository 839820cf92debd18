"""A restarted operator sees the cluster as it was at an earlier moment, while its writes go to the present."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from . import kinds
from .api import ApiError
from .fault import Fault
from .request_faults import After
from .stage import ALL, Stage, report
from .stale import Past, moment
from .trial import attempt

if TYPE_CHECKING:
    from .call import Record
    from .fault import Answer
    from .kinds import Kind
    from .lane import Lane
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

STALE_SECONDS = 4.0
SHARES = (0.1, 0.35, 0.6, 0.85, 1.0)
"""After which shares of a run's writes the operator dies."""


class _Remember(Fault):
    """Remembers the present after the n-th write; after write 0, that is before the first of them."""

    def __init__(self, lane: Lane, number: int) -> None:
        self.version = ""
        self._lane = lane
        self._number = number

    async def before(self, record: Record) -> Answer | None:
        if not self.version and record.number > self._number:
            self.version = await moment(self._lane.api)
        return None


async def _travel(stage: Stage, kind: Kind, back: int, dies: int) -> list[str]:
    """Die after a write; the next operator sees the world as it was after an earlier one."""
    reference = await stage.reference(kind)
    async with stage.lane() as lane:
        seen = _Remember(lane, back)
        crash = After(dies, lambda: lane.crash(again=False))

        async def restart(uid: str) -> None:
            await crash.struck.wait()
            await lane.operator.ended()
            past = Past(seen.version)
            lane.proxy.faults = [past]
            await lane.operator.start()
            # Whatever it does about what it sees, it does at once; then it has to find out.
            await lane.until(uid, "the restarted operator lists", lambda: past.lists >= 4)
            await asyncio.sleep(STALE_SECONDS)
            past.end()

        try:
            trial = await attempt(lane, kind, seen, crash, beside=restart)
        except (AssertionError, ApiError) as error:
            return [f"{kind.name}: dead after write {dies}, sees write {back}: {error}"]
        where = f"{kind.name}: dead after write {dies} ({crash.record and crash.record.call}), sees write {back}"
        return [f"{where}: {item}" for item in trial.compare(reference, 2 * dies)]


def travelling(kind: Kind) -> Scenario:
    async def scenario(stage: Stage) -> str:
        whole = (await stage.reference(kind)).number
        deaths = [max(1, int(share * (whole - 4))) for share in SHARES]
        pairs = [(back, dies) for dies in deaths for back in (0, *deaths) if back < dies]
        if not ALL:
            pairs = [pair for pair in pairs if pair[0] in {0, deaths[1]} and pair[1] in deaths[1::2]]
        wrong = await asyncio.gather(*(_travel(stage, kind, *pair) for pair in pairs))
        title = f"{kind.name}: {len(pairs)} restarts into the past (of write -> seen after write): {pairs}"
        return report(title, [item for items in wrong for item in items])

    return scenario


KINDS = kinds.KINDS if ALL else (kinds.PASSES,)
SCENARIOS: dict[str, Scenario] = {kind.name: travelling(kind) for kind in KINDS}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_time_travel(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
