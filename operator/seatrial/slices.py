"""Records -> TestResultSlices and back: the complete record, and a restarted operator's checkpoint. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION
from seatrial.api.results import MAX_SLICE_TESTS, TestResult
from seatrial.evidence import MAX_DETAILS, ShardEvidence, number, text, whole
from seatrial.naming import RUN_UID_LABEL, RunId, run_labels, slice_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.evidence import Record
    from seatrial.plan.model import Object

MAX_SLICE_BYTES = 400_000
"""Well below the 1.5 MiB that etcd takes for one object."""
MAX_EVENTS = 64
MAX_EVENT_BYTES = 16_384


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
        entry = _as_test(record) if record.get("t") == "test" else None
        event = "" if entry is not None else _as_event(record)
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


def _as_test(record: Record) -> Object:
    """A record as a TestResult; members that say nothing are left out."""
    result = {
        "id": text(record.get("id"), 1100) or "(no name)",
        "outcome": text(record.get("o"), 16),
        "attempt": max(1, whole(record.get("a")) or 1),
        "final": record.get("final") is not False,
        "startedAt": number(record.get("at")) or 0.0,
        "durationSeconds": number(record.get("d")) or 0.0,
        "message": text(record.get("m"), 512),
        "location": text(record.get("l"), 512),
        "details": text(record.get("x"), MAX_DETAILS),
    }
    return {key: value for key, value in result.items() if value != "" or key in {"id", "outcome"}}


def _as_event(record: Record) -> str:
    encoded = json.dumps(record, separators=(",", ":"))
    if len(encoded) <= MAX_EVENT_BYTES:
        return encoded
    kept = {key: value for key, value in record.items() if len(json.dumps(value)) <= 1024}  # noqa: PLR2004
    return json.dumps(kept, separators=(",", ":"))[:MAX_EVENT_BYTES]


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
    events = [json.loads(event) for event in spec.get("events") or ()]
    tests = [_as_record(test) for test in spec.get("tests") or ()]
    return [
        *(event for event in events if event.get("t") != "end"),
        *tests,
        *(event for event in events if event.get("t") == "end"),
    ]


def _as_record(test: Any) -> Record:
    result = TestResult.model_validate(test)
    return {
        "t": "test",
        "id": result.id,
        "o": result.outcome,
        "a": result.attempt,
        "final": result.final,
        "at": result.started_at,
        "d": result.duration_seconds,
        "m": result.message,
        "l": result.location,
    }
