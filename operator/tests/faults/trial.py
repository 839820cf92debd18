"""One run from its creation to the end of everything that belonged to it, with faults; and how it compares."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.api.status import TERMINAL_PHASES
from seatrial.status.text import seconds_of

from .invariants import broken
from .kinds import STARTED
from .oracle import Outcome, created_twice, outcome_of, writes_by_kind

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Coroutine

    from .call import Record
    from .fault import Fault
    from .invariants import Story
    from .kinds import Kind
    from .lane import Lane

    Beside = Callable[[str], Coroutine[Any, Any, None]]

SLACK = 6
"""Writes by which two undisturbed runs can differ: counts are written by the clock."""


@dataclass(frozen=True)
class Trial:
    """What came of one run."""

    kind: Kind
    records: list[Record]
    outcome: Outcome
    seconds: float
    """From its start to its verdict."""
    problems: list[str] = field(default_factory=list)
    """Invariants that did not hold."""

    @property
    def writes(self) -> Counter[str]:
        return writes_by_kind(self.records)

    @property
    def number(self) -> int:
        """How many writes there were."""
        return sum(1 for record in self.records if record.number)

    def compare(self, reference: Trial, repeated: int) -> list[str]:
        """What is wrong, compared with an undisturbed run; `repeated` writes may have been made again.

        While a run goes on its counts are written once a second and its slices every two seconds, so that one which
        takes longer may write more.
        """
        found = [*self.problems, *self.outcome.differences(reference.outcome, early=self.kind.early)]
        found += [f"created twice: {item}" for item in created_twice(self.records)]
        bound = reference.number + repeated + SLACK + int(1.5 * max(0.0, self.seconds - reference.seconds))
        if self.writes.total() > bound:
            more = self.writes - reference.writes
            found.append(f"{self.writes.total()} writes, at most {bound} were expected; more than usual: {dict(more)}")
        return found


async def follow(lane: Lane, kind: Kind, uid: str) -> None:
    """See a run through to its end, and interfere half way when it is of such a kind."""
    if kind.interferes:
        await lane.until(uid, "the tests run", lambda: half_way(lane, uid))
        if kind.delete:
            await lane.delete(uid)
            return
        if kind.dies is not None:
            pod = await lane.node.pod_of(lane.environment(uid), *kind.dies)
            await pod.end(pod.main, 137, "OOMKilled")
        if kind.change is not None:
            assert await lane.change(uid, **kind.change) == 200, "the change was refused"
    await lane.until_over(uid)


def half_way(lane: Lane, uid: str) -> bool:
    """Whether all is written that is to be written before somebody interferes, or the run has ended."""
    status = lane.status(uid)
    counted = (status.get("summary") or {}).get("passed", 0) >= STARTED
    kept = sum(len(seen.last["spec"].get("tests") or ()) for seen in lane.recorder.objects(uid, "TestResultSlice"))
    is_open = bool((status.get("timings") or {}).get("environmentReady"))
    return (counted and kept >= STARTED and is_open) or status.get("phase") in TERMINAL_PHASES


async def attempt(lane: Lane, kind: Kind, *faults: Fault, beside: Beside | None = None) -> Trial:
    """Try a run with faults. `beside` is done while it goes on, and gets its uid."""
    await lane.ready(*faults)
    uid = await lane.submit(kind)
    helper = asyncio.create_task(beside(uid)) if beside is not None else None
    try:
        await follow(lane, kind, uid)
        await lane.delete(uid)
        story = await lane.until_gone(uid)
        records = list(lane.proxy.records)
        return Trial(kind, records, outcome_of(story), took(story), problems_of(story, kind))
    finally:
        lane.recorder.forget(uid)
        if helper is not None:
            helper.cancel()
            done = (await asyncio.gather(helper, return_exceptions=True))[0]
            if isinstance(done, Exception):
                raise done


def took(story: Story) -> float:
    """Seconds from the start of a run to its verdict, or to its last status."""
    timings = story.final.get("timings") or {}
    times = [seconds_of(timings[name]) or 0.0 for name in ("started", "finished", "lastTest") if timings.get(name)]
    return max(times) - min(times) if times else 0.0


def problems_of(story: Story, kind: Kind) -> list[str]:
    """Invariants that do not hold, and an end that is not the one that was to come."""
    problems = broken(story)
    phase, reason = story.final.get("phase", ""), story.final.get("reason", "")
    if kind.phase and phase != kind.phase:
        problems.append(f"the phase is {phase} ({reason}: {story.final.get('message')}), expected {kind.phase}")
    elif kind.reason and reason != kind.reason:
        problems.append(f"the reason is {reason} ({story.final.get('message')}), expected {kind.reason}")
    return problems
