"""Watches and followed logs that are late, silent, cut, repeated, out of order or incomplete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from . import kinds
from .stage import ALL, Stage, report
from .trial import attempt
from .watches import Cut, CutLogs, Freeze, Miss, Pause, Reorder, Repeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fault import Fault
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

LATE_SECONDS = 5.0


def throughout(
    make: Callable[[], list[Fault]],
    tell: Callable[[list[Fault]], str],
    kind: kinds.Kind = kinds.FAILS,
    *,
    again: int = 0,
) -> Scenario:
    """A fault that is there from the operator's start to the end of the run. `again`: writes that may be repeated.

    The short form tries it on one kind of run.
    """

    async def one(stage: Stage, kind: kinds.Kind) -> list[str]:
        reference = await stage.reference(kind)
        async with stage.lane() as lane:
            await lane.operator.stop()  # watches that are open already would not see the fault
            faults = make()
            trial = await attempt(lane, kind, *faults)
            await lane.operator.stop()
            said.append(f"{kind.name}: {tell(faults)}")
            return [f"{kind.name}: {item}" for item in trial.compare(reference, again)]

    said: list[str] = []

    async def scenario(stage: Stage) -> str:
        tried = kinds.KINDS if ALL else (kind,)
        wrong = await asyncio.gather(*(one(stage, kind) for kind in tried))
        return report("; ".join(said), [item for items in wrong for item in items])

    return scenario


async def late(stage: Stage) -> str:
    """All watches stand still for some seconds in the middle of a run, then everything comes at once."""
    reference = await stage.reference(kinds.FAILS)
    async with stage.lane() as lane:
        await lane.operator.stop()
        fault = Pause()

        async def pause(uid: str) -> None:
            await lane.until(uid, "it runs", lambda: lane.status(uid).get("timings", {}).get("started"))
            fault.begin()
            await asyncio.sleep(LATE_SECONDS)
            fault.end()

        trial = await attempt(lane, kinds.FAILS, fault, beside=pause)
        await lane.operator.stop()
        return report(f"watches {LATE_SECONDS:g} s late", trial.compare(reference, 2))


async def silent(stage: Stage) -> str:
    """The watches fall silent for ever and stay open. kopf opens new ones when no bookmark comes for 70 s."""
    reference = await stage.reference(kinds.FAILS)
    async with stage.lane() as lane:
        await lane.operator.stop()
        fault = Freeze()

        async def freeze(uid: str) -> None:
            await lane.until(uid, "it runs", lambda: lane.status(uid).get("timings", {}).get("started"))
            fault.strike()

        trial = await attempt(lane, kinds.FAILS, fault, beside=freeze)
        await lane.operator.stop()
        assert fault.frozen >= 4, f"only {fault.frozen} watches were open"
        return report(f"{fault.frozen} watches fell silent for ever", trial.compare(reference, 2))


def _cuts(faults: list[Fault]) -> str:
    return ", ".join(f"{fault.cuts} streams cut" for fault in faults if isinstance(fault, Cut | CutLogs))


def _repeats(faults: list[Fault]) -> str:
    return ", ".join(f"{fault.repeated} events came twice" for fault in faults if isinstance(fault, Repeat))


def _swaps(faults: list[Fault]) -> str:
    return ", ".join(f"{fault.swapped} pairs changed places" for fault in faults if isinstance(fault, Reorder))


def _misses(faults: list[Fault]) -> str:
    return ", ".join(f"{fault.missed} changes were missed" for fault in faults if isinstance(fault, Miss))


def _all(faults: list[Fault]) -> str:
    return ", ".join(text for tell in (_cuts, _repeats, _swaps, _misses) if (text := tell(faults)))


SCENARIOS: dict[str, Scenario] = {
    "cut": throughout(lambda: [Cut(after=3)], _cuts, again=3),
    "gone": throughout(lambda: [Cut(after=4, gone=True)], _cuts, again=3),
    "logs-cut": throughout(lambda: [CutLogs(times=3)], _cuts, kinds.LONG, again=3),
    "repeated": throughout(lambda: [Repeat()], _repeats),
    "reordered": throughout(lambda: [Reorder()], _swaps),
    "missed": throughout(lambda: [Miss()], _misses),
    "everything": throughout(lambda: [Cut(after=9), CutLogs(times=2), Miss(), Reorder(), Repeat()], _all, again=5),
    "late": late,
    "silent": silent,
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_watches(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
