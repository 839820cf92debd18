"""Records -> TestResultSlices and back: the complete record, and a restarted operator's checkpoint. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from seatrial.api import API_VERSION
from seatrial.api.results import (
    MAX_EVENT_CHARACTERS,
    MAX_SLICE_EVENTS,
    MAX_SLICE_TESTS,
    TestResult,
    TestResultSliceSpec,
)
from seatrial.api.status import Outcome
from seatrial.evidence import Room, ShardEvidence
from seatrial.naming import RUN_UID_LABEL, RunId, run_labels, slice_name
from seatrial.records import (
    ID_BYTES,
    LOCATION_BYTES,
    MAX_COUNT,
    MAX_SECONDS,
    MESSAGE_BYTES,
    TEXT_BYTES,
    Attempt,
    Record,
    clip,
    dump_object,
    dump_record,
    load_object,
    parse_record,
)
from seatrial.sizes import stored_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.plan.model import Object

MAX_SLICE_BYTES = 400_000
"""Well below the 1.5 MiB that etcd takes for one object."""
DETAILED_SLICES = 25
"""Of one shard. Its further slices leave out the texts of failures: some suites fail 50,000 times for one reason."""
OVERHEAD_BYTES = 1500
"""Of a slice beside its results: metadata and the members that say what it is about."""


@dataclass
class SliceWriter:
    """Collects the records of one shard; gives them out as slices. A slice that is full is closed and never changes."""

    run: RunId
    suite: str
    shard: int
    number: int = 0
    first: int = 1
    last: int = 0
    size: int = OVERHEAD_BYTES
    events: list[str] = field(default_factory=list)
    tests: list[Object] = field(default_factory=list)
    full: list[Object] = field(default_factory=list)
    """Slices that are full and not yet known to be written."""
    written: int = 0
    """The last sequence number of the growing slice as it was written."""

    @property
    def dirty(self) -> bool:
        """Whether there is something to write."""
        return bool(self.full) or self.last > self.written

    def add(self, sequence: int, record: Record, pod_uid: str) -> None:
        """Take a record that was not there before."""
        entry = _as_test(record) if isinstance(record, Attempt) else None
        event = "" if entry is not None else _as_event(record)
        size = stored_size(event if entry is None else entry) + 1
        if self.tests or self.events:
            over = self.size + size > MAX_SLICE_BYTES
            if over or len(self.tests) >= MAX_SLICE_TESTS or len(self.events) >= MAX_SLICE_EVENTS:
                self.full.append(self._object(pod_uid))
                self.number += 1
                self.first, self.size, self.events, self.tests = sequence, OVERHEAD_BYTES, [], []
        if entry is not None:
            if self.number >= DETAILED_SLICES and entry.pop("details", ""):
                size = stored_size(entry) + 1
            self.tests.append(entry)
        else:
            self.events.append(event)
        self.size += size
        self.last = sequence

    def pending(self, pod_uid: str) -> list[Object]:
        """What has to be written: the slices that are full, and the one that is growing."""
        growing = [self._object(pod_uid)] if self.last > self.written else []
        return [*self.full, *growing]

    def mark_written(self, item: Object) -> None:
        """Note that one of the pending slices was written. It may have grown meanwhile."""
        others = [other for other in self.full if other is not item]
        if len(others) == len(self.full):
            self.written = max(self.written, int(item["spec"]["lastSequence"]))
        self.full = others

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


def _as_event(record: Record) -> str:
    """A record as JSON, its texts shortened where the whole is more than a slice takes."""
    event = dump_record(record)
    for limit in (4096, 1024, 256):
        if len(event) <= MAX_EVENT_CHARACTERS:
            break
        members = load_object(event) or {}
        short = {key: clip(members[key], limit) for key in ("m", "x", "message") if isinstance(members.get(key), str)}
        if isinstance(members.get("stderr"), str):
            short["stderr"] = members["stderr"][-(limit // 4) :]  # its end tells more
        event = dump_object(members | short)
    return event.decode()


def restore(
    run: RunId, slices: Iterable[Object], room: Room | None = None
) -> tuple[dict[tuple[str, int], ShardEvidence], dict[tuple[str, int], SliceWriter]]:
    """Rebuild what was known from the slices of a run, and writers that go on where they end.

    `room` is what all shards may take. Slices are written side by side, so that one may be missing: what comes after it
    is read from the log again.
    """
    room = room or Room()
    evidence: dict[tuple[str, int], ShardEvidence] = {}
    writers: dict[tuple[str, int], SliceWriter] = {}
    mine = [found for item in slices if (found := _read(run, item)) is not None]
    for number, spec in sorted(mine, key=lambda pair: pair[0]):
        key = (spec.suite, spec.shard)
        shard = evidence.setdefault(key, ShardEvidence(*key, room=room))
        shard.pod_uid = spec.pod_uid
        first, last = spec.first_sequence, spec.last_sequence
        records = _records(spec)
        if first != shard.sequence + 1 or last < first or records is None:
            continue
        if len(records) != last - first + 1:
            shard.lose(f"the records between {first} and {last} have a gap")
        for record in records:
            shard.fold(shard.sequence + 1, record)
        shard.sequence = last
        stored = spec.model_dump(by_alias=True, exclude_defaults=True)
        writers[key] = SliceWriter(
            run,
            *key,
            number=number,
            first=first,
            last=last,
            written=last,
            size=OVERHEAD_BYTES + stored_size(stored),
            events=list(stored.get("events") or ()),
            tests=list(stored.get("tests") or ()),
        )
    return evidence, writers


def _read(run: RunId, item: Object) -> tuple[int, TestResultSliceSpec] | None:
    """Number and content of a slice, or None for one that no operator has written, whatever its label says."""
    metadata = item["metadata"]
    name = str(metadata["name"])
    number = name.rpartition("-")[2]
    if (metadata.get("labels") or {}).get(RUN_UID_LABEL) != run.uid or not number.isdecimal():
        return None
    try:
        spec = TestResultSliceSpec.model_validate(item.get("spec"))
    except ValidationError:
        return None
    return (int(number), spec) if name == slice_name(run, spec.suite, spec.shard, int(number)) else None


def _records(spec: TestResultSliceSpec) -> list[Record] | None:
    """The records of a slice, or None when it cannot be read. Their order among tests and others does not matter."""
    events = [parse_record(event.encode()) for event in spec.events]
    try:
        tests = [_as_record(test) for test in spec.tests]
    except ValueError:
        return None
    return [*events, *tests]


def _as_record(result: TestResult) -> Attempt:
    """A result as a record, within the bounds of records. Raises ValueError for an outcome that is none."""
    return Attempt(
        id=clip(result.id, ID_BYTES),
        outcome=Outcome(result.outcome).value,
        attempt=min(result.attempt, MAX_COUNT),
        seconds=min(result.duration_seconds, MAX_SECONDS),
        at=min(result.started_at, MAX_SECONDS),
        message=clip(result.message, MESSAGE_BYTES),
        location=clip(result.location, LOCATION_BYTES),
        text=clip(result.details, TEXT_BYTES),
        final=result.final,
    )
