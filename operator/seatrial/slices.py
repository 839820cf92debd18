"""Records -> TestResultSlices and back: the complete record, and a restarted operator's checkpoint. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial.api import API_VERSION
from seatrial.api.results import MAX_SLICE_TESTS, TestResult
from seatrial.api.status import Outcome
from seatrial.evidence import ShardEvidence
from seatrial.naming import RUN_UID_LABEL, RunId, run_labels, slice_name
from seatrial.records import Attempt, End, Record, dump_record, parse_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.plan.model import Object

MAX_SLICE_BYTES = 400_000
"""Well below the 1.5 MiB that etcd takes for one object."""
MAX_EVENTS = 64


@dataclass
class SliceWriter:
    """Collects the records of one shard; gives them out as slices. A slice that is full is closed and never changes."""

    run: RunId
    suite: str
    shard: int
    number: int = 0
    first: int = 1
    last: int = 0
    size: int = 0
    events: list[str] = field(default_factory=list)
    tests: list[Object] = field(default_factory=list)
    dirty: bool = False
    full: list[Object] = field(default_factory=list)

    def add(self, sequence: int, record: Record, pod_uid: str) -> None:
        """Take a record that was not there before."""
        entry = _as_test(record) if isinstance(record, Attempt) else None
        event = "" if entry is not None else dump_record(record).decode()
        size = len(event) if entry is None else 160 + sum(len(str(value).encode()) for value in entry.values())
        if self.tests or self.events:
            over = self.size + size > MAX_SLICE_BYTES
            if over or len(self.tests) >= MAX_SLICE_TESTS or len(self.events) >= MAX_EVENTS:
                self.full.append(self._object(pod_uid))
                self.number += 1
                self.first, self.size, self.events, self.tests = sequence, 0, [], []
        if entry is not None:
            self.tests.append(entry)
        else:
            self.events.append(event)
        self.size += size
        self.last = sequence
        self.dirty = True

    def take(self, pod_uid: str) -> list[Object]:
        """What has to be written now: the slices that are full, and the one that is growing."""
        objects, self.full = self.full, []
        if self.dirty:
            objects.append(self._object(pod_uid))
            self.dirty = False
        return objects

    def _object(self, pod_uid: str) -> Object:
        return {
            "apiVersion": API_VERSION,
            "kind": "TestResultSlice",
            "metadata": {
                "name": slice_name(self.run, self.suite, self.shard, self.number),
                "namespace": self.run.namespace,
                "labels": run_labels(self.run),
                "ownerReferences": [
                    {
                        "apiVersion": API_VERSION,
                        "kind": "TestRun",
                        "name": self.run.name,
                        "uid": self.run.uid,
                        "controller": True,
                        "blockOwnerDeletion": False,
                    }
                ],
            },
            "spec": {
                "run": self.run.name,
                "suite": self.suite,
                "shard": self.shard,
                "podUid": pod_uid,
                "firstSequence": self.first,
                "lastSequence": self.last,
                "events": list(self.events),
                "tests": list(self.tests),
            },
        }


def _as_test(record: Attempt) -> Object:
    """A record as a TestResult; members that say nothing are left out."""
    result = TestResult(
        id=record.id,
        outcome=record.outcome,
        attempt=max(1, record.attempt),
        final=record.final,
        started_at=record.at,
        duration_seconds=record.seconds,
        message=record.message,
        location=record.location,
        details=record.text,
    )
    return result.model_dump(by_alias=True, exclude_defaults=True)


def restore(
    run: RunId, slices: Iterable[Object]
) -> tuple[dict[tuple[str, int], ShardEvidence], dict[tuple[str, int], SliceWriter]]:
    """Rebuild what was known from the slices of a run, and writers that go on where they end."""
    evidence: dict[tuple[str, int], ShardEvidence] = {}
    writers: dict[tuple[str, int], SliceWriter] = {}
    mine = [item for item in slices if (item["metadata"].get("labels") or {}).get(RUN_UID_LABEL) == run.uid]
    for item in sorted(mine, key=lambda item: int(item["spec"]["firstSequence"])):
        spec = item["spec"]
        key = (str(spec["suite"]), int(spec["shard"]))
        shard = evidence.setdefault(key, ShardEvidence(*key))
        shard.pod_uid = str(spec["podUid"])
        records = _records(spec)
        first, last = int(spec["firstSequence"]), int(spec["lastSequence"])
        if first != shard.sequence + 1 or len(records) != last - first + 1:
            shard.lost = f"the results between {shard.sequence} and {last} have a gap"
        for record in records:
            shard.fold(shard.sequence + 1, record)
        shard.sequence = last
        writers[key] = SliceWriter(
            run,
            *key,
            number=int(str(item["metadata"]["name"]).rsplit("-", 1)[1]),
            first=int(spec["firstSequence"]),
            last=int(spec["lastSequence"]),
            size=len(json.dumps(spec)),
            events=list(spec.get("events") or ()),
            tests=list(spec.get("tests") or ()),
        )
    return evidence, writers


def _records(spec: Object) -> list[Record]:
    """The records of a slice. `end` comes last: it closes the shard."""
    events = [parse_record(event.encode()) for event in spec.get("events") or ()]
    tests = [_as_record(TestResult.model_validate(test)) for test in spec.get("tests") or ()]
    return [
        *(event for event in events if not isinstance(event, End)),
        *tests,
        *(event for event in events if isinstance(event, End)),
    ]


def _as_record(result: TestResult) -> Attempt:
    return Attempt(
        id=result.id,
        outcome=Outcome(result.outcome).value,
        attempt=result.attempt,
        seconds=result.duration_seconds,
        at=result.started_at,
        message=result.message,
        location=result.location,
        text=result.details,
        final=result.final,
    )
