"""The API server answers with errors, late, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from . import kinds
from .fault import refusal
from .request_faults import Delay, Instead, Refuse, Silence, Sometimes, everything
from .stage import ALL, Stage, report
from .trial import attempt

if TYPE_CHECKING:
    from .call import Call
    from .fault import Answer
    from .kinds import Kind
    from .lane import Lane
    from .stage import Scenario

pytestmark = [pytest.mark.faults, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

STEP = 1 if ALL else 13
OUTAGE_SECONDS = 120.0 if ALL else 12.0
"""Longer than a request of the operator waits, and than it repeats one."""
PROBE_SECONDS = 120.0
PROBE_FAILURES = 4
SEEDS = range(5 if ALL else 1)

ANSWERS = {
    "409": refusal(409, message="the object has been modified; please apply your changes to the latest version"),
    "429": refusal(429, retry_after=1),
    "500": refusal(500),
    "503": refusal(503),
}


def each_write(name: str, answer: Answer) -> Scenario:
    """One write after the other gets an error in the place of its answer."""

    async def one(stage: Stage, number: int) -> tuple[bool, list[str]]:
        reference = await stage.reference(kinds.PASSES)
        async with stage.lane() as lane:
            fault = Instead(number, answer)
            try:
                trial = await attempt(lane, kinds.PASSES, fault)
                wrong = trial.compare(reference, number)  # a pass that meets an error is repeated as a whole
            except AssertionError as error:
                wrong = [str(error)]
            where = f"{name} for write {number} ({fault.struck[0].call if fault.struck else 'never made'})"
            return bool(fault.struck), [f"{where}: {item}" for item in wrong]

    async def scenario(stage: Stage) -> str:
        reference = await stage.reference(kinds.PASSES)
        points = range(1, reference.number + 1, STEP)
        tried = await asyncio.gather(*(one(stage, number) for number in points))
        title = f"{name} in the place of {sum(struck for struck, _ in tried)} of {reference.number} writes, one a run"
        return report(title, [item for _, wrong in tried for item in wrong])

    return scenario


def at_random(seed: int) -> Scenario:
    """A fifth of all requests fail, reads and watches among them."""

    async def scenario(stage: Stage) -> str:
        reference = await stage.reference(kinds.LONG)
        async with stage.lane() as lane:
            answers = [refusal(429, retry_after=1), refusal(500), refusal(503)]
            fault = Sometimes(0.2, answers, seed, everything)
            trial = await attempt(lane, kinds.LONG, fault)
            _assert_patient(lane)
            title = f"429, 500 or 503 for {len(fault.struck)} of {len(trial.records)} requests (seed {seed})"
            return report(title, trial.compare(reference, len(fault.struck)))

    return scenario


def _assert_patient(lane: Lane) -> None:
    """Nobody asks again sooner than a 429 has told it to."""
    refused = [record for record in lane.proxy.records if record.status == 429]
    for record in refused:
        again = [
            other.at - record.at
            for other in lane.proxy.records
            if other.call == record.call and other.at > record.at and other.call.name
        ]
        assert not again or min(again) > 0.9, f"{record.call} was repeated {min(again):.2f} s after a 429, before 1 s"


def outage(kind: Kind, fault: Refuse | Silence, what: str) -> Scenario:
    """In the middle of a run the API server is away for longer than anybody waits for an answer."""

    async def scenario(stage: Stage) -> str:
        reference = await stage.reference(kind)
        async with stage.lane() as lane:

            async def away(uid: str) -> None:
                await lane.until(uid, "tests have ended", lambda: lane.status(uid).get("passed", "0/0")[0] != "0")
                _switch(fault, on=True)
                await asyncio.sleep(OUTAGE_SECONDS)
                assert await lane.operator.health() == 200, "the liveness probe fails while the API server is away"
                _switch(fault, on=False)

            trial = await attempt(lane, kind, fault, beside=away)
            again = lane.operator.starts
            title = f"{what} for {OUTAGE_SECONDS:g} s to {len(fault.struck)} requests, {again} start of the operator"
            assert fault.struck, "nothing was asked meanwhile"
            return report(title, trial.compare(reference, len(fault.struck)))

    return scenario


def _switch(fault: Refuse | Silence, *, on: bool) -> None:
    if isinstance(fault, Refuse):
        fault.on = on
    elif on:
        fault.begin()
    else:
        fault.end()


async def slow(stage: Stage) -> str:
    """Every request takes up to half a second longer."""
    reference = await stage.reference(kinds.PASSES)
    async with stage.lane() as lane:
        fault = Delay(0.5, seed=1)
        trial = await attempt(lane, kinds.PASSES, fault)
        return report(f"{fault.struck} requests took up to 0.5 s longer", trial.compare(reference, 10))


def _lists(call: Call) -> bool:
    return call.verb == "list" and bool(call.resource) and not call.namespace


async def no_right_at_first(stage: Stage) -> str:
    """An operator starts while its rights are being put in place: half of its lists are refused."""
    reference = await stage.reference(kinds.PASSES)
    async with stage.lane() as lane:
        await lane.operator.stop()
        fault = Sometimes(0.5, [refusal(403)], seed=3, match=_lists)
        trial = await attempt(lane, kinds.PASSES, fault)
        return report(f"403 for {len(fault.struck)} lists at the start", trial.compare(reference, 4))


async def watch_ended(stage: Stage) -> str:
    """A list is answered with 404, as while a CRD is replaced. The liveness probe fails, and the kubelet restarts."""
    reference = await stage.reference(kinds.PASSES)
    async with stage.lane() as lane:
        await lane.operator.stop()
        fault = Refuse(
            refusal(404), lambda call: call.verb == "list" and call.resource == "pods" and not call.namespace
        )
        await lane.ready(fault)
        async with asyncio.timeout(PROBE_SECONDS):
            while not fault.struck:
                await lane.proxy.changed()
            failed = 0
            while failed < PROBE_FAILURES:  # as the kubelet looks at it
                failed = 0 if await lane.operator.health() == 200 else failed + 1
                await asyncio.sleep(1)
        lane.crash()
        trial = await attempt(lane, kinds.PASSES)
        return report("404 for a list: the liveness probe failed", trial.compare(reference, 2))


SCENARIOS: dict[str, Scenario] = {
    **{f"each-{name}": each_write(name, answer) for name, answer in ANSWERS.items()},
    **{f"random-{seed}": at_random(seed) for seed in SEEDS},
    "outage-503": outage(kinds.SLOW, Refuse(refusal(503), on=False), "503"),
    "outage-silence": outage(kinds.SLOW, Silence(), "no answer"),
    "slow": slow,
    "no-right-at-first": no_right_at_first,
    "watch-ended": watch_ended,
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS, indirect=True)
async def test_answers(stage: Stage, scenario: str) -> None:
    print(await stage.result(scenario))
