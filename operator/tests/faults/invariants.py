"""What must hold of a run at every moment, whatever was done to the operator. One named check each."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from seatrial.api.status import TERMINAL_PHASES
from seatrial.sizes import stored_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .recorder import Recorder, Seen

Object = dict[str, Any]

STATUS_LIMIT_BYTES = 100 * 1024
ORDER = {"": 0, "Pending": 1, "Queued": 1, "Provisioning": 2, "Running": 3, "Collecting": 4}
"""Phases, as they may follow each other; those of a verdict come last and are never left."""
COUNTS = ("total", "passed", "failed", "errors", "skipped", "xfailed", "xpassed")
_DRAWN = re.compile(r"strl[0-9a-f]{48}")
"""A credential as the operator draws it."""


class Story:
    """All that was ever seen of one run."""

    def __init__(self, recorder: Recorder, uid: str) -> None:
        self.run: Seen = recorder.testruns[uid]
        self.objects = recorder.objects(uid)
        self.events = recorder.events(uid)
        self.statuses = [state.get("status") or {} for state in self.run.history]
        self.final = self.statuses[-1]

    def of(self, kind: str) -> list[Seen]:
        return [seen for seen in self.objects if seen.kind == kind]

    @property
    def tests(self) -> list[tuple[str, int, str, int]]:
        """Suite, shard, id and attempt of every result in the slices as they were last."""
        specs = [seen.last["spec"] for seen in self.of("TestResultSlice")]
        return [
            (spec["suite"], spec["shard"], test["id"], test.get("attempt", 1))
            for spec in specs
            for test in spec.get("tests") or ()
        ]


def verdict_is_final(story: Story) -> Iterator[str]:
    """I1: a phase never goes back, and that of a verdict never changes."""
    for before, after in pairwise(story.statuses):
        old, new = before.get("phase", ""), after.get("phase", "")
        if old in TERMINAL_PHASES and (new != old or after.get("reason") != before.get("reason")):
            yield f"{old}/{before.get('reason')} became {new}/{after.get('reason')}"
        elif old not in TERMINAL_PHASES and new not in TERMINAL_PHASES and ORDER[new] < ORDER[old]:
            yield f"{old} went back to {new}"
        for moment in ("accepted", "started", "environmentReady", "finished"):
            if (was := (before.get("timings") or {}).get(moment)) not in {
                None,
                (after.get("timings") or {}).get(moment),
            }:
                yield f"timings.{moment} changed from {was} to {(after.get('timings') or {}).get(moment)}"


def tests_count_once(story: Story) -> Iterator[str]:
    """I2: counts never go backwards, each test has one final outcome, slices follow each other without overlap."""
    for before, after in pairwise(story.statuses):
        old, new = before.get("summary") or {}, after.get("summary") or {}
        for name in COUNTS:
            if new.get(name, 0) < old.get(name, 0):
                yield f"{name} went back from {old[name]} to {new.get(name, 0)}"
    yield from (f"{key} is {number} times in the slices" for key, number in Counter(story.tests).items() if number > 1)
    shards: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for seen in story.of("TestResultSlice"):
        spec = seen.last["spec"]
        shards.setdefault((spec["suite"], spec["shard"]), []).append((spec["firstSequence"], spec["lastSequence"]))
        for older, newer in pairwise(seen.history):
            if newer["spec"]["lastSequence"] < older["spec"]["lastSequence"]:
                yield f"{seen} went back from {older['spec']['lastSequence']} to {newer['spec']['lastSequence']}"
    for shard, ranges in shards.items():
        expected = 1
        for first, last in sorted(ranges):
            if first != expected:
                yield f"the slices of {shard} go on at {first} where {expected} was expected"
            expected = last + 1


def passed_with_evidence(story: Story) -> Iterator[str]:
    """I3: Passed only when every collected test is in the slices with an outcome that passes."""
    for status in story.statuses:
        summary = status.get("summary") or {}
        if status.get("phase") != "Passed":
            continue
        ended = sum(summary.get(name, 0) for name in ("passed", "skipped", "xfailed"))
        if summary.get("total", 0) != ended or summary.get("notRun", 0):
            yield f"Passed, and the summary is {summary}"
        results = {key[:3] for key in story.tests}
        if len(results) != summary.get("total", 0):
            yield f"Passed with {summary.get('total', 0)} tests, of which {len(results)} are in the slices"


def stays_in_its_namespace(story: Story) -> Iterator[str]:
    """I4: one namespace a run, and nothing of the run anywhere else but its slices."""
    namespaces = {seen.name for seen in story.of("Namespace")}
    if len(namespaces) > 1 or len(story.of("Namespace")) > 1:
        yield f"namespaces: {[str(seen) for seen in story.of('Namespace')]}"
    for seen in story.objects:
        expected = {story.run.namespace} if seen.kind == "TestResultSlice" else namespaces
        if seen.kind != "Namespace" and seen.namespace not in expected:
            yield f"{seen} is outside of {sorted(expected)}"


def no_secret_is_told(story: Story) -> Iterator[str]:
    """I5: no credential in a status, an Event or a slice."""
    drawn: set[str] = set()
    for seen in story.of("Secret"):
        for value in (seen.last.get("data") or {}).values():
            drawn |= set(_DRAWN.findall(base64.b64decode(value).decode()))
    told = json.dumps([story.run.history, story.events, [seen.history for seen in story.of("TestResultSlice")]])
    yield from (f"a credential ({value[:6]}…) was told" for value in drawn if value in told)


def ends(story: Story) -> Iterator[str]:
    """I6: a run that nobody has deleted comes to a verdict."""
    if not story.run.deleted and story.final.get("phase") not in TERMINAL_PHASES:
        yield f"the phase is still {story.final.get('phase')!r}: {story.final.get('message')}"


def status_is_small(story: Story) -> Iterator[str]:
    """I7: a status is below 100 KiB."""
    biggest = max((stored_size(status) for status in story.statuses), default=0)
    if biggest > STATUS_LIMIT_BYTES:
        yield f"a status had {biggest} bytes"


def leaves_nothing(story: Story) -> Iterator[str]:
    """I8: the namespace and everything in it is gone; with the TestRun its slices are gone as well."""
    kept = set() if story.run.deleted else {"TestResultSlice"}
    yield from (f"{seen} is left" for seen in story.objects if not seen.deleted and seen.kind not in kept)


def creates_once(story: Story) -> Iterator[str]:
    """I9, per object: whatever was created once is not created again."""
    names = Counter((seen.kind, seen.namespace, seen.name) for seen in story.objects)
    yield from (
        f"{kind} {namespace}/{name} was created {n} times" for (kind, namespace, name), n in names.items() if n > 1
    )


def one_job_per_suite(story: Story) -> Iterator[str]:
    """I10: a suite has one Job and each of its shards one pod."""
    jobs = Counter(seen.last["metadata"]["labels"]["seatrial.dev/name"] for seen in story.of("Job"))
    yield from (f"suite {name} had {number} Jobs" for name, number in jobs.items() if number > 1)
    shards: Counter[tuple[str, str]] = Counter()
    for seen in story.of("Pod"):
        labels = seen.last["metadata"]["labels"]
        if labels["seatrial.dev/component"] == "suite":
            shards[labels["seatrial.dev/name"], labels["batch.kubernetes.io/job-completion-index"]] += 1
    yield from (f"shard {shard} had {number} pods" for shard, number in shards.items() if number > 1)


CHECKS: tuple[Callable[[Story], Iterator[str]], ...] = (
    verdict_is_final,
    tests_count_once,
    passed_with_evidence,
    stays_in_its_namespace,
    no_secret_is_told,
    ends,
    status_is_small,
    leaves_nothing,
    creates_once,
    one_job_per_suite,
)


def broken(story: Story) -> list[str]:
    """Every invariant that does not hold, by its name and what was seen."""
    return [f"{check.__name__}: {what}" for check in CHECKS for what in check(story)]
