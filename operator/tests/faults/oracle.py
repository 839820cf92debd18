"""Is the end that of an undisturbed run? End states and numbers of writes are compared, as Sieve does."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seatrial.naming import COMPONENT_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .call import Record
    from .invariants import Story

Object = dict[str, Any]

VOLATILE = {"duration", "durationSeconds", "readyAfterSeconds", "lastTransitionTime", "observedGeneration"}
EARLY = ("phase", "reason")
"""What is the same of a run that ends whenever the culprit is seen, whatever else had come about by then."""
_POD = re.compile(r"\b(suite-[a-z]+-\d+)-[a-z0-9]{5}\b")
_SECONDS = re.compile(r"\b\d+(\.\d+)? s\b|\d{4}-\d\d-\d\dT[0-9:.]+Z")


@dataclass(frozen=True)
class Outcome:
    """What is left of a run when everything is over, without what differs from run to run."""

    status: Object
    tests: tuple[tuple[Any, ...], ...]
    """Every test of the slices."""
    objects: Counter[str] = field(default_factory=Counter)
    """Every object that ever existed, by kind and name: how many of them."""
    left: tuple[str, ...] = ()
    """What has not been deleted."""

    def differences(self, reference: Outcome, *, early: bool = False) -> list[str]:
        found = [
            f"status.{key}: {json.dumps(self.status.get(key))} instead of {json.dumps(reference.status.get(key))}"
            for key in (EARLY if early else sorted({*self.status, *reference.status}))
            if self.status.get(key) != reference.status.get(key)
        ]
        if early:
            return found
        if self.tests != reference.tests:
            found.append(f"{len(self.tests)} results in the slices differ from the reference's {len(reference.tests)}")
        found += [
            f"{key}: {self.objects[key]} were created instead of {reference.objects[key]}"
            for key in sorted({*self.objects, *reference.objects})
            if self.objects[key] != reference.objects[key]
        ]
        if self.left != reference.left:
            found.append(f"left: {self.left} instead of {reference.left}")
        return found


def outcome_of(story: Story) -> Outcome:
    """Normalise the end of a run."""
    run = story.run
    names = {seen.name: "<namespace>" for seen in story.of("Namespace")} | {
        run.namespace: "<tenant>",
        run.name: "<run>",
    }

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in VOLATILE}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, str):
            for name, placeholder in names.items():
                value = value.replace(name, placeholder)
            return _POD.sub(r"\1", _SECONDS.sub("<time>", value))
        return value

    status = plain(story.final)
    status["timings"] = sorted(story.final.get("timings") or {})
    objects = Counter(f"{seen.kind} {_stable(seen.kind, plain(seen.name))}" for seen in story.objects)
    # A ReplicaSet replaces its pods as long as it exists, at the end of a run too.
    for seen in story.of("Pod"):
        if seen.last["metadata"]["labels"][COMPONENT_LABEL] == "application":
            objects[f"Pod {_stable('Pod', seen.name)}"] = 1
    results = sorted(
        (spec["suite"], spec["shard"], test["id"], test["outcome"], test.get("attempt", 1), test.get("message", ""))
        for spec in (seen.last["spec"] for seen in story.of("TestResultSlice"))
        for test in spec.get("tests") or ()
    )
    left = sorted(f"{seen.kind} {_stable(seen.kind, plain(seen.name))}" for seen in story.objects if not seen.deleted)
    return Outcome(status, tuple(results), objects, tuple(left))


def _stable(kind: str, name: str) -> str:
    """A name without what is drawn: controllers give their pods random ends, slices end in a digest of the uid."""
    if kind == "Pod" and name.startswith("suite-"):
        return name.rpartition("-")[0]  # suite-NAME-SHARD-xxxxx
    if kind == "Pod" and name.count("-") >= 2:
        return name.rsplit("-", 2)[0]  # APPLICATION-xxxxxxxxxx-xxxxx
    if kind == "TestResultSlice":
        return name.split("-", maxsplit=1)[0]
    return name


def writes_by_kind(records: Iterable[Record]) -> Counter[str]:
    """How many writes the API server saw, by verb and kind."""
    return Counter(f"{item.call.verb} {item.call.kind}" for item in records if item.number and not item.by_fault)


def created_twice(records: Iterable[Record]) -> list[str]:
    """Objects whose creation the API server has granted more than once."""
    granted = Counter(
        (item.call.kind, item.call.namespace, item.call.name)
        for item in records
        if item.number and item.status == 201 and item.call.name
    )
    return [f"{kind} {namespace}/{name}: {n}" for (kind, namespace, name), n in granted.items() if n > 1]
